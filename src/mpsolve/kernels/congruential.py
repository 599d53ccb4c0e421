"""Entries from a linear congruential generator: any block of a matrix, without the entries before it.

The generator is ``s <- MULTIPLIER s + 1`` modulo 2^64. A jump is again such a map, so the state at row i and column j
is ``factor[j] * start[i] + shift[j]``: one multiplication for each entry, and no entry waits for another.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

#: Of the generator of HPL-MxP (Knuth, The Art of Computer Programming, volume 2, MMIX); the increment is 1.
MULTIPLIER = 6364136223846793005
WORD = 1 << 64


@dataclass(frozen=True, eq=False)
class Congruential:
    """The entries of a square matrix: entry (i, j) is the number of state ``factors[j] * starts[i] + shifts[j]``.

    Attributes
    ----------
    starts, factors, shifts : ndarray of uint64, shape (n,)
        The states of all rows in column 0, and what carries them to each column.
    replaced, diagonal : ndarray of float64, shape (n,), or None
        The numbers that would be on the diagonal, and the entries that are there instead; None if the numbers are.
    """

    starts: NDArray[np.uint64]
    factors: NDArray[np.uint64]
    shifts: NDArray[np.uint64]
    replaced: NDArray[np.float64] | None = None
    diagonal: NDArray[np.float64] | None = None


_HEAD = """from numba import njit, types
import numpy as np
from mpsolve.kernels import memory

element, set_element = memory.element, memory.set_element
words = types.uint64[::1]
unit, half = 2.0**-64, 0.5
"""

_FILL = '''
@njit(types.void(types.{type}[::1], types.intp, words, words, words), nogil=True, cache=True)
def kernel(array_out, distance, array_start, array_factor, array_shift):
    """Entries in FP64, rounded to the type of the output."""
    memory.wide_vectors()
    out, factor, shift = memory.bare(array_out), memory.bare(array_factor), memory.bare(array_shift)
    columns = array_factor.shape[0]
    for i in range(array_start.shape[0]):
        start = array_start[i]
        for j in range(columns):
            state = element(factor, (j,)) * start + element(shift, (j,))
            set_element(out, (i * distance + j,), types.{type}(types.float64(state) * unit - half))
    memory.keep(array_out)
    memory.keep(array_factor)
    memory.keep(array_shift)
'''

_REDUCE = '''
@njit(types.void(types.float64[::1], words, words, words, types.float64[::1]),
      nogil=True, cache=True, fastmath={{"reassoc", "contract"}})
def kernel(sums, array_start, array_factor, array_shift, array_x):
    """Add to each row's sum; four rows share what is loaded."""
    memory.wide_vectors()
    factor, shift, x = memory.bare(array_factor), memory.bare(array_shift), memory.bare(array_x)
    columns, rows = array_factor.shape[0], array_start.shape[0]
    whole = rows // 4 * 4
    for i in range(0, whole, 4):
        s0, s1, s2, s3 = array_start[i], array_start[i + 1], array_start[i + 2], array_start[i + 3]
        t0, t1, t2, t3 = 0.0, 0.0, 0.0, 0.0
        for j in range(columns):
            m, d, y = element(factor, (j,)), element(shift, (j,)), element(x, (j,))
            t0 += {term0}
            t1 += {term1}
            t2 += {term2}
            t3 += {term3}
        sums[i] += t0
        sums[i + 1] += t1
        sums[i + 2] += t2
        sums[i + 3] += t3
    for i in range(whole, rows):
        s0, t0 = array_start[i], 0.0
        for j in range(columns):
            m, d, y = element(factor, (j,)), element(shift, (j,)), element(x, (j,))
            t0 += {term0}
        sums[i] += t0
    memory.keep(array_factor)
    memory.keep(array_shift)
    memory.keep(array_x)
'''
_VALUE = "(types.float64(m * s{row} + d) * unit - half)"
_TERMS = {"product": _VALUE + " * y", "magnitude": "abs" + _VALUE}


def jump(steps: int) -> tuple[int, int]:
    """Return factor and shift of a number of steps of the generator.

    Examples
    --------
    >>> factor, shift = jump(2)
    >>> (factor * 1 + shift) % WORD == (MULTIPLIER * (MULTIPLIER + 1) + 1) % WORD
    True
    """
    factor, shift, power, gain = 1, 0, MULTIPLIER, 1
    while steps:
        if steps & 1:
            factor, shift = factor * power % WORD, (shift * power + gain) % WORD
        power, gain = power * power % WORD, gain * (power + 1) % WORD
        steps >>= 1
    return factor, shift


def jumps(first: int, stride: int, count: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return factors and shifts of ``first``, ``first + stride``, ... steps, ``count`` of them."""
    factors, shifts = np.empty(count, np.uint64), np.empty(count, np.uint64)
    factor, shift = jump(first)
    step, gain = jump(stride)
    for place in range(count):
        factors[place], shifts[place] = factor, shift
        factor, shift = factor * step % WORD, (shift * step + gain) % WORD
    return factors, shifts


def values(start: NDArray[np.uint64], factor: NDArray[np.uint64], shift: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Return the entries of a block with NumPy: numbers from -0.5 to 0.5."""
    states = start[:, None] * factor + shift
    return states.astype(np.float64) * 2.0**-64 - 0.5


@cache
def fill_kernel(kind: str):
    """Return the compiled function that writes a block to a flat array of a type."""
    from mpsolve.kernels.compile import load_kernel

    return load_kernel((_HEAD + _FILL).format(type=kind))


@cache
def reduce_kernel(term: str):
    """Return the compiled function that sums ``"product"`` or ``"magnitude"`` of entries along rows."""
    from mpsolve.kernels.compile import load_kernel

    terms = {f"term{row}": _TERMS[term].format(row=row) for row in range(4)}
    return load_kernel((_HEAD + _REDUCE).format(**terms))
