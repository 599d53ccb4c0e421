"""The contract of the kernels of dense matrices: what a factorisation and its solves need beside matrix products."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpsolve.formats.base import Format


class DenseKernels(ABC):
    """Kernels on blocks of matrices whose rows are contiguous, at any distance from each other, in FP32 or FP64.

    Vectors are the rows of FP64 arrays, shape (count, n): each one contiguous.
    """

    @abstractmethod
    def encode(self, target: NDArray[Any], source: NDArray[Any], format: Format, scale: float) -> None:
        """Round ``scale * source`` to a format, to nearest; what overflows becomes infinity or NaN (in place).

        Parameters
        ----------
        target : ndarray of the format's storage type, shape (m, n)
            Written.
        source : ndarray of float32 or float64, shape (m, n)
            Read.
        scale : float
            A power of two.
        """

    @abstractmethod
    def largest(self, block: NDArray[Any]) -> float:
        """Return the largest magnitude of a block, NaN if there is a NaN, 0 if it is empty."""

    @abstractmethod
    def eliminate(self, block: NDArray[Any], inverse_lower: NDArray[Any], inverse_upper: NDArray[Any]) -> None:
        """Factor a small square block without row exchanges, in place, and invert both factors.

        The unit lower factor replaces what is below the diagonal. A zero pivot leaves infinities and NaN.
        """

    @abstractmethod
    def eliminate_columns(self, panel: NDArray[Any], first: int, last: int, pivots: NDArray[np.int64]) -> int:
        """Factor columns ``first`` to ``last`` of a panel with partial pivoting, in place.

        The rows above ``first`` are done; whole rows of the panel are exchanged, columns from ``last`` on not updated.

        Parameters
        ----------
        panel : ndarray, shape (m, width)
            C-contiguous.
        first, last : int
            Columns.
        pivots : ndarray of int64
            Entry j is set to the row that was exchanged with row j.

        Returns
        -------
        int
            The first column without a nonzero pivot, or -1.
        """

    @abstractmethod
    def eliminate_column(self, panel: NDArray[Any], top: int, column: int, last: int, pivot_row: NDArray[Any]) -> None:
        """Divide a column from row ``top`` on by the pivot, and update columns up to ``last`` (in place).

        Parameters
        ----------
        panel : ndarray, shape (m, width)
            C-contiguous.
        pivot_row : ndarray, shape (width,)
            The row of the pivot, which may lie on another rank.
        """

    @abstractmethod
    def add_product(self, sums: NDArray[np.float64], block: NDArray[Any], vectors: NDArray[np.float64]) -> None:
        """Compute ``sums[v] += block @ vectors[v]`` in FP64 for every vector v (in place)."""

    @abstractmethod
    def add_transposed_product(
        self, sums: NDArray[np.float64], block: NDArray[Any], vectors: NDArray[np.float64]
    ) -> None:
        """Compute ``sums[v] += block.T @ vectors[v]`` in FP64 for every vector v (in place)."""

    @abstractmethod
    def substitute(self, block: NDArray[Any], vectors: NDArray[np.float64], *, upper: bool, transposed: bool) -> None:
        """Solve with the upper, or the unit lower, triangle of a square block or its transpose in FP64 (in place)."""
