"""Products of packed matrices, tile by tile: packing, decoding, blocking for the caches, and the edges of C."""

# pyright: reportAttributeAccessIssue=false
from collections.abc import Callable
from functools import cache
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from mpsolve.formats.base import Format
from mpsolve.kernels.codecs import emit_decode
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

_PACK_HEAD = """from mpsolve.kernels.tile_product import narrow_function
from mpsolve.precision import get_format

narrow = narrow_function(get_format({format!r}), {kind!r})
Source = types.Array(types.{storage}, 1, "C", readonly=True)
"""

#: Groups of `ROWS` rows of L, step after step; what is missing in the last group or step is zero.
_PACK_LEFT = '''
from mpsolve.kernels.register_transpose import transpose_rows

@njit(types.void(types.{word}[::1], Source, types.intp, types.intp, types.intp, types.intp, types.intp, types.intp,
      types.intp), nogil=True, cache=True)
def kernel(array_out, array, distance, rows, inner, first, steps, lo, hi):
    """Groups lo to hi; words first to first + steps of each row."""
    memory.wide_vectors()
    array_lines = np.zeros(ROWS * {each} * steps, np.{narrow})
    array_words = array_lines.view(np.{word})
    out, source = memory.bare(array_out), memory.bare(array)
    lines, words = memory.bare(array_lines), memory.bare(array_words)
    width, whole = {each} * steps, steps // {lanes} * {lanes}
    count = min(width, inner - {each} * first)
    for group in range(lo, hi):
        base, height = group * ROWS * steps, min(ROWS, rows - group * ROWS)
        for i in range(height):
            at = (group * ROWS + i) * distance + {each} * first
            for k in range(count):
                set_element(lines, (i * width + k,), narrow(element(source, (at + k,))))
        for k in range(height * width, ROWS * width):
            set_element(lines, (k,), types.{narrow}(0))
        for k in range(0, whole, {lanes}):
            transpose_rows(out, base + k * ROWS, words, k, steps)
        for k in range(whole, steps):
            for i in range(ROWS):
                set_element(out, (base + k * ROWS + i,), element(words, (i * steps + k,)))
    memory.keep(array_out)
    memory.keep(array)
    memory.keep(array_lines)
    memory.keep(array_words)
'''

#: Strips of COLUMNS columns of R, step after step; what is missing in the last strip is zero.
_PACK_RIGHT = '''
@njit(types.void(types.{word}[::1], Source, types.intp, types.intp, types.intp, types.intp, types.intp, types.intp,
      types.intp), nogil=True, cache=True)
def kernel(array_out, array, distance, columns, inner, first, steps, lo, hi):
    """Strips lo to hi; rows first to first + steps."""
    memory.wide_vectors()
    out, source = memory.bare(array_out), memory.bare(array)
    for strip in range(lo, hi):
        base, left = strip * COLUMNS * steps, strip * COLUMNS
        width = min(COLUMNS, columns - left)
        for k in range(steps):
            at, to = (first + k) * distance + left, base + k * COLUMNS
            for j in range(width):
                set_element(out, (to + j,), narrow(element(source, (at + j,))))
            for j in range(width, COLUMNS):
                set_element(out, (to + j,), types.{word}(0))
    memory.keep(array_out)
    memory.keep(array)
'''

#: The same for pairs of 16-bit numbers from two rows, the upper row in the low half; an odd last row has no partner.
_PACK_PAIRS = '''
@njit(types.void(types.uint32[::1], Source, types.intp, types.intp, types.intp, types.intp, types.intp, types.intp,
      types.intp), nogil=True, cache=True)
def kernel(array_out, array, distance, columns, inner, first, steps, lo, hi):
    """Strips lo to hi; pairs first to first + steps."""
    memory.wide_vectors()
    out, source = memory.bare(array_out), memory.bare(array)
    for strip in range(lo, hi):
        base, left = strip * COLUMNS * steps, strip * COLUMNS
        width = min(COLUMNS, columns - left)
        for k in range(steps):
            at, to = 2 * (first + k) * distance + left, base + k * COLUMNS
            if 2 * (first + k) + 1 < inner:
                for j in range(width):
                    low, high = narrow(element(source, (at + j,))), narrow(element(source, (at + distance + j,)))
                    set_element(out, (to + j,), types.uint32(low) | (types.uint32(high) << types.uint32(16)))
            else:
                for j in range(width):
                    set_element(out, (to + j,), types.uint32(narrow(element(source, (at + j,)))))
            for j in range(width, COLUMNS):
                set_element(out, (to + j,), types.uint32(0))
    memory.keep(array_out)
    memory.keep(array)
'''

_PRODUCT = '''
tile = register_tile.tile_function({kind!r})

@njit(types.void(types.{type}[::1], types.intp, types.intp, types.intp, types.{word}[::1], types.{word}[::1],
      types.intp, types.{type}, types.boolean, types.intp, types.intp, types.intp, types.intp, types.intp), nogil=True,
      cache=True)
def kernel(array_c, distance, rows, columns, array_left, array_right, steps, factor, keep, cached, top, bottom, lo, hi):
    """Groups top to bottom and strips lo to hi of C; ``cached`` groups of L at a time stay in the cache."""
    c, left, right = memory.bare(array_c), memory.bare(array_left), memory.bare(array_right)
    array_edge = np.zeros(ROWS * COLUMNS, np.{type})
    edge = memory.bare(array_edge)
    for start in range(top, bottom, cached):
        stop = min(start + cached, bottom)
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
#: Numbers in a word.
PAIR = 2


def narrow_function(format: Format, kind: str):
    """Return the compiled function that turns a stored number into what a tile multiplies, without error.

    Parameters
    ----------
    format : Format
        Of the stored number.
    kind : {"bf16", "fp32", "fp64"}
        Arithmetic of the tile. For "bf16" the result is the pattern, as uint16, and the format is bf16 or an 8-bit one,
        whose numbers are all BF16 numbers.
    """
    target = {"bf16": types.uint16, "fp32": types.float32, "fp64": types.float64}[kind]

    @intrinsic
    def narrow(typing, value):
        def generate(context, builder, signature, arguments):
            if kind != "bf16":
                return emit_decode(builder, arguments[0], format)
            if format.name == "bf16":
                return arguments[0]
            bits = builder.bitcast(emit_decode(builder, arguments[0], format), ir.IntType(32))
            return builder.trunc(builder.lshr(bits, ir.IntType(32)(16)), ir.IntType(16))

        return target(value), generate

    return narrow


@cache
def _kernel(template: str, kind: str, format: Format | None = None) -> Callable:
    word, number, lanes = KINDS[kind]
    known: dict[str, Any] = {"word": word, "type": number, "lanes": lanes, "kind": kind}
    if format is None:
        return load_kernel((_HEAD + template).format(**known))
    known |= {"format": format.name, "storage": format.storage.name}
    known |= {"each": PAIR, "narrow": "uint16"} if kind == "bf16" else {"each": 1, "narrow": word}
    return load_kernel((_HEAD + _PACK_HEAD + template).format(**known))


def pack_left(kind: str, format: Format) -> Callable:
    """Return the kernel that packs rows of L, stored in a format."""
    return _kernel(_PACK_LEFT, kind, format)


def pack_right(kind: str, format: Format) -> Callable:
    """Return the kernel that packs columns of R, stored in a format; for "bf16" that of pairs."""
    return _kernel(_PACK_PAIRS if kind == "bf16" else _PACK_RIGHT, kind, format)


def product(kind: str) -> Callable:
    """Return the kernel that multiplies packed operands."""
    return _kernel(_PRODUCT, kind)
