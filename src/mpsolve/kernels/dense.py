"""The contract of the kernels of dense matrices: what a factorisation and its solves need beside matrix products."""

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpsolve.field import aligned_zeros
from mpsolve.formats.base import Format
from mpsolve.kernels.congruential import Congruential


class HeldMatrix(ABC):
    """A rank's part of an FP64 matrix on its device: stored there, or computed there each time."""

    @abstractmethod
    def copy_to(self, out: Any, rows: NDArray[np.float64] | None, columns: NDArray[np.float64] | None) -> None:
        """Write the part to a block of FP32 or FP64, multiplied by a factor for each row and column if given."""

    @abstractmethod
    def product(self, vectors: NDArray[np.float64], *, transposed: bool) -> NDArray[np.float64]:
        """Return the product of the part, or its transpose, with each vector in FP64; vectors lie on the host."""


class DenseKernels(ABC):
    """Kernels on blocks of matrices whose rows are contiguous, at any distance from each other, in FP32 or FP64.

    Blocks are NumPy arrays, or arrays of the device of the backend, made by `empty`, `zeros` and `upload`. Vectors are
    the rows of FP64 arrays of NumPy, shape (count, n): each one contiguous.

    Attributes
    ----------
    on_host : bool
        Whether blocks are NumPy arrays.
    leaf : int
        Largest diagonal block that `eliminate` takes.
    smallest_triangle : int
        Triangles are halved down to this size: smaller products are slower by more than they save.
    """

    on_host: bool = True
    leaf: int = 64
    smallest_triangle: int = 128

    def empty(self, shape: tuple[int, int], dtype: np.dtype[Any]) -> Any:
        """Return a new C-contiguous block, whatever it holds."""
        return np.empty(shape, dtype)

    def zeros(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
        """Return a new C-contiguous array of zeros, aligned to cache lines."""
        return aligned_zeros(shape, dtype)

    def upload(self, values: NDArray[Any]) -> Any:
        """Return a block with the values of a NumPy array: on the host the array itself."""
        return values

    def download(self, block: Any) -> NDArray[Any]:
        """Return the values of a block as a NumPy array: on the host the block itself."""
        return block

    def write(self, block: Any, values: NDArray[Any]) -> None:
        """Write the values of a NumPy array to a block of the same shape."""
        if block is not values:
            block[...] = values

    def diagonal(self, block: Any) -> NDArray[Any]:
        """Return the diagonal of a square block."""
        return np.diagonal(block)

    def take(self, block: Any, rows: NDArray[np.int64]) -> Any:
        """Return a new block of some rows."""
        return block[rows]

    def put(self, block: Any, rows: NDArray[np.int64], values: Any) -> None:
        """Write the rows of a block to some rows of another, in place."""
        block[rows] = values

    def hold(
        self, rows: NDArray[np.int64], columns: NDArray[np.int64], given: NDArray[np.float64] | Congruential | None
    ) -> HeldMatrix | None:
        """Keep the FP64 matrix on the device, if there is one and the matrix fits (local).

        Parameters
        ----------
        rows, columns : ndarray of int64
            Global indices of this rank's part.
        given : ndarray of float64, Congruential or None
            This rank's part, or how its entries are computed; None if only the host can tell.

        Returns
        -------
        HeldMatrix or None
            None: the host is to do what the FP64 matrix is needed for.
        """
        return None

    def mark(self) -> Any:
        """Return a mark of what the device has been told to do so far."""
        return None

    def beside(self, mark: Any) -> AbstractContextManager[None]:
        """Let the device do what follows beside what it was told after a mark; what comes later waits for both."""
        return nullcontext()

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
