"""Write the source of a loop that adds the multilinear interpolation of a coarse grid function to a fine one."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from mpsolve.formats.base import Format
from mpsolve.kernels.source import VECTOR, _array_type

#: Fine cells of a row that are worked on together: the buffers stay in the first-level cache.
CHUNK = 512

_FINE = ("i", "j", "k")


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
        Storage of the weights of each axis; ``"vector"`` also where the axis is kept.
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
    def corners(self) -> list[tuple[int, ...]]:
        """The rows of coarse cells that a fine row is made of: 0 the parent's, 1 the one beside it, per outer axis."""
        return list(itertools.product(*((0, 1) if halved else (0,) for halved in self.halved[:-1])))


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


def _weight(spec: ProlongationSpec, axis: int) -> str:
    """Return the weight of the cell beside the parent, at the current fine cell."""
    if spec.weights[axis] == VECTOR:
        return f"w{axis}[first + column]" if axis == len(spec.halved) - 1 else f"v{axis}"
    return f"load(w{axis}, {', '.join([*_FINE[: len(spec.halved) - 1], 'first + column'])})"


def _blend(spec: ProlongationSpec) -> list[str]:
    """Interpolate from the buffers: the last axis between parent and neighbour first, then the outer axes."""
    last = len(spec.halved) - 1
    lines = []
    for corner in spec.corners:
        name = "".join(map(str, corner))
        if spec.halved[last]:
            lines.append(f"p = element(parent{name}, (column,))")
            lines.append(f"x{name} = p + {_weight(spec, last)} * (element(beside{name}, (column,)) - p)")
        else:
            lines.append(f"x{name} = element(parent{name}, (column,))")
    for axis in reversed([axis for axis in range(last) if spec.halved[axis]]):
        for corner in [c for c in spec.corners if c[axis] == 0 and all(c[after] == 0 for after in range(axis, last))]:
            low = "".join(map(str, corner))
            high = "".join(map(str, (*corner[:axis], 1, *corner[axis + 1 :])))
            lines.append(f"x{low} = x{low} + {_weight(spec, axis)} * (x{high} - x{low})")
    return lines


def prolongation_source(spec: ProlongationSpec) -> str:
    """Return the whole module; ``kernel(fine, coarse, *weights, *lo, *hi, *start)`` in storage indices."""
    ndim = len(spec.halved)
    fields = ["o0", "a0", *(f"w{axis}" for axis in range(ndim) if spec.weights[axis] != VECTOR)]
    arguments = ["array_o0", "array_a0"]
    arguments += [f"w{axis}" if spec.weights[axis] == VECTOR else f"array_w{axis}" for axis in range(ndim)]
    arguments += [f"{name}{axis}" for name in ("lo", "hi", "at") for axis in range(ndim)]
    lines = [*_header(spec), f"def kernel({', '.join(arguments)}):", "    memory.wide_vectors()"]
    lines += [f"    {name} = memory.bare(array_{name})" for name in fields]
    for corner, kind in itertools.product(spec.corners, ("parent", "beside")):
        name = kind + "".join(map(str, corner))
        lines.append(f"    raw_{name} = np.empty({CHUNK} + 2, np.{spec.compute})")
        lines.append(f"    {name} = memory.bare(raw_{name})")
    indent = "    "
    for axis in range(ndim - 1):
        here = _FINE[axis]
        lines.append(f"{indent}for {here} in range(lo{axis}, hi{axis}):")
        indent += "    "
        if spec.halved[axis]:
            lines.append(f"{indent}p{axis} = ({here} - at{axis}) >> 1")
            lines.append(f"{indent}b{axis} = p{axis} + 2 * (({here} - at{axis}) & 1) - 1")
            if spec.weights[axis] == VECTOR:
                lines.append(f"{indent}v{axis} = w{axis}[{here}]")
        else:
            lines.append(f"{indent}p{axis} = {here} - at{axis}")
    lines += _row(spec, indent)
    lines += [
        f"    memory.keep(raw_{kind}{''.join(map(str, corner))})"
        for corner, kind in itertools.product(spec.corners, ("parent", "beside"))
    ]
    return "\n".join(lines) + "\n"


def _row(spec: ProlongationSpec, indent: str) -> list[str]:
    """The loops along a row: coarse cells spread into buffers of fine columns, then the interpolation."""
    last = len(spec.halved) - 1
    inner = indent + "    "
    start = f"lo{last} - ((lo{last} - at{last}) & 1)" if spec.halved[last] else f"lo{last}"
    lines = [f"{indent}for first in range({start}, hi{last}, {CHUNK}):"]
    lines.append(f"{inner}stop = min(first + {CHUNK}, hi{last})")
    for corner in spec.corners:
        lines += [inner + line for line in _spread(spec, corner)]
    lines.append(f"{inner}for column in range(max(lo{last} - first, 0), stop - first):")
    lines += [f"{inner}    {line}" for line in _blend(spec)]
    index = ", ".join([*_FINE[:last], "first + column"])
    value = "x" + "0" * last
    lines.append(f"{inner}    set_element(o0, ({index},), encode0(load(o0, {index}) + {value}))")
    return lines


def _spread(spec: ProlongationSpec, corner: tuple[int, ...]) -> list[str]:
    """Copy a coarse row into buffers of fine columns: the parent of each, and the coarse cell beside it."""
    last = len(spec.halved) - 1
    name = "".join(map(str, corner))
    row = "".join(f"{'pb'[side]}{axis}, " for axis, side in enumerate(corner))
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
