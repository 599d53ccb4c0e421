"""Kernels of dense matrices compiled by Numba, rows shared out to threads."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpsolve.formats.base import Format
from mpsolve.kernels import dense_sources as sources
from mpsolve.kernels.compile import load_kernel
from mpsolve.kernels.dense import DenseKernels
from mpsolve.kernels.flat import flat

#: Below this many elements a second thread costs more than it saves.
ELEMENTS_PER_THREAD = 1 << 16

#: Runs a kernel once per tuple of arguments, on as many threads.
Run = Callable[[Callable, Sequence[tuple]], None]


@cache
def _kernel(template: str, kind: str, **values: Any) -> Callable:
    """Return the compiled kernel of a text for an element type."""
    words = {"float32": ("uint32", 0x7FFFFFFF), "float64": ("uint64", 0x7FFFFFFFFFFFFFFF)}[kind]
    known = {"type": kind, "word": words[0], "mask": words[1], "smallest": float(np.finfo(kind).tiny)}
    return load_kernel((sources.HEAD + template).format(**known, **values))


class CompiledKernels(DenseKernels):
    """Numba; see `DenseKernels` for the methods.

    Parameters
    ----------
    threads : int
        Cores to use.
    run : callable
        Runs a kernel on threads: `CpuBackend.run`.
    """

    def __init__(self, threads: int, run: Run) -> None:
        self.threads, self.run = threads, run

    def _shares(self, count: int, elements: int, unit: int = 1) -> Iterator[tuple[int, int]]:
        """Cut ``count`` into a share for each thread that has enough to do, at multiples of ``unit``."""
        parts = max(1, min(self.threads, elements // ELEMENTS_PER_THREAD, count // unit))
        cuts = [count * part // parts // unit * unit for part in range(parts)] + [count]
        return zip(cuts, cuts[1:], strict=False)

    def encode(self, target: NDArray[Any], source: NDArray[Any], format: Format, scale: float) -> None:
        """Round to a format."""
        kernel = _kernel(
            sources.ENCODE, source.dtype.name,
            format=format.name, storage=format.storage.name, compute=_compute(format, source),
        )  # fmt: skip
        array, distance = flat(source)
        fixed = target.reshape(-1), array, distance, source.shape[1]
        shares = self._shares(len(source), source.size)
        self.run(kernel, [(*fixed, lo, hi, source.dtype.type(scale)) for lo, hi in shares])

    def largest(self, block: NDArray[Any]) -> float:
        """Return the largest magnitude."""
        array, distance = flat(block)
        shares = list(self._shares(len(block), block.size))
        found = np.zeros(len(shares), block.dtype)
        kernel, columns = _kernel(sources.LARGEST, block.dtype.name), block.shape[1]
        self.run(kernel, [(found, array, distance, columns, place, lo, hi) for place, (lo, hi) in enumerate(shares)])
        return float(found.max())

    def eliminate(self, block: NDArray[Any], inverse_lower: NDArray[Any], inverse_upper: NDArray[Any]) -> None:
        """Factor and invert a small block."""
        n = len(block)
        lower, upper = np.empty((n, n)), np.empty((n, n))
        _kernel(sources.ELIMINATE, block.dtype.name)(*flat(block), n, lower, upper)
        with np.errstate(over="ignore", invalid="ignore"):
            inverse_lower[...], inverse_upper[...] = lower, upper

    def eliminate_columns(self, panel: NDArray[Any], first: int, last: int, pivots: NDArray[np.int64]) -> int:
        """Factor some columns with partial pivoting."""
        kernel = _kernel(sources.COLUMNS, panel.dtype.name)
        return int(kernel(panel.reshape(-1), *panel.shape, first, last, pivots))

    def eliminate_column(self, panel: NDArray[Any], top: int, column: int, last: int, pivot_row: NDArray[Any]) -> None:
        """Eliminate below one pivot."""
        kernel = _kernel(sources.COLUMN, panel.dtype.name)
        kernel(panel.reshape(-1), *panel.shape, top, column, last, pivot_row)

    def add_product(self, sums: NDArray[np.float64], block: NDArray[Any], vectors: NDArray[np.float64]) -> None:
        """Add products with the block."""
        array, distance = flat(block)
        fixed = sums, array, distance, block.shape[1], np.ascontiguousarray(vectors)
        shares = self._shares(len(block), block.size * len(vectors))
        self._into(sums, _kernel(sources.PRODUCT, block.dtype.name), fixed, list(shares))

    def add_transposed_product(
        self, sums: NDArray[np.float64], block: NDArray[Any], vectors: NDArray[np.float64]
    ) -> None:
        """Add products with the transposed block."""
        array, distance = flat(block)
        fixed = sums, array, distance, len(block), np.ascontiguousarray(vectors)
        shares = self._shares(block.shape[1], block.size * len(vectors), unit=16)
        self._into(sums, _kernel(sources.TRANSPOSED, block.dtype.name), fixed, list(shares))

    def _into(self, sums: NDArray, kernel: Callable, fixed: tuple, shares: list[tuple[int, int]]) -> None:
        """Run a kernel that adds to contiguous sums, or to a copy of sums that are not."""
        whole = np.ascontiguousarray(sums)
        self.run(kernel, [(whole, *fixed[1:], lo, hi) for lo, hi in shares])
        if whole is not sums:
            sums[...] = whole

    def substitute(self, block: NDArray[Any], vectors: NDArray[np.float64], *, upper: bool, transposed: bool) -> None:
        """Solve with a triangle."""
        whole = np.ascontiguousarray(vectors)
        _kernel(sources.SUBSTITUTE, block.dtype.name)(*flat(block), len(block), whole, upper, transposed)
        if whole is not vectors:
            vectors[...] = whole


def _compute(format: Format, source: NDArray[Any]) -> str:
    """Return the type that a number is encoded from: a wider source is not rounded twice."""
    return "float64" if source.dtype == np.float64 and format.name == "fp64" else format.compute.name
