"""Several steps of explicit diffusion in one pass over memory: the compiled loop over column tiles and row blocks.

The levels (steps) of a pass follow each other down a tile, each one row behind the level before it. Between the source
and the target a level keeps its last rows in a ring that stays in the second-level cache, in the storage format, so
that each step rounds exactly as a pass of its own would. Tiles and strips overlap by the reach of the steps and
compute the shared cells twice, from the same numbers. In one and three dimensions a pass has one step.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from mpsolve.field import ALIGNMENT, FIRST_COLUMN
from mpsolve.formats.base import Format

#: Steps of one pass: they reach over at most one line beside a tile, and a line of FP64 has 8 columns.
MOST_STEPS = 8
#: Rows that are worked on together: as many reads and as many streaming writes are under way at once.
BLOCK = 4
#: Rows of a ring: a block, two more that the next level still needs, and a power of two for cheap indices.
RING = 8
#: Lines by which reads are requested ahead in a pass of one step.
AHEAD = 8


@dataclass(frozen=True)
class SweepSpec:
    """What a compiled sweep is made from.

    Attributes
    ----------
    format : Format
        Storage of source and target.
    ndim : int
        Number of grid axes, 1 to 3.
    rates : int
        1 if all axes share their rate, else ``ndim``.
    stream : bool
        Write the target past the caches.
    """

    format: Format
    ndim: int
    rates: int
    stream: bool

    @property
    def columns(self) -> int:
        """Stored numbers of a cache line."""
        return ALIGNMENT // self.format.itemsize

    def scratch(self, steps: int, width: int) -> int:
        """Numbers of scratch memory that one call needs: the rings, and a line for the ragged end of a row."""
        return (steps - 1) * RING * (width + 4 * self.columns) + self.columns


_HEADER = """
from numba import njit, types
from mpsolve.precision import get_format
from mpsolve.kernels import codecs, memory, rows

FORMAT = get_format("{name}")
block_in = rows.block_step(FORMAT, {block}, {ndim}, False)
block_out = rows.block_step(FORMAT, {block}, {ndim}, {stream})
single = rows.block_step(FORMAT, 1, {ndim}, False)
decode, encode = codecs.decoder((FORMAT,)), codecs.encoder(FORMAT)
element, set_element = memory.element, memory.set_element


@njit(nogil=True)
def reflect(array, ghost, inner, sign):
    value = element(array, (inner,))
    set_element(array, (ghost,), value if sign > 0 else encode(-decode(value)))


@njit(nogil=True)
def reflect_sides(array, first, columns, low, high):
    if low != 0:
        reflect(array, first - 1, first, low)
    if high != 0:
        reflect(array, first + columns, first + columns - 1, high)


@njit(nogil=True)
def reflect_row(array, ghost, inner, count, sign):
    for column in range(count):
        reflect(array, ghost + column, inner + column, sign)


@njit(nogil=True)
def copy_end(target, position, scratch, count):
    for column in range(count):
        set_element(target, (position + column,), element(scratch, (column,)))

"""

_SEVERAL_STEPS = """
@njit(nogil=True)
def place(base, mask, stride, row):
    return base + (row & mask) * stride


@njit({signature}, nogil=True, cache=True)
def kernel(array_o, array_u, array_scratch, {rates}, start, stop, height, columns, halo,
           low0, high0, low1, high1, steps, width):
    memory.wide_vectors()
    o, u = memory.bare(array_o.reshape(array_o.size)), memory.bare(array_u.reshape(array_u.size))
    scratch, rates = memory.bare(array_scratch), ({rates},)
    pitch, ring_pitch = array_o.shape[1], width + 4 * {line}
    for left in range(0, columns, width):
        right = min(columns, left + width)
        lines, whole = -((left - right) // {line}), (right - left) // {line}
        # Levels between source and target also compute a line on each side, as far as rows are stored.
        lines_between = min(lines + 2, (pitch - {first} - left) // {line} + 1)
        low = low1 if left == 0 else 0
        high = high1 if columns <= right + {line} else 0
        stored = halo * pitch + {first} + left
        top = start - (2 * (steps - 1) + {block} - 1) // {block} * {block}
        for below in range(top, stop, {block}):
            for level in range(1, steps + 1):
                lag = steps - level
                # The block of this level, cut to the rows that the target needs and that exist.
                begin, end = max(below + lag, start - lag), min(below + lag + {block}, stop + lag)
                begin = max(begin, 0) if low0 != 0 else begin
                end = min(end, height) if high0 != 0 else end
                shift, count = ({line}, lines_between) if level < steps else (0, whole)
                source, base, mask, stride = u, stored, -1, pitch
                if level > 1:
                    source, mask, stride = scratch, {ring} - 1, ring_pitch
                    base = {line} * 3 + (level - 2) * {ring} * ring_pitch
                target, to_base, to_mask, to_stride = o, stored, -1, pitch
                if level < steps:
                    target, to_mask, to_stride = scratch, {ring} - 1, ring_pitch
                    to_base = {line} * 3 + (level - 1) * {ring} * ring_pitch
                if level == 1 and (low != 0 or high != 0):
                    for row in range(begin, end):
                        reflect_sides(u, stored - left + row * pitch, columns, low, high)
                if end - begin == {block}:
                    sources = ({sources})
                    targets = ({targets})
                    # Spread the reading of the next block's rows over the levels; one step reads its own rows.
                    first, last = (level - 1) * {block} // steps, max(level * {block} // steps, 1) - 1
                    last = max(first, last)
                    near = stored - shift + (below + lag + 1) * pitch + {line} * {ahead}
                    far = stored - shift + (below + steps + {block}) * pitch
                    if steps == 1:
                        fetches = (near, near + pitch, near + 2 * pitch, near + 3 * pitch)
                    else:
                        fetches = (far + first * pitch, far + last * pitch, far + last * pitch, far + last * pitch)
                    if level < steps:
                        block_in(target, targets, source, sources, 0, u, fetches, rates, count)
                    else:
                        block_out(target, targets, source, sources, 0, u, fetches, rates, count)
                else:
                    for row in range(begin, end):
                        around = ({around})
                        here = (place(to_base - shift, to_mask, to_stride, row),)
                        single(target, here, source, around, 0, u, here, rates, count)
                if level == steps:
                    if whole < lines:
                        shift = -whole * {line}
                        for row in range(begin, end):
                            around = ({around})
                            single(scratch, (0,), source, around, 0, u, (0,), rates, 1)
                            copy_end(o, stored - shift + row * pitch, scratch, right - left + shift)
                    continue
                for row in range(begin, end):
                    reflect_sides(target, place(to_base - left, to_mask, to_stride, row), columns, low, high)
                edge, span = to_base - {line} - 1, lines_between * {line} + 2
                if low0 != 0 and begin <= 0 < end:
                    inner = place(edge, to_mask, to_stride, 0)
                    reflect_row(target, place(edge, to_mask, to_stride, -1), inner, span, low0)
                if high0 != 0 and below + lag <= height < below + lag + {block}:
                    inner = place(edge, to_mask, to_stride, height - 1)
                    reflect_row(target, place(edge, to_mask, to_stride, height), inner, span, high0)
    memory.keep(array_scratch)
"""

_ONE_STEP = """
@njit({signature}, nogil=True, cache=True)
def kernel(array_o, array_u, array_scratch, {rates}, {corners}, columns, halo, low, high):
    memory.wide_vectors()
    o, u = memory.bare(array_o.reshape(array_o.size)), memory.bare(array_u.reshape(array_u.size))
    scratch, rates = memory.bare(array_scratch), ({rates},)
    pitch = array_o.shape[{ndim} - 1]
    left = lo{last} // {line} * {line}
    whole = (hi{last} - left) // {line}
    ragged = hi{last} - left - whole * {line}
{loops}
"""

_PLANES = """
    plane = array_o.shape[1] * pitch
    for i in range(lo0, hi0):
        for begin in range(lo1, hi1, {block}):
            end = min(begin + {block}, hi1)
            stored = (i + halo) * plane + halo * pitch + {first}
            for row in range(begin, end):
                reflect_sides(u, stored + row * pitch, columns, low, high)
            first = stored + begin * pitch + left
            if end - begin == {block}:
                targets = (first, first + pitch, first + 2 * pitch, first + 3 * pitch)
                sources = (first - pitch, first, first + pitch, first + 2 * pitch, first + 3 * pitch, first + 4 * pitch)
                ahead = first + plane + {ahead} * {line}
                fetches = (ahead, ahead + pitch, ahead + 2 * pitch, ahead + 3 * pitch)
                block_out(o, targets, u, sources, plane, u, fetches, rates, whole)
            for row in range(begin, end):
                first = stored + row * pitch + left
                if end - begin < {block}:
                    single(o, (first,), u, (first - pitch, first, first + pitch), plane, u, (first,), rates, whole)
                if ragged > 0:
                    first += whole * {line}
                    around = (first - pitch, first, first + pitch)
                    single(scratch, (0,), u, around, plane, u, (0,), rates, 1)
                    copy_end(o, first, scratch, ragged)
    memory.keep(array_scratch)"""

_LINE = """
    reflect_sides(u, {first}, columns, low, high)
    first = {first} + left
    single(o, (first,), u, (first,), 0, u, (first,), rates, whole)
    if ragged > 0:
        first += whole * {line}
        single(scratch, (0,), u, (first,), 0, u, (0,), rates, 1)
        copy_end(o, first, scratch, ragged)
    memory.keep(array_scratch)"""


def _signature(spec: SweepSpec, integers: int) -> str:
    array = f"types.{spec.format.storage.name}"
    shaped = f"{array}[{', '.join([':'] * (spec.ndim - 1) + ['::1'])}]"
    scalars = [f"types.{spec.format.compute.name}"] * spec.rates + ["types.intp"] * integers
    return f"types.void({', '.join([shaped, shaped, f'{array}[::1]', *scalars])})"


def _places(base: str, mask: str, stride: str, rows: list[str]) -> str:
    return ", ".join(f"place({base} - shift, {mask}, {stride}, {row})" for row in rows)


def sweep_source(spec: SweepSpec) -> str:
    """Return the module of a compiled sweep, whose ``kernel`` `load_kernel` compiles and caches.

    In two dimensions its arguments are target, source, scratch (flat, aligned to lines), the rates, the first and last
    row, the rows and columns of the field, its halo, the mirrors of each side, the steps and the width of a tile. In
    one and three dimensions the box follows the rates, then the columns, the halo and the mirrors of the last axis.
    """
    names = {"name": spec.format.name, "ndim": spec.ndim, "stream": spec.stream, "block": BLOCK}
    names |= {"ring": RING, "line": spec.columns, "first": FIRST_COLUMN, "ahead": AHEAD, "last": spec.ndim - 1}
    names["rates"] = ", ".join(f"rate{number}" for number in range(spec.rates))
    if spec.ndim == 2:
        block = [f"begin + {row}" for row in range(BLOCK)]
        names["sources"] = _places("base", "mask", "stride", ["begin - 1", *block, f"begin + {BLOCK}"])
        names["targets"] = _places("to_base", "to_mask", "to_stride", block)
        names["around"] = _places("base", "mask", "stride", ["row - 1", "row", "row + 1"])
        names["signature"] = _signature(spec, 11)
        return (_HEADER + _SEVERAL_STEPS).format(**names)
    names["corners"] = ", ".join(f"{end}{axis}" for end in ("lo", "hi") for axis in range(spec.ndim))
    names["signature"] = _signature(spec, 2 * spec.ndim + 4)
    names["loops"] = (_PLANES if spec.ndim == 3 else _LINE).format(**names)
    return (_HEADER + _ONE_STEP).format(**names)


@cache
def compiled_sweep(spec: SweepSpec) -> Callable:
    """Return the compiled kernel of a sweep; each is made once per process."""
    from mpsolve.kernels.compile import load_kernel

    return load_kernel(sweep_source(spec))
