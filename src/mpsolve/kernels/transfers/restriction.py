"""Write the source of a loop that evaluates a point function on fine cells and sums it over those of a coarse cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache

from mpsolve.formats.base import Format
from mpsolve.kernels.source import VECTOR, KernelSpec, _array_type, _header, _names, _tuple

#: Coarse cells of a row that are worked on together; their fine cells stay in the first-level cache.
CHUNK = 512

_FINE, _COARSE = ("i", "j", "k"), ("p", "q", "r")


@dataclass(frozen=True)
class RestrictionSpec:
    """What a restriction is compiled from.

    Attributes
    ----------
    point : callable
        Evaluated on the fine cells.
    halved : tuple of bool
        As in `Overlay`.
    inputs : tuple of Format or "vector"
        Storage of the arguments of `point`.
    output : Format
        Storage of the coarse field.
    scalars : int
        Number of scalars of `point`.
    """

    point: Callable
    halved: tuple[bool, ...]
    inputs: tuple
    output: Format
    scalars: int = field(default=0)

    @property
    def loop(self) -> KernelSpec:
        """The specification of the point function as a plain loop, whose header and types are the same."""
        return KernelSpec(self.point, len(self.halved), self.inputs, (self.output,), self.scalars)


def _signature(spec: RestrictionSpec) -> str:
    loop, ndim = spec.loop, len(spec.halved)
    parts = [_array_type(format, ndim, loop.compute) for format in (spec.output, *spec.inputs)]
    parts += [f"types.{loop.compute}[::1]"] * ndim + [f"types.{loop.compute}"] * spec.scalars
    return f"types.void({', '.join(parts + ['types.intp'] * (3 * ndim))})"


def _fine_header(loop: KernelSpec) -> list[str]:
    """Return the header of a loop whose decoder knows the inputs alone: the output may be another 16-bit format."""
    names = [f"get_format({given.name!r})" for given in loop.inputs if given != VECTOR]
    decoder = f"decode = codecs.decoder({_tuple(names)})"
    return [decoder if line.startswith("decode = ") else line for line in _header(loop)]


def _child_sum(spec: RestrictionSpec, last: str) -> str:
    """Return the weighted sum of the point over the children of the outer axes, at one fine column."""
    arrays, scalars = _tuple(_names("a", len(spec.inputs))), _tuple(_names("c", spec.scalars))

    def nested(axis: int, index: Sequence[str]) -> str:
        if axis == len(spec.halved) - 1:
            return f"point({arrays}, {scalars}, {', '.join([*index, last])})"
        here = _FINE[axis]
        if not spec.halved[axis]:
            return nested(axis + 1, [*index, here])
        low, high = nested(axis + 1, [*index, here]), nested(axis + 1, [*index, f"{here} + 1"])
        return f"(v{axis}0 * {low} + v{axis}1 * {high})"

    return nested(0, [])


def restriction_source(spec: RestrictionSpec) -> str:
    """Return the whole module; ``kernel(coarse, *inputs, *weights, *scalars, *lo, *hi, *start)`` in storage indices."""
    ndim, loop = len(spec.halved), spec.loop
    axes = range(ndim)
    arrays = ["o0", *_names("a", len(spec.inputs))]
    arguments = [f"array_{name}" for name in arrays] + _names("w", ndim) + _names("c", spec.scalars)
    arguments += [f"{name}{axis}" for name in ("lo", "hi", "at") for axis in axes]
    lines = [*_fine_header(loop), f"@njit({_signature(spec)}, nogil=True, cache=True)"]
    lines += [f"def kernel({', '.join(arguments)}):", "    memory.wide_vectors()"]
    lines += [f"    {name} = memory.bare(array_{name})" for name in arrays]
    lines.append(f"    raw = np.empty({2 * CHUNK}, np.{loop.compute})")
    lines.append("    sums_of_rows = memory.bare(raw)")
    # Indices of NumPy arrays may be negative, which keeps the compiler from loading neighbours at once.
    lines.append(f"    along = memory.bare(w{ndim - 1})")
    indent = "    "
    for axis in range(ndim - 1):
        lines.append(f"{indent}for {_COARSE[axis]} in range(lo{axis}, hi{axis}):")
        indent += "    "
        factor = "2 * " if spec.halved[axis] else ""
        lines.append(f"{indent}{_FINE[axis]} = {factor}{_COARSE[axis]} + at{axis}")
        if spec.halved[axis]:
            lines.append(f"{indent}v{axis}0, v{axis}1 = w{axis}[{_FINE[axis]}], w{axis}[{_FINE[axis]} + 1]")
    return "\n".join([*lines, *_columns(spec, indent), "    memory.keep(raw)"]) + "\n"


def _columns(spec: RestrictionSpec, indent: str) -> list[str]:
    """The loops along a row: fine columns into a buffer, then pairs of them into the coarse row."""
    last, outer = len(spec.halved) - 1, ", ".join(_COARSE[: len(spec.halved) - 1])
    coarse = _COARSE[last]
    inner = indent + "    "
    lines = [
        f"{indent}for first in range(lo{last}, hi{last}, {CHUNK}):",
        f"{inner}stop = min(first + {CHUNK}, hi{last})",
    ]
    if not spec.halved[last]:
        lines.append(f"{inner}for {coarse} in range(first, stop):")
        value = _child_sum(spec, f"{coarse} + at{last}")
        return [*lines, f"{inner}    set_element(o0, ({outer}, {coarse},), encode0({value}))"]
    lines.append(f"{inner}base = 2 * first + at{last}")
    lines.append(f"{inner}for column in range(2 * (stop - first)):")
    lines.append(f"{inner}    set_element(sums_of_rows, (column,), {_child_sum(spec, 'base + column')})")
    lines.append(f"{inner}for column in range(stop - first):")
    pair = [
        f"element(along, (base + 2 * column{more},)) * element(sums_of_rows, (2 * column{more},))"
        for more in ("", " + 1")
    ]
    lines.append(f"{inner}    set_element(o0, ({outer}, first + column,), encode0({' + '.join(pair)}))")
    return lines


@cache
def restriction_kernel(spec: RestrictionSpec) -> Callable:
    """Return the compiled kernel of a specification; each is made once per process."""
    from mpsolve.kernels.compile import load_kernel

    return load_kernel(restriction_source(spec))
