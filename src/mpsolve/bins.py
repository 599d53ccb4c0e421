"""Reproducible sums: products split into fixed bins of integers, so that no order of summation changes a bit.

Every FP64 product is cut at fixed powers of two, 30 bits to a bin; a bin holds an integer, and integers add without
rounding. Each chunk of products fills the three bins at and below its largest product; the final value uses the
three highest bins that any chunk filled. So the result is a function of the set of products alone: it does not depend
on ranks, threads or chunks. The idea is that of pre-rounded summation (Demmel and Nguyen, IEEE Trans. Comput. 64,
2015), here with integer bins, which a plain MPI sum of int64 combines.
"""

import math

import numpy as np
from numpy.typing import NDArray

#: Bits of one bin.
WIDTH = 30
#: Binary exponent of the unit of bin 0; smaller parts of a product are dropped.
LOWEST = -1020
#: Number of slots; the last one counts chunks with an infinity or a NaN.
BINS = 72
#: Bins that each chunk fills: 60 to 89 bits below the largest product.
DEPTH = 3


def top_bin(largest: float) -> int:
    """Return the bin in which a product of magnitude ``largest`` (finite, positive) starts."""
    exponent = max(math.frexp(largest)[1] - 1, -1023)
    return max((exponent + 1021) // WIDTH, 0)


def accumulate(products: NDArray[np.float64], table: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """Add the bins of some products to a table.

    Parameters
    ----------
    products : ndarray of float64
        Any shape, local.
    table : ndarray of int64, shape (2, BINS), optional
        Sums (row 0) and chunk counts (row 1), changed in place; a new one if None.

    Returns
    -------
    ndarray of int64, shape (2, BINS)

    Examples
    --------
    >>> values = np.array([1e16, 1.0, -1e16])
    >>> to_float(accumulate(values)), to_float(accumulate(values[:2]) + accumulate(values[2:]))
    (1.0, 1.0)
    """
    table = np.zeros((2, BINS), np.int64) if table is None else table
    largest = float(np.max(np.abs(products), initial=0.0))
    if largest == 0.0:
        return table
    if not np.isfinite(largest):
        table[1, BINS - 1] += 1
        return table
    top = top_bin(largest)
    table[1, top] += 1
    rest = np.asarray(products, np.float64) * 2.0 ** -(LOWEST + WIDTH * top)
    for level in range(top, max(top - DEPTH, -1), -1):
        integers = np.rint(rest)
        table[0, level] += np.sum(integers.astype(np.int64))
        rest = (rest - integers) * 2.0**WIDTH
    return table


def to_float(table: NDArray[np.int64]) -> float:
    """Return the value of a summed table (2, BINS), rounded once to FP64; NaN if a product was not finite.

    A sum of finite products that exceeds the largest number is an infinity.
    """
    filled = table[1].nonzero()[0].tolist()
    if not filled:
        return 0.0
    top = filled[-1]
    if top == BINS - 1:
        return math.nan
    lowest = top - DEPTH + 1
    total = 0
    for part in reversed(table[0, max(lowest, 0) : top + 1].tolist()):
        total = (total << WIDTH) + part
    total <<= WIDTH * max(-lowest, 0)
    try:
        return math.ldexp(float(total), LOWEST + WIDTH * lowest)
    except OverflowError:
        return math.copysign(math.inf, total)
