"""Kernels of dense matrices with NumPy: the oracle of the compiled ones."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpsolve.formats.base import Format
from mpsolve.kernels.dense import DenseKernels

#: Rows whose FP64 copies are multiplied at a time.
ROWS = 256


class ArrayKernels(DenseKernels):
    """NumPy; see `DenseKernels` for the methods."""

    def encode(self, target: NDArray[Any], source: NDArray[Any], format: Format, scale: float) -> None:
        """Round to a format."""
        with np.errstate(over="ignore", invalid="ignore"):
            target[...] = format.encode(source * source.dtype.type(scale) if scale != 1.0 else source)

    def largest(self, block: NDArray[Any]) -> float:
        """Return the largest magnitude."""
        if block.size == 0:
            return 0.0
        # Both ends propagate NaN.
        return max(-float(np.min(block)), float(np.max(block))) if not np.isnan(block).any() else float("nan")

    def eliminate(self, block: NDArray[Any], inverse_lower: NDArray[Any], inverse_upper: NDArray[Any]) -> None:
        """Factor and invert a small block."""
        n = len(block)
        with np.errstate(all="ignore"):
            for j in range(n):
                block[j + 1 :, j] /= block[j, j]
                block[j + 1 :, j + 1 :] -= np.outer(block[j + 1 :, j], block[j, j + 1 :])
            lower, upper = np.eye(n), np.eye(n)
            for j in range(n):
                lower[j] -= block[j, :j].astype(np.float64) @ lower[:j]
            for j in reversed(range(n)):
                upper[j] -= block[j, j + 1 :].astype(np.float64) @ upper[j + 1 :]
                upper[j] /= np.float64(block[j, j])
            inverse_lower[...], inverse_upper[...] = lower, upper

    def eliminate_columns(self, panel: NDArray[Any], first: int, last: int, pivots: NDArray[np.int64]) -> int:
        """Factor some columns with partial pivoting."""
        missing = -1
        for j in range(first, last):
            magnitudes = np.abs(panel[j:, j])
            magnitudes[np.isnan(magnitudes)] = np.inf
            pivot = j + int(np.argmax(magnitudes))
            pivots[j] = pivot
            panel[[j, pivot]] = panel[[pivot, j]]
            if panel[j, j] == 0:
                missing = j if missing < 0 else missing
                continue
            self.eliminate_column(panel, j + 1, j, last, panel[j])
        return missing

    def eliminate_column(self, panel: NDArray[Any], top: int, column: int, last: int, pivot_row: NDArray[Any]) -> None:
        """Eliminate below one pivot."""
        with np.errstate(all="ignore"):
            panel[top:, column] /= pivot_row[column]
            panel[top:, column + 1 : last] -= np.outer(panel[top:, column], pivot_row[column + 1 : last])

    def add_product(self, sums: NDArray[np.float64], block: NDArray[Any], vectors: NDArray[np.float64]) -> None:
        """Add products with the block."""
        for start in range(0, len(block), ROWS):
            rows = slice(start, start + ROWS)
            sums[:, rows] += vectors @ block[rows].astype(np.float64).T

    def add_transposed_product(
        self, sums: NDArray[np.float64], block: NDArray[Any], vectors: NDArray[np.float64]
    ) -> None:
        """Add products with the transposed block."""
        for start in range(0, len(block), ROWS):
            rows = slice(start, start + ROWS)
            sums += vectors[:, rows] @ block[rows].astype(np.float64)

    def substitute(self, block: NDArray[Any], vectors: NDArray[np.float64], *, upper: bool, transposed: bool) -> None:
        """Solve with a triangle."""
        triangle = block.astype(np.float64)
        triangle = triangle.T if transposed else triangle
        n = len(triangle)
        backward = upper != transposed
        with np.errstate(all="ignore"):
            for j in reversed(range(n)) if backward else range(n):
                done = slice(j + 1, n) if backward else slice(0, j)
                vectors[:, j] -= vectors[:, done] @ triangle[j, done]
                if upper:
                    vectors[:, j] /= triangle[j, j]
