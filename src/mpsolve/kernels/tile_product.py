"""Products of packed matrices, tile by tile: packing, blocking for the caches, and the edges of C."""

from collections.abc import Callable
from functools import cache

from mpsolve.kernels.compile import load_kernel

#: Bytes of packed L that stay in the second-level cache while R passes by.
CACHED_BYTES = 1 << 19

_HEAD = """from numba import njit, types
import numpy as np
from mpsolve.kernels import memory, register_tile

element, set_element = memory.element, memory.set_element
ROWS, VECTORS = register_tile.ROWS, register_tile.VECTORS
COLUMNS = VECTORS * {lanes}
"""

#: Groups of `ROWS` rows of L, step after step; what is missing in the last group is zero.
_PACK_LEFT = '''
@njit(types.void(types.{word}[::1], types.{word}[::1], types.intp, types.intp, types.intp, types.intp, types.intp,
      types.intp), nogil=True, cache=True)
def kernel(array_out, array, distance, rows, first, steps, lo, hi):
    """Groups lo to hi; words first to first + steps of each row."""
    out, source = memory.bare(array_out), memory.bare(array)
    for group in range(lo, hi):
        base, height = group * ROWS * steps, min(ROWS, rows - group * ROWS)
        for i in range(ROWS):
            at = (group * ROWS + i) * distance + first
            if i < height:
                for k in range(steps):
                    set_element(out, (base + k * ROWS + i,), element(source, (at + k,)))
            else:
                for k in range(steps):
                    set_element(out, (base + k * ROWS + i,), types.{word}(0))
    memory.keep(array_out)
    memory.keep(array)
'''

#: Strips of COLUMNS columns of R, step after step.
_PACK_RIGHT = '''
@njit(types.void(types.{word}[::1], types.{word}[::1], types.intp, types.intp, types.intp, types.intp, types.intp,
      types.intp), nogil=True, cache=True)
def kernel(array_out, array, distance, columns, first, steps, lo, hi):
    """Strips lo to hi; rows first to first + steps."""
    memory.wide_vectors()
    out, source = memory.bare(array_out), memory.bare(array)
    for strip in range(lo, hi):
        base, left = strip * COLUMNS * steps, strip * COLUMNS
        width = min(COLUMNS, columns - left)
        for k in range(steps):
            at, to = (first + k) * distance + left, base + k * COLUMNS
            for j in range(width):
                set_element(out, (to + j,), element(source, (at + j,)))
            for j in range(width, COLUMNS):
                set_element(out, (to + j,), types.{word}(0))
    memory.keep(array_out)
    memory.keep(array)
'''

#: The same for pairs of 16-bit numbers from two rows, the lower one in the low half; an odd last row has no partner.
_PACK_PAIRS = '''
@njit(types.void(types.uint32[::1], types.uint16[::1], types.intp, types.intp, types.intp, types.intp, types.intp,
      types.intp, types.intp), nogil=True, cache=True)
def kernel(array_out, array, distance, columns, rows, first, steps, lo, hi):
    """Strips lo to hi; pairs first to first + steps."""
    memory.wide_vectors()
    out, source = memory.bare(array_out), memory.bare(array)
    for strip in range(lo, hi):
        base, left = strip * COLUMNS * steps, strip * COLUMNS
        width = min(COLUMNS, columns - left)
        for k in range(steps):
            at, to = 2 * (first + k) * distance + left, base + k * COLUMNS
            if 2 * (first + k) + 1 < rows:
                for j in range(width):
                    low, high = element(source, (at + j,)), element(source, (at + distance + j,))
                    set_element(out, (to + j,), types.uint32(low) | (types.uint32(high) << types.uint32(16)))
            else:
                for j in range(width):
                    set_element(out, (to + j,), types.uint32(element(source, (at + j,))))
            for j in range(width, COLUMNS):
                set_element(out, (to + j,), types.uint32(0))
    memory.keep(array_out)
    memory.keep(array)
'''

_PRODUCT = '''
tile = register_tile.tile_function({kind!r})

@njit(types.void(types.{type}[::1], types.intp, types.intp, types.intp, types.{word}[::1], types.{word}[::1],
      types.intp, types.{type}, types.boolean, types.intp, types.intp, types.intp), nogil=True, cache=True)
def kernel(array_c, distance, rows, columns, array_left, array_right, steps, factor, keep, cached, lo, hi):
    """Strips lo to hi of C; ``cached`` groups of rows of L at a time stay in the cache."""
    c, left, right = memory.bare(array_c), memory.bare(array_left), memory.bare(array_right)
    array_edge = np.zeros(ROWS * COLUMNS, np.{type})
    edge = memory.bare(array_edge)
    groups = -(-rows // ROWS)
    for start in range(0, groups, cached):
        stop = min(start + cached, groups)
        for strip in range(lo, hi):
            width = min(COLUMNS, columns - strip * COLUMNS)
            right_at = strip * COLUMNS * steps
            for group in range(start, stop):
                height = min(ROWS, rows - group * ROWS)
                at = group * ROWS * distance + strip * COLUMNS
                left_at = group * ROWS * steps
                if height == ROWS and width == COLUMNS:
                    tile(c, at, distance, left, left_at, right, right_at, steps, factor, keep)
                else:
                    tile(edge, 0, COLUMNS, left, left_at, right, right_at, steps, factor, False)
                    for i in range(height):
                        for j in range(width):
                            value = element(edge, (i * COLUMNS + j,))
                            if keep:
                                value += element(c, (at + i * distance + j,))
                            set_element(c, (at + i * distance + j,), value)
    memory.keep(array_c)
    memory.keep(array_left)
    memory.keep(array_right)
    memory.keep(array_edge)
'''

#: Word of packed operands, type of C, and lanes of a vector, for each kind of tile.
KINDS = {"bf16": ("uint32", "float32", 16), "fp32": ("float32", "float32", 16), "fp64": ("float64", "float64", 8)}


@cache
def _kernel(template: str, kind: str) -> Callable:
    word, number, lanes = KINDS[kind]
    return load_kernel((_HEAD + template).format(word=word, type=number, lanes=lanes, kind=kind))


def pack_left(kind: str) -> Callable:
    """Return the kernel that packs rows of L."""
    return _kernel(_PACK_LEFT, kind)


def pack_right(kind: str) -> Callable:
    """Return the kernel that packs columns of R; for "bf16" that of pairs."""
    return _kernel(_PACK_PAIRS if kind == "bf16" else _PACK_RIGHT, kind)


def product(kind: str) -> Callable:
    """Return the kernel that multiplies packed operands."""
    return _kernel(_PRODUCT, kind)
