"""The contract of a matrix: any block of it in FP64, on demand, on any rank."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpsolve.errors import ConfigError, FormatError, ShapeError
from mpsolve.kernels.congruential import Congruential

#: Takes row indices of shape (m, 1) and column indices of shape (1, k), and returns the (m, k) entries.
Formula = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[Any]]


class Matrix(ABC):
    """A square matrix of which any rank can get any block, whether it is computed or read from a file.

    An entry of this folder is a module with ``create(n, condition, seed)``, which returns a `Matrix`; ``condition`` and
    ``seed`` are ignored where ``OPTIONS``, a tuple of their names, does not list them; a condition of 0 stands for the
    default of the matrix. The entries do not depend on the blocks that are asked for, and threads may ask at once.

    Attributes
    ----------
    n : int
        Number of rows and of columns.
    stable_without_pivoting : bool
        Whether LU without row exchanges is known to be stable, as for diagonally dominant matrices.
    """

    n: int
    stable_without_pivoting: bool = False

    @property
    def congruential(self) -> Congruential | None:
        """How a device computes the entries without the host; None if only the host can."""
        return None

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

    def prepare(  # noqa: B027 - most matrices need no preparation
        self, share: slice, combine: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    ) -> None:
        """Compute what all blocks need, each rank a share of it (collective); nothing by default.

        Called once before the first block is asked for, where several ranks share the matrix. A matrix that was not
        prepared computes everything itself when it is needed.

        Parameters
        ----------
        share : slice
            Rows that this rank should look at.
        combine : callable
            Sums an array over the ranks and returns the sum on all of them.
        """

    def fill(self, rows: slice, columns: slice, out: NDArray[Any]) -> None:
        """Write a block to an array of its shape, rounded to nearest in the array's type (local).

        An entry of this folder that computes its entries may write them without storing them in FP64 first.

        Parameters
        ----------
        rows, columns : slice
            As for `block`.
        out : ndarray of float32 or float64, shape (rows, columns)
            May be a part of a larger array.
        """
        with np.errstate(over="ignore"):
            out[...] = self.block(rows, columns)

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

    def right_hand_side(self, rows: slice) -> NDArray[np.float64]:
        """Return a part of the right-hand side that belongs to the matrix, shape (rows,) (local).

        By default the sum of each row: the solution is then a vector of ones.
        """
        return self.block(rows, slice(0, self.n)).sum(axis=1)


class FormulaMatrix(Matrix):
    """A matrix whose entries are a function of their row and column.

    Parameters
    ----------
    n : int
        Size.
    formula : callable
        Takes row indices of shape (m, 1) and column indices of shape (1, k), counted from 0, and returns an (m, k)
        array of real numbers, or one that broadcasts to it. Called on every rank, for blocks of any shape.
    stable_without_pivoting : bool
        Whether LU without row exchanges is known to be stable.
    """

    def __init__(self, n: int, formula: Formula, *, stable_without_pivoting: bool = False) -> None:
        self.n, self.formula, self.stable_without_pivoting = n, formula, stable_without_pivoting

    def block(self, rows: slice, columns: slice) -> NDArray[np.float64]:
        """Evaluate the function on a block; see `Matrix.block`.

        Raises
        ------
        ShapeError, FormatError
            If the function returns something of another shape, or no real numbers.
        """
        i, j = np.arange(rows.start, rows.stop)[:, None], np.arange(columns.start, columns.stop)[None, :]
        values = np.asarray(self.formula(i, j))
        if values.dtype.kind not in "fiub" or values.dtype.itemsize > 8:
            raise FormatError(f"the function of the entries returned {values.dtype} values; it must return float64")
        try:
            whole = np.broadcast_to(values, (i.size, j.size))
        except ValueError:
            raise ShapeError(
                f"the function of the entries returned shape {values.shape} for {i.size} rows and {j.size} columns"
            ) from None
        return whole.astype(np.float64)


class ScaledMatrix(Matrix):
    """Another matrix whose rows and columns are multiplied by factors.

    Parameters
    ----------
    matrix : Matrix
        The other one.
    rows, columns : ndarray of float64, shape (n,)
        The factors.
    """

    def __init__(self, matrix: Matrix, rows: NDArray[np.float64], columns: NDArray[np.float64]) -> None:
        self.n, self.matrix, self.rows, self.columns = matrix.n, matrix, rows, columns

    def block(self, rows: slice, columns: slice) -> NDArray[np.float64]:
        """Return a scaled block; see `Matrix.block`."""
        return self.matrix.block(rows, columns) * self.rows[rows, None] * self.columns[columns]


def condition_or(default: float, condition: float) -> float:
    """Return the condition number that was asked for, or the default where it is 0.

    Raises
    ------
    ConfigError
        If no matrix has that condition number.

    Examples
    --------
    >>> condition_or(1e3, 0.0)
    1000.0
    """
    if condition and not 1.0 <= condition < math.inf:
        raise ConfigError(f"a condition number of {condition:g} is not possible; give a finite number from 1, or 0")
    return condition or default
