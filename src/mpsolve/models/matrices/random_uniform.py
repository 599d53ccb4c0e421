"""Uniform random numbers between -0.5 and 0.5: what most matrices without structure are like."""

from functools import cached_property
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpsolve.kernels import congruential
from mpsolve.kernels.flat import flat
from mpsolve.models.matrices.base import Matrix

OPTIONS = ("seed",)

#: Rows that the compiled sums take together. A compiler may add up those that are left over in another order, so that
#: the bits of a sum would depend on how the rows are shared out: none are ever left over.
ROWS_TOGETHER = 4
#: Types of output that a block is written to directly.
KERNELS = {np.dtype(np.float32): "float32", np.dtype(np.float64): "float64"}
#: Shape of the pieces in which many vectors are multiplied: half a mebibyte stays in the second-level cache.
PIECE = (64, 1024)


class RandomUniform(Matrix):
    """Entries of the generator of HPL-MxP in column-major order, ``s 2^-64 - 0.5`` where ``s`` is its state.

    Every block is found by jumps, so that the matrix does not depend on how it is dealt out, and has the same bits with
    Numba and without. The jumps to each row and column are kept: 24 n bytes.

    Parameters
    ----------
    n : int
        Size.
    state : int
        State before the first entry.
    """

    def __init__(self, n: int, state: int) -> None:
        self.n, self.state = n, state
        self._compiled = find_spec("numba") is not None

    @property
    def congruential(self) -> congruential.Congruential:
        """The jumps to each row and column."""
        return congruential.Congruential(self._starts, *self._jumps)

    def block(self, rows: slice, columns: slice) -> NDArray[np.float64]:
        """Return a block; see `Matrix.block`."""
        out = np.empty((rows.stop - rows.start, columns.stop - columns.start))
        self.fill(rows, columns, out)
        return out

    def fill(self, rows: slice, columns: slice, out: NDArray[Any]) -> None:
        """Write a block whose FP64 numbers are never stored; see `Matrix.fill`."""
        starts, jumps, kind = self._starts[rows], self._jumps[:, columns], KERNELS.get(out.dtype)
        if self._compiled and kind and out.strides[1] == out.itemsize:
            congruential.fill_kernel(kind)(*flat(out), starts, *jumps)
        else:
            out[...] = congruential.values(starts, *jumps)

    def subtract_product(self, rows: slice, columns: slice, x: NDArray[np.float64], r: NDArray[np.float64]) -> None:
        """Multiply without storing entries, or a small piece of them; see `Matrix.subtract_product`."""
        if x.shape[1] != 1 or not self._compiled:
            self._subtract_in_pieces(rows, columns, x, r)
            return
        sums, vector = np.zeros(len(r)), np.ascontiguousarray(x[:, 0])
        congruential.reduce_kernel("product")(sums, self._starts[rows], *self._jumps[:, columns], vector)
        r[:, 0] -= sums

    def _subtract_in_pieces(self, rows: slice, columns: slice, x: NDArray[np.float64], r: NDArray[np.float64]) -> None:
        buffer = np.empty(PIECE)
        for i in range(rows.start, rows.stop, PIECE[0]):
            for j in range(columns.start, columns.stop, PIECE[1]):
                some, few = slice(i, min(i + PIECE[0], rows.stop)), slice(j, min(j + PIECE[1], columns.stop))
                piece = buffer[: some.stop - i, : few.stop - j]
                self.fill(some, few, piece)
                r[i - rows.start : some.stop - rows.start] -= piece @ x[j - columns.start : few.stop - columns.start]

    def sums_of_magnitudes(self, rows: slice) -> NDArray[np.float64]:
        """Return the sum of the magnitudes of each of some whole rows, shape (rows,); its bits depend on no other."""
        count = rows.stop - rows.start
        if not self._compiled:
            magnitudes = (np.abs(congruential.values(start, *self._jumps)) for start in self._starts[rows, None])
            return np.array([row.sum() for row in magnitudes])
        starts = np.zeros(-(-count // ROWS_TOGETHER) * ROWS_TOGETHER, np.uint64)
        starts[:count] = self._starts[rows]
        sums = np.zeros(len(starts))
        congruential.reduce_kernel("magnitude")(sums, starts, *self._jumps, np.zeros(self.n))
        return sums[:count]

    @cached_property
    def diagonal(self) -> NDArray[np.float64]:
        """The diagonal, shape (n,)."""
        return sequence(self.state, slice(0, self.n), 1 + self.n)

    @cached_property
    def _starts(self) -> NDArray[np.uint64]:
        """The states of all rows in column 0, shape (n,)."""
        factors, shifts = congruential.jumps(1, 1, self.n)
        return factors * np.uint64(self.state) + shifts

    @cached_property
    def _jumps(self) -> NDArray[np.uint64]:
        """Factors and shifts that carry a state from column 0 to each column, shape (2, n)."""
        return np.array(congruential.jumps(0, self.n, self.n))


def sequence(state: int, places: slice, stride: int = 1) -> NDArray[np.float64]:
    """Return the numbers at some places, in units of the stride, of the sequence that follows a state."""
    jumps = congruential.jumps(1 + places.start * stride, stride, places.stop - places.start)
    return congruential.values(np.array([state], np.uint64), *jumps)[0]


def create(n: int, condition: float = 0.0, seed: int = 0) -> RandomUniform:
    """Return the matrix of a size.

    Parameters
    ----------
    n : int
        Size.
    condition : float
        Ignored; the condition number is typically a small multiple of n.
    seed : int
        From 0; another matrix for each, whose sequence starts 2^32 entries further on.
    """
    factor, shift = congruential.jump(seed << 32)
    return RandomUniform(n, (factor + shift) % congruential.WORD)
