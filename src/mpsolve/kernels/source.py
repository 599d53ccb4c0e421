"""Write the source of a compiled loop around a point function: the text is also the key of the kernel cache."""

import inspect
import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass

from mpsolve.formats.base import Format
from mpsolve.kernels.reach import leading_reach
from mpsolve.kernels.rolled import Rolled, rolled_loops, strip

#: A plain one-dimensional compute array, indexed by one storage index.
VECTOR = "vector"
#: Elements of a row that are computed and summed together: they stay in the first-level cache.
CHUNK = 1024
#: The same for streaming kernels without sums, in bytes of output: reads and writes of memory take turns often.
STREAM_CHUNK_BYTES = 512
#: Bytes of a cache line, which streaming stores fill as a whole.
LINE = 64

_INDEX = ("i", "j", "k")
#: Of functions that are called for each cell: LLVM vectorises no loop with a call in it, nor one with a branch for a
#: division by zero, and would not inline a function as large as those of the climate by itself.
INLINED = '@njit(nogil=True, forceinline=True, error_model="numpy")'


@dataclass(frozen=True)
class KernelSpec:
    """What a compiled loop is made from.

    Attributes
    ----------
    point : callable or None
        ``point(load, arrays, scalars, *index)``, self-contained: it uses its arguments only; None for sums alone.
    ndim : int
        Number of grid axes, 1 to 3.
    inputs : tuple of Format or "vector"
        Storage of each input array.
    outputs : tuple of Format
        Storage of each output field.
    scalars : int
        Number of scalar arguments.
    dots : tuple of (int, int)
        Pairs of fields, outputs numbered first, whose products are summed row by row.
    rounding : str
        ``"nearest"`` or ``"stochastic"``.
    stream : bool
        Write outputs past the caches.
    aliases : tuple of (int, int)
        Pairs of an input and an output that are the same array.
    scratch : tuple of int
        Outputs that are wanted for the sums alone; where outputs pass the caches, these are not written.
    rolled : Rolled, optional
        The same as ``point`` in pieces, for a loop over two axes without sums that keeps rows of what cells share.
    """

    point: Callable | None
    ndim: int
    inputs: tuple
    outputs: tuple[Format, ...]
    scalars: int = 0
    dots: tuple[tuple[int, int], ...] = ()
    rounding: str = "nearest"
    stream: bool = False
    aliases: tuple[tuple[int, int], ...] = ()
    scratch: tuple[int, ...] = ()
    rolled: Rolled | None = None

    @property
    def field_formats(self) -> tuple[Format, ...]:
        """Formats of all fields, outputs first; vectors are left out."""
        return (*self.outputs, *(given for given in self.inputs if given != VECTOR))

    @property
    def chunk(self) -> int:
        """Elements of a row that are worked on together, a multiple of a line."""
        if self.rolled is not None:
            return strip(self.compute)
        if self.dots or not self.stream:
            return CHUNK
        return STREAM_CHUNK_BYTES // max(format.itemsize for format in self.outputs)

    @property
    def compute(self) -> str:
        """Name of the compute type of scalars and vectors: FP64 if any field is FP64, else FP32."""
        wide = any(format.name == "fp64" for format in self.field_formats)
        return "float64" if wide else "float32"


def point_source(point: Callable, name: str = "point") -> str:
    """Return the text of a point function, renamed and without its first parameter.

    The loader becomes a global name: as an argument it would be a constant address, which must not reach a cache.
    """
    text = textwrap.dedent(inspect.getsource(point))
    text = text[text.index("def ") :]
    head, loader, rest = re.split(r"\(\s*(\w+)\s*,\s*", text, maxsplit=1)
    alias = "" if loader == "load" else f"{loader} = load\n\n"
    return f"{alias}{INLINED}\n{head.replace(point.__name__, name)}({rest}"


def _array_type(format: Format | str, ndim: int, compute: str) -> str:
    if format == VECTOR:
        return f"types.{compute}[::1]"
    assert isinstance(format, Format)
    return f"types.{format.storage.name}[{', '.join([':'] * (ndim - 1) + ['::1'])}]"


def _signature(spec: KernelSpec) -> str:
    """Numba signature: outputs, inputs, scalars, box, first global index, key of the noise, sums."""
    parts = [_array_type(format, spec.ndim, spec.compute) for format in (*spec.outputs, *spec.inputs)]
    parts += [f"types.{spec.compute}"] * spec.scalars
    parts += ["types.intp"] * (3 * spec.ndim) + ["types.uint32", "types.int64[:, :, ::1]"]
    return f"types.void({', '.join(parts)})"


def _names(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


def _tuple(parts) -> str:
    return f"({', '.join(parts)},)" if parts else "()"


def _header(spec: KernelSpec) -> list[str]:
    lines = [
        "from numba import njit, types",
        "import numpy as np",
        "from mpsolve.precision import get_format",
        "from mpsolve.kernels import codecs, memory, noise, sums",
        "",
        f"decode = codecs.decoder({_tuple([f'get_format({f.name!r})' for f in spec.field_formats])})",
    ]
    encoder = "stochastic_encoder" if spec.rounding == "stochastic" else "encoder"
    lines += [f"encode{n} = codecs.{encoder}(get_format({f.name!r}))" for n, f in enumerate(spec.outputs)]
    lines += ["element, set_element = memory.element, memory.set_element", ""]
    lines += [INLINED, "def load(array, *index):", "    return decode(element(array, index))", ""]
    if spec.rolled is not None:
        lines += [text for name, piece in spec.rolled.pieces.items() for text in (point_source(piece, name), "")]
    elif spec.point is not None:
        lines += [point_source(spec.point), ""]
    return lines


def _loops(spec: KernelSpec) -> tuple[list[str], str]:
    """Open the loops over the rows and the chunks of a row; return the lines and the indent inside."""
    lines, indent = [], "    "
    for axis in range(spec.ndim - 1):
        lines.append(f"{indent}for {_INDEX[axis]} in range(lo{axis}, hi{axis}):")
        indent += "    "
    last = spec.ndim - 1
    lines.append(f"{indent}for first in range(lo{last} // {spec.chunk} * {spec.chunk}, hi{last}, {spec.chunk}):")
    indent += "    "
    lines.append(f"{indent}start, stop = max(first, lo{last}), min(first + {spec.chunk}, hi{last})")
    return lines + (_fetches(spec, indent) if spec.stream else []), indent


def _fetches(spec: KernelSpec, indent: str) -> list[str]:
    """Request the next chunk of each field, in the foremost row that the point loads: the others are in a cache."""
    if spec.point is None:
        return []
    lines, chunk, index = [], spec.chunk, _INDEX[1 : spec.ndim - 1]
    for number, reach in enumerate(leading_reach(spec.point, len(spec.inputs))):
        format = spec.inputs[number]
        if isinstance(format, Format):
            foremost = ([f"i + {reach}"] if spec.ndim > 1 else []) + [*index, f"first + {chunk}"]
            count = max(chunk * format.itemsize // LINE, 1)
            lines.append(f"{indent}memory.fetch_lines(a{number}, ({', '.join(foremost)},), {count})")
    return lines


def _encoded(spec: KernelSpec, number: int, value: str) -> str:
    if spec.rounding != "stochastic":
        return f"encode{number}({value})"
    index = ", ".join(f"{_INDEX[axis]} + at{axis}" for axis in range(spec.ndim))
    return f"encode{number}({value}, noise.random_bits(key, {number}, ({index},)))"


def _stores(spec: KernelSpec, indent: str) -> list[str]:
    """The innermost loop: compute each point and store it, in place or into the row buffers."""
    index = ", ".join(_INDEX[: spec.ndim])
    last = _INDEX[spec.ndim - 1]
    arrays, scalars = _tuple(_names("a", len(spec.inputs))), _tuple(_names("c", spec.scalars))
    lines = [f"{indent}for {last} in range(start, stop):"]
    lines.append(f"{indent}    value = point({arrays}, {scalars}, {index})")
    return lines + _set_lines(spec, indent + "    ")


def _set_lines(spec: KernelSpec, indent: str) -> list[str]:
    """Store ``value``, in place or into the row buffers."""
    index, last = ", ".join(_INDEX[: spec.ndim]), _INDEX[spec.ndim - 1]
    lines = []
    for number in range(len(spec.outputs)):
        value = "value" if len(spec.outputs) == 1 else f"value[{number}]"
        target = f"buffer{number}, ({last} - first,)" if spec.stream else f"o{number}, ({index},)"
        lines.append(f"{indent}set_element({target}, {_encoded(spec, number, value)})")
    return lines


def _stream_lines(spec: KernelSpec, indent: str) -> list[str]:
    """Send the buffers on their way past the caches, after the sums have read them."""
    lines = []
    for number, output in enumerate(spec.outputs):
        if number in spec.scratch:
            continue
        # Rows of different formats are padded to different lengths.
        row = "0"
        for axis in range(spec.ndim - 1):
            row = f"({row} + {_INDEX[axis]}) * o{number}[1][{axis + 1}]"
        flat = f"({row} + start), ({row} + stop), buffer{number}, ({row} + first)"
        lines.append(f"{indent}memory.stream_row(flat{number}, {flat}, {LINE // output.itemsize})")
    return lines


def _sum_lines(spec: KernelSpec, indent: str) -> list[str]:
    """Sum the products of each pair over the chunk: first the largest magnitude, then the three bins."""
    index, last = ", ".join(_INDEX[: spec.ndim]), _INDEX[spec.ndim - 1]
    # What is streamed is read from its buffer: the field's own memory would have to be fetched again.
    kept = f"buffer{{}}, {last} - first" if spec.stream else f"o{{}}, {index}"
    names = [kept.format(number) for number in range(len(spec.outputs))]
    names += [f"a{n}, {index}" for n, f in enumerate(spec.inputs) if f != VECTOR]
    lines = []
    for number, (left, right) in enumerate(spec.dots):
        product = f"np.float64(load({names[left]})) * np.float64(load({names[right]}))"
        lines += [
            f"{indent}largest = 0",
            f"{indent}for {last} in range(start, stop):",
            f"{indent}    largest = max(largest, sums.bits_of({product}) & 0x7FFFFFFFFFFFFFFF)",
            f"{indent}top = sums.top_bin_of_bits(table[{number}], largest)",
            f"{indent}if top >= 0:",
            f"{indent}    unit = sums.inverse_unit(top)",
            f"{indent}    high = middle = low = 0",
            f"{indent}    for {last} in range(start, stop):",
            f"{indent}        rest = ({product}) * unit",
            f"{indent}        shifted = rest + sums.MAGIC",
            f"{indent}        high += sums.bits_of(shifted) - sums.MAGIC_BITS",
            f"{indent}        rest = (rest - (shifted - sums.MAGIC)) * sums.SCALE",
            f"{indent}        shifted = rest + sums.MAGIC",
            f"{indent}        middle += sums.bits_of(shifted) - sums.MAGIC_BITS",
            f"{indent}        rest = (rest - (shifted - sums.MAGIC)) * sums.SCALE",
            f"{indent}        low += sums.bits_of(rest + sums.MAGIC) - sums.MAGIC_BITS",
            f"{indent}    sums.fill_bins(table[{number}], top, high, middle, low)",
        ]
    return lines


def _plain(spec: KernelSpec) -> list[str]:
    """All loops of a point function, or of sums alone."""
    opened, indent = _loops(spec)
    lines = [*opened, *(_stores(spec, indent) if spec.outputs else ()), *_sum_lines(spec, indent)]
    return lines + (_stream_lines(spec, indent) if spec.stream else [])


def _rolled(spec: KernelSpec, rolled: Rolled) -> list[str]:
    """All loops of a point function in pieces."""
    after = _stream_lines(spec, "") if spec.stream else []
    counts = len(spec.inputs), spec.scalars
    return rolled_loops(rolled, counts, spec.compute, _set_lines(spec, ""), after)


def kernel_source(spec: KernelSpec) -> str:
    """Return the whole module: codecs, ``point``, and ``kernel`` compiled for one signature."""
    axes = range(spec.ndim)
    arrays = [*_names("o", len(spec.outputs)), *_names("a", len(spec.inputs))]
    arguments = [f"array_{name}" for name in arrays] + _names("c", spec.scalars)
    arguments += [f"lo{n}" for n in axes] + [f"hi{n}" for n in axes] + [f"at{n}" for n in axes] + ["key", "table"]
    lines = [*_header(spec), f"@njit({_signature(spec)}, nogil=True, cache=True)"]
    lines += [f"def kernel({', '.join(arguments)}):", "    memory.wide_vectors()"]
    # One name for one array: LLVM vectorises a loop in place only if it sees that the two are the same.
    shared = {f"a{number}": f"o{output}" for number, output in spec.aliases}
    lines += [f"    {name} = {shared.get(name, f'memory.bare(array_{name})')}" for name in arrays]
    buffers = list(enumerate(spec.outputs)) if spec.stream else []
    for number, format in buffers:
        lines.append(f"    raw{number} = np.empty({spec.chunk} + {LINE}, np.{format.storage.name})")
        lines.append(f"    buffer{number} = memory.bare(raw{number}[memory.misfit(raw{number}):])")
        lines.append(f"    flat{number} = memory.bare(array_o{number}.reshape(array_o{number}.size))")
    lines += _rolled(spec, spec.rolled) if spec.rolled is not None else _plain(spec)
    lines += [f"    memory.keep(raw{number})" for number, _ in buffers]
    return "\n".join(lines) + "\n"
