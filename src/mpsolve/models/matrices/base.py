"""The contract of a matrix: any block of it in FP64, on demand, on any rank."""

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray


class Matrix(ABC):
    """A square matrix of which any rank can get any block, whether it is computed or read from a file.

    An entry of this folder is a module with ``create(n, condition, seed)``, which returns a `Matrix`; ``condition`` and
    ``seed`` are ignored where ``OPTIONS``, a tuple of their names, does not list them.

    Attributes
    ----------
    n : int
        Number of rows and of columns.
    stable_without_pivoting : bool
        Whether LU without row exchanges is known to be stable, as for diagonally dominant matrices.
    """

    n: int
    stable_without_pivoting: bool = False

    @abstractmethod
    def block(self, rows: slice, columns: slice) -> NDArray[np.float64]:
        """Return a block in FP64 (local).

        Parameters
        ----------
        rows, columns : slice
            Global indices, start and stop given, step 1.

        Returns
        -------
        ndarray of float64, shape (rows, columns)
            A new array, or a view for reading only.
        """

    def subtract_product(self, rows: slice, columns: slice, x: NDArray[np.float64], r: NDArray[np.float64]) -> None:
        """Compute ``r -= A[rows, columns] @ x`` in FP64 (local, in place).

        Entries that are cheap to compute need never be stored: an entry of this folder may fuse the two.

        Parameters
        ----------
        rows, columns : slice
            As for `block`.
        x : ndarray of float64, shape (columns, k)
            The columns' part of k vectors.
        r : ndarray of float64, shape (rows, k)
            The rows' part of k results.
        """
        r -= self.block(rows, columns) @ x

    def absolute_row_sums(self, rows: slice, columns: slice) -> NDArray[np.float64]:
        """Return the sums of the magnitudes of a block along its rows, shape (rows,) (local)."""
        return np.abs(self.block(rows, columns)).sum(axis=1)

    def right_hand_side(self, rows: slice) -> NDArray[np.float64]:
        """Return a part of the right-hand side that belongs to the matrix, shape (rows,) (local).

        By default the sum of each row: the solution is then a vector of ones.
        """
        return self.block(rows, slice(0, self.n)).sum(axis=1)
