"""The matrix of the HPL-MxP benchmark: uniform random numbers, and a diagonal as large as the rest of its row."""

from collections.abc import Callable
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpsolve.kernels.flat import flat
from mpsolve.models.matrices.base import Matrix

OPTIONS = ()

#: Seeds of the matrix and of the right-hand side.
MATRIX_SEED, VECTOR_SEED = 1, 2
#: Rows whose states are computed at once where a whole column of sums is wanted.
ROWS_AT_ONCE = 1024


class HplMxp(Matrix):
    """Uniform random entries in column-major order from seed 1; each diagonal entry is the sum of its row's magnitudes.

    The generator and the order are those of the reference implementation (github.com/hpl-ai/hpl-ai); every block is
    found by a jump, so that the matrix does not depend on how it is dealt out.

    Parameters
    ----------
    n : int
        Size.
    """

    stable_without_pivoting = True

    def __init__(self, n: int) -> None:
        self.n = n
        self._diagonal: NDArray[np.float64] | None = None
        self._compiled = find_spec("numba") is not None

    @property
    def diagonal(self) -> NDArray[np.float64]:
        """The diagonal, shape (n,); computed at once if the matrix was not prepared."""
        if self._diagonal is None:
            self._diagonal = self._sums_of_rows(slice(0, self.n))
        return self._diagonal

    def prepare(self, share: slice, combine: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> None:
        """Sum up this rank's share of the rows; see `Matrix.prepare`."""
        part = np.zeros(self.n)
        part[share] = self._sums_of_rows(share)
        self._diagonal = combine(part)

    def block(self, rows: slice, columns: slice) -> NDArray[np.float64]:
        """Return a block; see `Matrix.block`."""
        out = np.empty((rows.stop - rows.start, columns.stop - columns.start))
        self.fill(rows, columns, out)
        return out

    def fill(self, rows: slice, columns: slice, out: NDArray[Any]) -> None:
        """Write a block; see `Matrix.fill`."""
        self._random(rows, columns, out)
        inside = _both(rows, columns)
        out[inside - rows.start, inside - columns.start] = self.diagonal[inside]

    def subtract_product(self, rows: slice, columns: slice, x: NDArray[np.float64], r: NDArray[np.float64]) -> None:
        """Multiply without storing entries, for one vector; see `Matrix.subtract_product`."""
        if x.shape[1] != 1 or not self._compiled:
            super().subtract_product(rows, columns, x, r)
            return
        from mpsolve.kernels.congruential import reduce_kernel

        sums, vector = np.zeros(len(r)), np.ascontiguousarray(x[:, 0])
        reduce_kernel("product")(sums, self._starts(rows), *self._jumps(columns), vector)
        # The random number that the diagonal entry replaces was counted too.
        inside = _both(rows, columns)
        given = self._random_at(inside) - self.diagonal[inside]
        sums[inside - rows.start] -= given * vector[inside - columns.start]
        r[:, 0] -= sums

    def right_hand_side(self, rows: slice) -> NDArray[np.float64]:
        """Return a part of the sequence from seed 2, shape (rows,)."""
        from mpsolve.kernels import congruential

        factors, shifts = congruential.jumps(rows.start + 1, 1, rows.stop - rows.start)
        return congruential.values(np.array([VECTOR_SEED], np.uint64), factors, shifts)[0]

    def _random(self, rows: slice, columns: slice, out: NDArray[Any]) -> None:
        """Write the random numbers of a block, those of the diagonal included."""
        from mpsolve.kernels import congruential

        starts, (factors, shifts) = self._starts(rows), self._jumps(columns)
        if self._compiled and out.dtype.name in ("float32", "float64") and out.strides[1] == out.itemsize:
            congruential.fill_kernel(out.dtype.name)(*flat(out), starts, factors, shifts)
        else:
            out[...] = congruential.values(starts, factors, shifts)

    def _random_at(self, places: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the random numbers of diagonal places."""
        from mpsolve.kernels import congruential

        if not len(places):
            return np.zeros(0)
        factors, shifts = congruential.jumps(int(places[0]) * (self.n + 1) + 1, self.n + 1, len(places))
        return congruential.values(np.array([MATRIX_SEED], np.uint64), factors, shifts)[0]

    def _sums_of_rows(self, rows: slice) -> NDArray[np.float64]:
        """Return the sums of the magnitudes of whole rows without the diagonal."""
        from mpsolve.kernels import congruential

        sums, (factors, shifts) = np.zeros(rows.stop - rows.start), self._jumps(slice(0, self.n))
        for start in range(0, len(sums), ROWS_AT_ONCE):
            some = slice(start, min(start + ROWS_AT_ONCE, len(sums)))
            starts = self._starts(slice(rows.start + some.start, rows.start + some.stop))
            if self._compiled:
                congruential.reduce_kernel("magnitude")(sums[some], starts, factors, shifts, np.zeros(self.n))
            else:
                sums[some] = np.abs(congruential.values(starts, factors, shifts)).sum(axis=1)
        return sums - np.abs(self._random_at(np.arange(rows.start, rows.stop)))

    def _starts(self, rows: slice) -> NDArray[np.uint64]:
        """Return the states of the rows in column 0."""
        from mpsolve.kernels import congruential

        factors, shifts = congruential.jumps(rows.start + 1, 1, rows.stop - rows.start)
        return factors * np.uint64(MATRIX_SEED) + shifts

    def _jumps(self, columns: slice) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """Return what carries a state from column 0 to each column."""
        return _jumps_of_columns(self.n, columns.start, columns.stop)


@lru_cache(maxsize=64)
def _jumps_of_columns(n: int, start: int, stop: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    from mpsolve.kernels import congruential

    return congruential.jumps(start * n, n, stop - start)


def _both(rows: slice, columns: slice) -> NDArray[np.int64]:
    """Return the indices that are among the rows and among the columns."""
    return np.arange(max(rows.start, columns.start), max(rows.start, columns.start, min(rows.stop, columns.stop)))


def create(n: int, condition: float = 0.0, seed: int = 0) -> Matrix:
    """Return the matrix of a size; it has no options."""
    return HplMxp(n)
