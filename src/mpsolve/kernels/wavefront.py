"""Write the source of a loop that does several steps of a point function in one pass over memory.

A grid is cut into tiles. In a tile the steps follow each other, each one slice (a row, or a plane of three axes)
behind the step before it. What a step has made is kept in a ring of four slices in the compute type: only the result of
the last step is rounded to the storage format. Tiles overlap by the reach of the steps and compute what they share
twice, from the same numbers. Before the first step the interpolation of a coarse grid function may be added.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from mpsolve.errors import FormatError, ShapeError
from mpsolve.field import Field, aligned_zeros
from mpsolve.formats.base import Format
from mpsolve.kernels.source import INLINED, LINE, VECTOR, _array_type, point_source
from mpsolve.kernels.transfers.layout import Correction
from mpsolve.kernels.transfers.prolongation import ProlongationSpec, blended, parents

#: Slices of a ring: one is written, three are read.
SLICES = 4
#: Bytes of all rings together: they stay in the second-level cache.
RING_BYTES = 1 << 20
#: Rows of a tile of three axes, at least.
ROWS = 4
#: Columns from which it pays to treat the ends of a row by themselves.
LONG = 512
#: Rows between start so many columns before the first one that is needed, on a line in every type, and have a multiple
#: of so many columns: no cell is left over for loops that are not vectorised. What is computed along is not used.
MARGIN = 16

_INDEX = ("i", "j", "k")
_SIZES = ("same_from", "same_to", "width", "pitch")


@dataclass(frozen=True)
class StepsSpec:
    """What a pass of several steps is compiled from.

    Attributes
    ----------
    point : callable
        ``point(load, (u, *inputs), (constant, length), *index)``: ``length`` differs from step to step.
    ndim : int
        2 or 3.
    format : Format
        Storage of the vectors.
    inputs : tuple of Format or "vector"
        Storage of the arguments of `point` after u.
    guess : bool
        Whether there is a field to start from; else from zero.
    correction : ProlongationSpec or None
        How a coarse grid function is added first, by a weight per axis.
    along : tuple of int
        Numbers of those inputs that are vectors along the last axis. Between two columns they are constant.
    stream : bool
        Write the result past the caches.
    """

    point: Callable
    ndim: int
    format: Format
    inputs: tuple
    along: tuple[int, ...]
    guess: bool
    correction: ProlongationSpec | None
    stream: bool

    @property
    def compute(self) -> str:
        """Name of the type of the arithmetic and of the rings."""
        return self.format.compute.name

    @property
    def arrays(self) -> list[str]:
        """Names of the arguments that are loaded by an index."""
        fields = ["o0", *(["u0"] if self.guess else [])]
        fields += [f"f{number}" for number in range(len(self.inputs))]
        return fields + (["a0"] if self.correction else [])


def tile(ndim: int, steps: int, itemsize: int, columns: int) -> tuple[int, int]:
    """Return the length of a tile along the axis that is cut, and the pitch of the rows of a ring.

    Parameters
    ----------
    ndim : int
        Number of axes.
    steps : int
        Of a pass.
    itemsize : int
        Bytes of a compute number.
    columns : int
        Of this rank's block.
    """
    slices = RING_BYTES // (SLICES * steps * itemsize)
    if ndim == 2:
        width = min((slices - 3 * MARGIN - steps) // LINE * LINE, columns)
        return width, _pitch(width, steps)
    pitch = _pitch(columns, steps)
    return max(ROWS, slices // pitch - 2 * steps), pitch


def _pitch(columns: int, steps: int) -> int:
    return -(-(2 * MARGIN + columns + steps) // MARGIN) * MARGIN


def _header(spec: StepsSpec) -> list[str]:
    formats = {spec.format, *(given for given in spec.inputs if given != VECTOR)}
    names = ", ".join(f"get_format({name!r})" for name in sorted(format.name for format in formats))
    coarse = spec.correction.coarse if spec.correction else spec.format
    parts = [_array_type(spec.format, spec.ndim, spec.compute)] * (2 if spec.guess else 1)
    parts += [_array_type(given, spec.ndim, spec.compute) for given in spec.inputs]
    if spec.correction:
        parts += [_array_type(coarse, spec.ndim, spec.compute)] + [f"types.{spec.compute}[::1]"] * spec.ndim
        parts += ["types.intp"] * (3 * spec.ndim)
    parts += [f"types.{spec.compute}", f"types.{spec.compute}[::1]"]
    parts += ["types.intp"] * (2 * spec.ndim + len(_SIZES))
    return [
        "from numba import njit, types",
        "import numpy as np",
        "from mpsolve.precision import get_format",
        "from mpsolve.kernels import codecs, memory",
        "",
        f"decode = codecs.decoder(({names},))",
        f"decode_coarse = codecs.decoder((get_format({coarse.name!r}),))",
        f"encode0 = codecs.encoder(get_format({spec.format.name!r}))",
        "element, set_element = memory.element, memory.set_element",
        "",
        *(INLINED, "def load(array, *index):", "    return decode(element(array, index))", ""),
        *(INLINED, "def load_coarse(array, *index):", "    return decode_coarse(element(array, index))", ""),
        point_source(spec.point),
        "",
        *_row_functions(spec),
        f"@njit(types.void({', '.join(parts)}), nogil=True, cache=True)",
    ]


def _row_functions(spec: StepsSpec) -> list[str]:
    """A row of a step between, and of the last one; LLVM does not vectorise these loops deep inside others.

    Where vectors along the row are constant they are not loaded, which halves what the loop reads from its cache.
    """
    names = [f"f{number}" for number in range(len(spec.inputs))]
    unloaded = [f"g{number}" if number in spec.along else name for number, name in enumerate(names)]
    *outer, last = _INDEX[: spec.ndim]
    index, lines = ", ".join([*outer, last]), []
    for name in ("row_between", "row_last"):
        place = f"({last} - first,)" if spec.stream and name == "row_last" else f"({index},)"
        lines += [
            "@njit(nogil=True)",
            f"def {name}(after, before, {', '.join(names)}, constant, tau, first, {', '.join(outer)}, "
            "start, stop, low, high):",
            "    memory.wide_vectors()",
            *(f"    g{number} = (element(f{number}, (low,)),)" for number in spec.along),
            f"    low = min(max(start, (low + {MARGIN - 1}) // {MARGIN} * {MARGIN}), stop)",
            f"    high = max(min(high // {MARGIN} * {MARGIN}, stop), low)",
        ]
        for arrays, begin, end in ((names, "start", "low"), (unloaded, "low", "high"), (names, "high", "stop")):
            value = f"point((before, {', '.join(arrays)},), (constant, tau,), {index})"
            result = value if name == "row_between" else f"encode0({value})"
            lines.append(f"    for {last} in range({begin}, {end}):")
            lines.append(f"        set_element(after, {place}, {result})")
        lines.append("")
    return lines


def _arguments(spec: StepsSpec) -> list[str]:
    names = ["array_o0", *(["array_u0"] if spec.guess else [])]
    names += [f"array_f{number}" for number in range(len(spec.inputs))]
    if spec.correction:
        names += ["array_a0", *(f"{kind}{axis}" for kind in ("w", "at", "low", "high") for axis in range(spec.ndim))]
    names += ["constant", "lengths"]
    return names + [f"{end}{axis}" for end in ("lo", "hi") for axis in range(spec.ndim)] + [*_SIZES]


def steps_source(spec: StepsSpec) -> str:
    """Return the whole module.

    ``kernel(target, [source], *inputs, [coarse, *weights, *start, *inside], constant, lengths, *lo, *hi, same_from,
    same_to, width, pitch)`` in storage indices. There is a length for each step; width and pitch are those of `tile`.
    """
    last = spec.ndim - 1
    lines = [*_header(spec), f"def kernel({', '.join(_arguments(spec))}):", "    memory.wide_vectors()"]
    lines += [f"    {name} = memory.bare(array_{name})" for name in spec.arrays]
    lines.append("    steps = len(lengths)")
    lines.append(f"    plane = {'(width + 2 * steps) * pitch' if spec.ndim == 3 else 'pitch'}")
    lines.append(f"    raw_rings = np.empty(steps * {SLICES} * plane + {2 * MARGIN + LINE}, np.{spec.compute})")
    lines.append(f"    rings = memory.bare(raw_rings[memory.misfit(raw_rings) + {MARGIN}:])")
    kept = ["raw_rings"]
    if spec.correction:
        lines.append(f"    along, nothing = memory.bare(w{last}), np.{spec.compute}(0)")
        for name in ("mixed", "spread"):
            lines += [f"    raw_{name} = np.empty(pitch + 8, np.{spec.compute})"]
            lines += [f"    {name} = memory.bare(raw_{name})"]
            kept.append(f"raw_{name}")
    if spec.stream:
        lines.append(f"    flat = memory.bare(array_o0.reshape(array_o0.size)); row_pitch = array_o0.shape[{last}]")
        lines.append(f"    raw_line = np.empty(pitch + {LINE}, np.{spec.format.storage.name})")
        lines.append("    line = memory.bare(raw_line[memory.misfit(raw_line):])")
        kept.append("raw_line")
    lines += _tiles(spec)
    return "\n".join([*lines, *(f"    memory.keep({name})" for name in kept)]) + "\n"


def _tiles(spec: StepsSpec) -> list[str]:
    """The loops over tiles, slices and steps."""
    flat = spec.ndim == 2
    shape = f"({SLICES}, pitch)" if flat else f"({SLICES}, width + 2 * steps, pitch)"
    start = f"begin - {MARGIN}" if flat else f"(begin - steps) * pitch + lo2 - {MARGIN}"
    lines = [
        "    for begin in range(lo1, hi1, width):",
        "        end = min(begin + width, hi1)",
        f"        back = {start}",
        "        for front in range(lo0 - steps, hi0 + steps):",
        "            i, reach = front, steps",
        f"            after = memory.ring(rings, -back, {shape})",
        *(f"            {line}" for line in _first(spec)),
        "            for step in range(1, steps + 1):",
        "                i, reach, tau = front - step, steps - step, lengths[step - 1]",
        "                if i < lo0 - reach:",
        "                    break",
        f"                before = memory.ring(rings, (step - 1) * {SLICES} * plane - back, {shape})",
        "                if step < steps:",
        f"                    after = memory.ring(rings, step * {SLICES} * plane - back, {shape})",
    ]
    inputs = ", ".join(["before", *(f"f{number}" for number in range(len(spec.inputs)))])
    outer, (low, high) = ("i", ("begin", "end")) if flat else ("i, j", ("lo2", "hi2"))
    indent = " " * (20 if flat else 24)
    for name, target in (("row_between", "after"), ("row_last", "line" if spec.stream else "o0")):
        if name == "row_last":
            lines.append("                else:")
        if not flat:
            lines.append("                    for j in range(begin - reach, end + reach):")
        first, stop = low, high
        if name == "row_between":
            first = f"{low} - {MARGIN}"
            stop = f"{low} + ({high} - {low} + reach + {MARGIN - 1}) // {MARGIN} * {MARGIN}"
        row = f"{inputs}, constant, tau, {low}, {outer}, {first}, {stop}, same_from, same_to"
        lines.append(f"{indent}{name}({target}, {row})")
    if spec.stream:
        row = "i * row_pitch" if flat else "(i * array_o0.shape[1] + j) * row_pitch"
        per_line = LINE // spec.format.itemsize
        lines.append(f"{indent}memory.stream_row(flat, {row} + {low}, {row} + {high}, line, {row} + {low}, {per_line})")
    return lines


def _first(spec: StepsSpec) -> list[str]:
    """What the steps start from: the given field, the interpolation, or their sum, as far as the steps reach."""
    index, last = ", ".join(_INDEX[: spec.ndim]), _INDEX[spec.ndim - 1]
    flat, lines, indent = spec.ndim == 2, [], ""
    if not flat:
        lines.append("for j in range(begin - reach, end + reach):")
        indent = "    "
    low, high = (f"begin - {MARGIN}", "end + reach") if flat else (f"lo2 - {MARGIN}", "hi2 + reach")
    value = f"load(u0, {index})" if spec.guess else ""
    if spec.correction:
        axis = spec.ndim - 1
        odd = f" - (({low} - at{axis}) & 1)" if spec.correction.halved[axis] else ""
        found = [line for outer in range(axis) for line in parents(spec.correction, outer)]
        found += [f"first, stop = {low}{odd}, {high}", *blended(spec.correction)]
        lines += [indent + line for line in found]
        spread = f"element(spread, ({last} - first,))"
        value = f"{value} + {spread}" if value else spread
    lines.append(f"{indent}for {last} in range({low}, {high}):")
    lines.append(f"{indent}    set_element(after, ({index},), {value})")
    return lines + (_nothing_outside(spec, index, indent, (low, high)) if spec.correction else [])


def _nothing_outside(spec: StepsSpec, index: str, indent: str, ends: tuple[str, str]) -> list[str]:
    """Set cells beyond the sides of the grid to zero: a coarse cell may reach over a side."""
    *outer, last = _INDEX[: spec.ndim]
    beyond = " or ".join(f"{name} < low{axis} or {name} >= high{axis}" for axis, name in enumerate(outer))
    axis, (low, high) = spec.ndim - 1, ends
    lines = [f"{indent}known = {low} if {beyond} else min(high{axis}, {high})"]
    for start, stop in ((low, f"low{axis}"), ("known", high)):
        lines.append(f"{indent}for {last} in range({start}, {stop}):")
        lines.append(f"{indent}    set_element(after, ({index},), nothing)")
    return lines


@cache
def steps_kernel(spec: StepsSpec) -> Callable:
    """Return the compiled kernel of a specification; each is made once per process."""
    from mpsolve.kernels.compile import load_kernel

    return load_kernel(steps_source(spec))


class BoundSteps:
    """A pass with its arrays; parameters as in `Backend.bind_steps`, and whether the result passes the caches."""

    def __init__(
        self,
        point: Callable,
        target: Field,
        source: Field | None,
        inputs: Sequence[Field | NDArray],
        along: tuple[int, ...],
        correction: Correction | None,
        stream: bool,
    ) -> None:
        if source is not None and source.storage is target.storage:
            raise ShapeError("source and target of a pass of several steps must not share storage; give two fields")
        self._target, self._scalar = target, target.format.compute.type
        formats = tuple(given.format if isinstance(given, Field) else VECTOR for given in inputs)
        carried = None
        if correction is not None:
            correction.overlay.check(target, correction.coarse)
            carried = ProlongationSpec(
                correction.overlay.halved, target.format, correction.coarse.format, (VECTOR,) * target.ndim
            )
            if np.dtype(carried.compute) != target.format.compute:
                raise FormatError(
                    f"a correction in {correction.coarse.format.name} is not added to {target.format.name} in the pass "
                    "of its steps; bind an interpolation"
                )
        self._parts = (point, target.ndim, target.format, formats, along, source is not None, carried)
        self._stream = stream
        vectors = [given for number, given in enumerate(inputs) if number in along and not isinstance(given, Field)]
        self._same = _constant(vectors, target.origin[-1], target.shape[-1]) if target.shape[-1] >= LONG else (0, 0)
        self._arrays = [target.storage, *([] if source is None else [source.storage])]
        self._arrays += [given.storage if isinstance(given, Field) else self._vector(given) for given in inputs]
        if correction is not None:
            self._arrays += [correction.coarse.storage, *map(self._vector, correction.weights)]
            axes = range(target.ndim)
            self._arrays += [correction.overlay.start(target, correction.coarse, axis) for axis in axes]
            for ends in zip(*correction.inside, strict=True):
                self._arrays += [x + o for x, o in zip(ends, target.origin, strict=True)]

    def _vector(self, given: NDArray | None) -> NDArray:
        """Return a copy that starts on a line, and has room for what rows compute beyond their ends."""
        values = np.zeros(0) if given is None else given
        copy = aligned_zeros((len(values) + MARGIN,), np.dtype(self._scalar))
        copy[: len(values)] = values
        return copy

    def calls(
        self, scalars: Sequence[float], boxes: Sequence[tuple[tuple[int, ...], tuple[int, ...]]]
    ) -> tuple[Callable, list[tuple]]:
        """Return the compiled kernel and its arguments for each box, given the scalars of a launch."""
        first, *lengths = scalars
        steps, target = len(lengths), self._target
        if target.halo < steps:
            raise ShapeError(
                f"{steps} steps in one pass need a halo of {steps}, not {target.halo}; ask for fewer steps"
            )
        taus = np.array(lengths, self._scalar)
        sizes = tile(target.ndim, steps, taus.itemsize, target.shape[-1])
        arguments = (*self._arrays, self._scalar(first), taus)
        corners = [[x + o for corner in box for x, o in zip(corner, target.origin, strict=True)] for box in boxes]
        kernel = steps_kernel(StepsSpec(*self._parts, self._stream))
        return kernel, [(*arguments, *corner, *self._same, *sizes) for corner in corners]


def _constant(vectors: Sequence[NDArray], first: int, cells: int) -> tuple[int, int]:
    """Return the storage indices between which every vector is constant, from the middle of a row outwards."""
    low, middle, high = first, first + cells // 2, first + cells
    for vector in vectors:
        differs = np.flatnonzero(vector[first : first + cells] != vector[middle]) + first
        low = max(low, int(differs[differs < middle].max(initial=low - 1)) + 1)
        high = min(high, int(differs[differs > middle].min(initial=high)))
    return low, high
