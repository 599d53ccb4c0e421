"""The matrix of the HPL-MxP benchmark: uniform random numbers, and a diagonal as large as the rest of its row."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpsolve.kernels.congruential import Congruential
from mpsolve.models.matrices.base import Matrix
from mpsolve.models.matrices.random_uniform import RandomUniform, sequence

OPTIONS = ()

#: Seeds of the matrix and of the right-hand side.
MATRIX_SEED, VECTOR_SEED = 1, 2


class HplMxp(Matrix):
    """Uniform random entries in column-major order from seed 1; each diagonal entry is the sum of its row's magnitudes.

    The generator, the order and the seeds are those of the reference implementation (github.com/hpl-ai/hpl-ai,
    ``matgen.c``): ``s <- 6364136223846793005 s + 1`` modulo 2^64, and the number is ``s 2^-64 - 0.5``. The bits do not
    depend on how the matrix is dealt out. Sums on the diagonal are rounded in another order than there, and in another
    one without Numba.

    Parameters
    ----------
    n : int
        Size.
    """

    stable_without_pivoting = True

    def __init__(self, n: int) -> None:
        self.n, self.random = n, RandomUniform(n, MATRIX_SEED)
        self._diagonal: NDArray[np.float64] | None = None

    @property
    def diagonal(self) -> NDArray[np.float64]:
        """The diagonal, shape (n,); computed at once, over all entries, if the matrix was not prepared."""
        if self._diagonal is None:
            self._diagonal = self._sums_of_others(slice(0, self.n))
        return self._diagonal

    @property
    def congruential(self) -> Congruential:
        """The random numbers, and the diagonal instead of those there."""
        return replace(self.random.congruential, replaced=self.random.diagonal, diagonal=self.diagonal)

    def prepare(self, share: slice, combine: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> None:
        """Sum up this rank's share of the rows; see `Matrix.prepare`."""
        part = np.zeros(self.n)
        part[share] = self._sums_of_others(share)
        self._diagonal = combine(part)

    def block(self, rows: slice, columns: slice) -> NDArray[np.float64]:
        """Return a block; see `Matrix.block`."""
        out = np.empty((rows.stop - rows.start, columns.stop - columns.start))
        self.fill(rows, columns, out)
        return out

    def fill(self, rows: slice, columns: slice, out: NDArray[Any]) -> None:
        """Write a block whose FP64 numbers are never stored; see `Matrix.fill`."""
        self.random.fill(rows, columns, out)
        inside = _both(rows, columns)
        if len(inside):
            out[inside - rows.start, inside - columns.start] = self.diagonal[inside]

    def subtract_product(self, rows: slice, columns: slice, x: NDArray[np.float64], r: NDArray[np.float64]) -> None:
        """Multiply without storing entries; see `Matrix.subtract_product`."""
        self.random.subtract_product(rows, columns, x, r)
        # The random number that the diagonal entry replaces was counted too.
        inside = _both(rows, columns)
        if len(inside):
            excess = self.diagonal[inside] - self.random.diagonal[inside]
            r[inside - rows.start] -= excess[:, None] * x[inside - columns.start]

    def right_hand_side(self, rows: slice) -> NDArray[np.float64]:
        """Return a part of the sequence from seed 2, shape (rows,)."""
        return sequence(VECTOR_SEED, rows)

    def _sums_of_others(self, rows: slice) -> NDArray[np.float64]:
        """Return the sum of the magnitudes of each row without its place on the diagonal."""
        return self.random.sums_of_magnitudes(rows) - np.abs(self.random.diagonal[rows])


def _both(rows: slice, columns: slice) -> NDArray[np.int64]:
    """Return the indices that are among the rows and among the columns."""
    first, last = max(rows.start, columns.start), min(rows.stop, columns.stop)
    return np.arange(first, max(first, last))


def create(n: int, condition: float = 0.0, seed: int = 0) -> Matrix:
    """Return the matrix of a size; it has no options."""
    return HplMxp(n)
