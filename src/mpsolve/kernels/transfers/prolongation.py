"""Write the source of a loop that adds the interpolation of a coarse grid function to a fine one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from mpsolve.formats.base import Format
from mpsolve.kernels.source import VECTOR, _array_type
from mpsolve.kernels.transfers.layout import corners

#: Fine cells of a row that are worked on together: the buffers stay in the first-level cache.
CHUNK = 512

_FINE = ("i", "j", "k")
#: The name of a coarse column within a chunk.
_COARSE = "m"


@dataclass(frozen=True)
class ProlongationSpec:
    """What a prolongation is compiled from.

    Attributes
    ----------
    halved : tuple of bool
        As in `Overlay`.
    fine, coarse : Format
        Storage of the fine and of the coarse field.
    weights : tuple of Format or "vector"
        ``"vector"`` for each axis, also where it is kept; or the storage of the weights of each coarse cell around.
    """

    halved: tuple[bool, ...]
    fine: Format
    coarse: Format
    weights: tuple

    @property
    def compute(self) -> str:
        """Name of the type of the arithmetic."""
        return "float64" if "fp64" in (self.fine.name, self.coarse.name) else "float32"

    @property
    def rows_first(self) -> bool:
        """Whether whole coarse rows are blended before they are spread along the last axis, by a weight per axis."""
        return self.weights[0] == VECTOR

    @property
    def buffers(self) -> list[str]:
        """Names of the buffers of a row: the parent of each fine column and the cell beside it, or blended rows."""
        if self.rows_first:
            return ["mixed", "spread"]
        names = ["".join(map(str, corner)) for corner in self.corners]
        return [kind + name for name in names for kind in ("parent", "beside")]

    @property
    def corners(self) -> list[tuple[int, ...]]:
        """The rows of coarse cells that a fine row is made of: 0 the parent's, 1 the one beside it, per outer axis."""
        return corners(self.halved[:-1])


def _header(spec: ProlongationSpec) -> list[str]:
    formats = {spec.fine, *(w for w in spec.weights if w != VECTOR)}
    names = ", ".join(f"get_format({name!r})" for name in sorted(format.name for format in formats))
    ndim = len(spec.halved)
    parts = [_array_type(format, ndim, spec.compute) for format in (spec.fine, spec.coarse, *spec.weights)]
    return [
        "from numba import njit, types",
        "import numpy as np",
        "from mpsolve.precision import get_format",
        "from mpsolve.kernels import codecs, memory",
        "",
        f"decode = codecs.decoder(({names},))",
        # The coarse field may be in another 16-bit format.
        f"decode_coarse = codecs.decoder((get_format({spec.coarse.name!r}),))",
        f"encode0 = codecs.encoder(get_format({spec.fine.name!r}))",
        "element, set_element = memory.element, memory.set_element",
        "",
        "@njit(nogil=True)",
        "def load(array, *index):",
        "    return decode(element(array, index))",
        "",
        "@njit(nogil=True)",
        "def load_coarse(array, *index):",
        "    return decode_coarse(element(array, index))",
        "",
        f"@njit(types.void({', '.join(parts + ['types.intp'] * (3 * ndim))}), nogil=True, cache=True)",
    ]


def _corner_sum(spec: ProlongationSpec) -> list[str]:
    """Add up the coarse cells around, each with its weight."""
    last = len(spec.halved) - 1
    index = ", ".join([*_FINE[:last], "first + column"])
    kinds = ("parent", "beside") if spec.halved[last] else ("parent",)
    buffers = [f"{kind}{''.join(map(str, corner))}" for corner in spec.corners for kind in kinds]
    total = "x" + "0" * last
    return [
        f"{total} = {f'{total} + ' if number else ''}load(w{number}, {index}) * element({name}, (column,))"
        for number, name in enumerate(buffers)
    ]


def prolongation_source(spec: ProlongationSpec) -> str:
    """Return the whole module; ``kernel(fine, coarse, *weights, *lo, *hi, *start)`` in storage indices."""
    ndim = len(spec.halved)
    fields = ["o0", "a0", *(f"w{number}" for number, given in enumerate(spec.weights) if given != VECTOR)]
    arguments = ["array_o0", "array_a0"]
    arguments += [f"w{n}" if given == VECTOR else f"array_w{n}" for n, given in enumerate(spec.weights)]
    arguments += [f"{name}{axis}" for name in ("lo", "hi", "at") for axis in range(ndim)]
    lines = [*_header(spec), f"def kernel({', '.join(arguments)}):", "    memory.wide_vectors()"]
    lines += [f"    {name} = memory.bare(array_{name})" for name in fields]
    if spec.rows_first:
        # Indices of NumPy arrays may be negative, which keeps the compiler from loading neighbours at once.
        lines.append(f"    along = memory.bare(w{ndim - 1})")
    for name in spec.buffers:
        lines.append(f"    raw_{name} = np.empty({CHUNK} + 2, np.{spec.compute})")
        lines.append(f"    {name} = memory.bare(raw_{name})")
    indent = "    "
    for axis in range(ndim - 1):
        lines.append(f"{indent}for {_FINE[axis]} in range(lo{axis}, hi{axis}):")
        indent += "    "
        lines += [indent + line for line in parents(spec, axis)]
    lines += _row(spec, indent)
    lines += [f"    memory.keep(raw_{name})" for name in spec.buffers]
    return "\n".join(lines) + "\n"


def parents(spec: ProlongationSpec, axis: int) -> list[str]:
    """Name the coarse index of the parent of a fine cell along an outer axis, the one beside it, and its weight."""
    here = _FINE[axis]
    if not spec.halved[axis]:
        return [f"p{axis} = {here} - at{axis}"]
    lines = [f"p{axis} = ({here} - at{axis}) >> 1", f"b{axis} = p{axis} + 2 * (({here} - at{axis}) & 1) - 1"]
    return [*lines, f"v{axis} = w{axis}[{here}]"] if spec.rows_first else lines


def _row(spec: ProlongationSpec, indent: str) -> list[str]:
    """The loops along a row: coarse cells spread into buffers of fine columns, then the interpolation."""
    last = len(spec.halved) - 1
    inner = indent + "    "
    start = f"lo{last} - ((lo{last} - at{last}) & 1)" if spec.halved[last] else f"lo{last}"
    lines = [f"{indent}for first in range({start}, hi{last}, {CHUNK}):"]
    lines.append(f"{inner}stop = min(first + {CHUNK}, hi{last})")
    spread = blended(spec) if spec.rows_first else [line for corner in spec.corners for line in _spread(spec, corner)]
    lines += [inner + line for line in spread]
    lines.append(f"{inner}for column in range(max(lo{last} - first, 0), stop - first):")
    lines += [] if spec.rows_first else [f"{inner}    {line}" for line in _corner_sum(spec)]
    index = ", ".join([*_FINE[:last], "first + column"])
    value = "element(spread, (column,))" if spec.rows_first else "x" + "0" * last
    lines.append(f"{inner}    set_element(o0, ({index},), encode0(load(o0, {index}) + {value}))")
    return lines


def blended(spec: ProlongationSpec) -> list[str]:
    """Blend coarse rows along the outer axes into one, and interpolate it at the fine columns of a buffer."""
    last = len(spec.halved) - 1
    place = f"base - 1 + {_COARSE}" if spec.halved[last] else f"first + {_COARSE} - at{last}"
    body = [f"y{''.join(map(str, corner))} = load_coarse(a0, {_rows(corner)}{place})" for corner in spec.corners]
    done: list[int] = []
    for axis in (axis for axis in reversed(range(last)) if spec.halved[axis]):
        done.append(axis)
        for corner in [corner for corner in spec.corners if all(corner[other] == 0 for other in done)]:
            low = "".join(map(str, corner))
            high = "".join(map(str, (*corner[:axis], 1, *corner[axis + 1 :])))
            body.append(f"y{low} = y{low} + v{axis} * (y{high} - y{low})")
    result = "y" + "0" * last
    if not spec.halved[last]:
        body.append(f"set_element(spread, ({_COARSE},), {result})")
        return [f"for {_COARSE} in range(stop - first):", *(f"    {line}" for line in body)]
    body.append(f"set_element(mixed, ({_COARSE},), {result})")
    return [
        f"base = (first - at{last}) >> 1",
        "pairs = (stop - first + 1) >> 1",
        f"for {_COARSE} in range(pairs + 2):",
        *(f"    {line}" for line in body),
        "for pair in range(pairs):",
        "    here = element(mixed, (pair + 1,))",
        "    low, high = element(mixed, (pair,)) - here, element(mixed, (pair + 2,)) - here",
        "    set_element(spread, (2 * pair,), here + element(along, (first + 2 * pair,)) * low)",
        "    set_element(spread, (2 * pair + 1,), here + element(along, (first + 2 * pair + 1,)) * high)",
    ]


def _rows(corner: tuple[int, ...]) -> str:
    """Return the indices of a coarse row, parent or beside it along each outer axis."""
    return "".join(f"{'pb'[side]}{axis}, " for axis, side in enumerate(corner))


def _spread(spec: ProlongationSpec, corner: tuple[int, ...]) -> list[str]:
    """Copy a coarse row into buffers of fine columns: the parent of each, and the coarse cell beside it."""
    last = len(spec.halved) - 1
    name = "".join(map(str, corner))
    row = _rows(corner)
    if not spec.halved[last]:
        return [
            "for column in range(stop - first):",
            f"    set_element(parent{name}, (column,), load_coarse(a0, {row}first + column - at{last}))",
        ]
    return [
        f"base = (first - at{last}) >> 1",
        "for pair in range((stop - first + 1) >> 1):",
        f"    here = load_coarse(a0, {row}base + pair)",
        f"    set_element(parent{name}, (2 * pair,), here)",
        f"    set_element(parent{name}, (2 * pair + 1,), here)",
        f"    set_element(beside{name}, (2 * pair,), load_coarse(a0, {row}base + pair - 1))",
        f"    set_element(beside{name}, (2 * pair + 1,), load_coarse(a0, {row}base + pair + 1))",
    ]


@cache
def prolongation_kernel(spec: ProlongationSpec) -> Callable:
    """Return the compiled kernel of a specification; each is made once per process."""
    from mpsolve.kernels.compile import load_kernel

    return load_kernel(prolongation_source(spec))
