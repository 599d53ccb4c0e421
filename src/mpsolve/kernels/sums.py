"""Compiled accumulation of reproducible sums: the loops of `mpsolve.bins` for one row piece."""

# pyright: reportAttributeAccessIssue=false, reportCallIssue=false
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from mpsolve.bins import BINS, DEPTH, LOWEST, WIDTH

#: Adding and subtracting this rounds an FP64 number below 2**51 to an integer.
MAGIC = 1.5 * 2.0**52
#: The bit pattern of `MAGIC`: the integer is the difference of two patterns.
MAGIC_BITS = 0x4338000000000000
#: From one bin to the next.
SCALE = 2.0**WIDTH
_LAST = BINS - 1


@intrinsic
def bits_of(typing, value):
    """Return the FP64 number's bit pattern as int64."""

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.IntType(64))

    return types.int64(types.float64), generate


@intrinsic
def _number_of(typing, bits):
    """Return the FP64 number with this bit pattern."""

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(types.int64), generate


@njit(nogil=True)
def inverse_unit(top):
    """Return the power of two that turns products into units of bin ``top``."""
    return _number_of((1023 - LOWEST - WIDTH * top) << 52)


@njit(nogil=True)
def fill_bins(table, top, high, middle, low):
    """Add three integer sums to the bins ``top``, ``top - 1`` and ``top - 2`` of a table and count the chunk."""
    table[1, top] += 1
    table[0, top] += high
    if top >= 1:
        table[0, top - 1] += middle
    if top >= DEPTH - 1:
        table[0, top - 2] += low


@njit(nogil=True)
def top_bin_of_bits(table, largest):
    """Return the top bin of a chunk whose largest magnitude has these bits; -1 for zeros, and for NaN (counted)."""
    if largest == 0:
        return -1
    exponent = (largest >> 52) - 1023
    if exponent > 1023:
        table[1, _LAST] += 1
        return -1
    return max((exponent + 1021) // WIDTH, 0)
