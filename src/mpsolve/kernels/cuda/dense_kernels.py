"""The kernels of dense matrices on a device: blocks lie there, vectors and small results on the host."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpsolve.errors import BackendUnavailable
from mpsolve.formats.base import Format
from mpsolve.kernels.congruential import Congruential
from mpsolve.kernels.cuda import dense
from mpsolve.kernels.cuda.devices.base import Device, DeviceArray
from mpsolve.kernels.cuda.launching import launch_size
from mpsolve.kernels.cuda.source import Kernel
from mpsolve.kernels.dense import DenseKernels, HeldMatrix

#: Part of the free memory that a held FP64 matrix may take: the rest is for the factors, which come after it.
HELD_PART = 0.6


class DeviceKernels(DenseKernels):
    """Kernels of one device; see `DenseKernels` for the methods.

    Parameters
    ----------
    device : Device
        Holds the blocks.
    host : DenseKernels
        For blocks that are NumPy arrays: matrices that do not fit the device, and panels with row exchanges.
    """

    on_host = False
    leaf = dense.LEAF
    smallest_triangle = 256

    def __init__(self, device: Device, host: DenseKernels) -> None:
        self.device, self.host = device, host

    def empty(self, shape: tuple[int, int], dtype: np.dtype[Any]) -> DeviceArray:
        """Return a new block."""
        return self.device.zeros(shape, np.dtype(dtype))

    def zeros(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> DeviceArray:
        """Return a new array of zeros."""
        return self.device.zeros(shape, np.dtype(dtype))

    def upload(self, values: NDArray[Any]) -> DeviceArray:
        """Return a copy on the device."""
        return self.device.upload(np.ascontiguousarray(values))

    def download(self, block: DeviceArray) -> NDArray[Any]:
        """Return a copy on the host."""
        return self.device.download(block)

    def write(self, block: DeviceArray, values: NDArray[Any]) -> None:
        """Copy values to a block."""
        block[...] = self.upload(values)

    def _cells(self, kernel: Kernel, before: Sequence[Any], shape: tuple[int, ...], after: Sequence[Any] = ()) -> None:
        """Run a kernel over all cells of a shape."""
        if min(shape) > 0:
            lo = (0,) * len(shape)
            grid, block = launch_size(self.device, lo, shape, bool(after))
            self.device.compiled(kernel)(grid, block, [*before, *lo, *shape, *after])

    def diagonal(self, block: DeviceArray) -> NDArray[Any]:
        """Return a copy of the diagonal."""
        n = min(block.shape)
        places, few = self.upload(np.arange(n)), self.device.zeros((n,), np.dtype(np.float64))
        kernel = dense.entries_kernel("take", block.dtype.name)
        self._cells(kernel, [*_matrix(block), places, places, few], (n,))
        return self.download(few).astype(block.dtype)

    def take(self, block: DeviceArray, rows: NDArray[np.int64]) -> DeviceArray:
        """Return a block of some rows."""
        few = self.device.zeros((len(rows), block.shape[1]), block.dtype)
        self._rows("take", block, rows, few)
        return few

    def put(self, block: DeviceArray, rows: NDArray[np.int64], values: DeviceArray) -> None:
        """Write some rows."""
        self._rows("put", block, rows, values)

    def _rows(self, direction: str, block: DeviceArray, rows: NDArray[np.int64], few: DeviceArray) -> None:
        kernel, at = dense.rows_kernel(direction, block.dtype.name), self.upload(np.asarray(rows, np.int64))
        self._cells(kernel, [*_matrix(block), at, few, _distance(few)], few.shape)

    def encode(self, target: DeviceArray, source: DeviceArray, format: Format, scale: float) -> None:
        """Round to a format."""
        kernel = dense.encode_kernel(format, source.dtype.name)
        self._cells(kernel, [target, *_matrix(source), scale, source.shape[1]], source.shape)

    def largest(self, block: DeviceArray) -> float:
        """Return the largest magnitude."""
        found = self.device.zeros((1,), np.dtype(np.uint64))
        self._cells(dense.largest_kernel(block.dtype.name), _matrix(block), block.shape, [found])
        return float(self.download(found).view(np.float64)[0])

    def eliminate(self, block: DeviceArray, inverse_lower: DeviceArray, inverse_upper: DeviceArray) -> None:
        """Factor and invert a small block."""
        kernel = dense.eliminate_kernel(block.dtype.name)
        given = [*_matrix(block), len(block), *_matrix(inverse_lower), *_matrix(inverse_upper)]
        self.device.compiled(kernel)((1,), (self.device.together(dense.THREADS),), given)

    def eliminate_columns(self, panel: DeviceArray, first: int, last: int, pivots: NDArray[np.int64]) -> int:
        """Refuse: panels with row exchanges are factored by the host.

        Raises
        ------
        BackendUnavailable
            Always.
        """
        raise BackendUnavailable("row exchanges are chosen by the host; see DeviceKernels.host")

    def eliminate_column(self, panel: DeviceArray, top: int, column: int, last: int, pivot_row: NDArray[Any]) -> None:
        """Refuse, as `eliminate_columns`.

        Raises
        ------
        BackendUnavailable
            Always.
        """
        raise BackendUnavailable("row exchanges are chosen by the host; see DeviceKernels.host")

    def add_product(self, sums: NDArray[np.float64], block: Any, vectors: NDArray[np.float64]) -> None:
        """Add products with the block."""
        if isinstance(block, np.ndarray):
            self.host.add_product(sums, block, vectors)
        elif block.size and len(vectors):
            sums += self._product("stored", _matrix(block), block.dtype.name, block.shape, vectors, transposed=False)

    def add_transposed_product(self, sums: NDArray[np.float64], block: Any, vectors: NDArray[np.float64]) -> None:
        """Add products with the transposed block."""
        if isinstance(block, np.ndarray):
            self.host.add_transposed_product(sums, block, vectors)
        elif block.size and len(vectors):
            sums += self._product("stored", _matrix(block), block.dtype.name, block.shape, vectors, transposed=True)

    def _product(
        self,
        source: str,
        given: Sequence[Any],
        compute: str,
        shape: tuple[int, int],
        vectors: NDArray[np.float64],
        *,
        transposed: bool,
    ) -> NDArray[np.float64]:
        """Return the products of what a kernel reads, of a shape, with vectors."""
        rows, columns = shape
        result = self.device.zeros((len(vectors), columns if transposed else rows), np.dtype(np.float64))
        kernel = dense.product_kernel(source, compute, transposed=transposed)
        if transposed:
            grid, block = launch_size(self.device, (0,), (columns,), sums=False)
        else:
            block = (self.device.together(dense.ROW_THREADS), self.device.block[1])
            grid = (max(1, min(-(-rows // block[1]), self.device.most_blocks)),)
        run = self.device.compiled(kernel)
        run(grid, block, [*given, rows, columns, len(vectors), self.upload(vectors), result])
        return self.download(result)

    def substitute(self, block: DeviceArray, vectors: NDArray[np.float64], *, upper: bool, transposed: bool) -> None:
        """Solve with a triangle."""
        kernel, held = dense.substitute_kernel(block.dtype.name), self.upload(vectors)
        if held.size:
            threads = (self.device.together(dense.THREADS),)
            given = [*_matrix(block), len(block), held, int(upper), int(transposed)]
            self.device.compiled(kernel)((len(vectors),), threads, given)
            vectors[...] = self.download(held)

    def hold(
        self, rows: NDArray[np.int64], columns: NDArray[np.int64], given: NDArray[np.float64] | Congruential | None
    ) -> HeldMatrix | None:
        """Keep the FP64 matrix; see `DenseKernels.hold`."""
        if isinstance(given, Congruential):
            return Generated(self, rows, columns, given)
        if given is None or given.nbytes > HELD_PART * self.device.free_bytes():
            return None
        return Stored(self, given)

    def mark(self) -> Any:
        """Return a mark; see `DenseKernels.mark`."""
        return self.device.mark()

    def beside(self, mark: Any) -> AbstractContextManager[None]:
        """Do something beside; see `DenseKernels.beside`."""
        return self.device.beside(mark)


class Stored(HeldMatrix):
    """A matrix in the memory of the device."""

    def __init__(self, kernels: DeviceKernels, values: NDArray[np.float64]) -> None:
        self.kernels, self.values = kernels, kernels.upload(values)

    def copy_to(self, out: DeviceArray, rows: NDArray[np.float64] | None, columns: NDArray[np.float64] | None) -> None:
        """Write the scaled matrix."""
        _copy(self.kernels, "stored", _matrix(self.values), out, rows, columns)

    def product(self, vectors: NDArray[np.float64], *, transposed: bool) -> NDArray[np.float64]:
        """Multiply."""
        given, shape = _matrix(self.values), self.values.shape
        return self.kernels._product("stored", given, "float64", shape, vectors, transposed=transposed)


class Generated(HeldMatrix):
    """A matrix whose entries the device computes each time they are needed."""

    def __init__(
        self, kernels: DeviceKernels, rows: NDArray[np.int64], columns: NDArray[np.int64], entries: Congruential
    ) -> None:
        self.kernels, self.shape = kernels, (len(rows), len(columns))
        jumps = entries.starts[rows], entries.factors[columns], entries.shifts[columns]
        self.given = [kernels.upload(values) for values in jumps]
        # Where the diagonal of the whole matrix lies here: both are in ascending order.
        _, self.at_rows, self.at_columns = np.intersect1d(rows, columns, assume_unique=True, return_indices=True)
        self.diagonal = self.excess = None
        if entries.diagonal is not None and entries.replaced is not None:
            here = rows[self.at_rows]
            self.diagonal, self.excess = entries.diagonal[here], (entries.diagonal - entries.replaced)[here]

    def copy_to(self, out: DeviceArray, rows: NDArray[np.float64] | None, columns: NDArray[np.float64] | None) -> None:
        """Write the scaled matrix."""
        _copy(self.kernels, "generated", self.given, out, rows, columns)
        if self.diagonal is not None:
            few = self.diagonal.copy()
            few *= 1.0 if rows is None else rows[self.at_rows]
            few *= 1.0 if columns is None else columns[self.at_columns]
            places = [self.kernels.upload(np.asarray(at, np.int64)) for at in (self.at_rows, self.at_columns)]
            kernel = dense.entries_kernel("put", out.dtype.name)
            self.kernels._cells(kernel, [*_matrix(out), *places, self.kernels.upload(few)], few.shape)

    def product(self, vectors: NDArray[np.float64], *, transposed: bool) -> NDArray[np.float64]:
        """Multiply; what replaces the diagonal is added by the host."""
        if min(self.shape) == 0:
            return np.zeros((len(vectors), self.shape[1 if transposed else 0]))
        product = self.kernels._product("generated", self.given, "float64", self.shape, vectors, transposed=transposed)
        if self.excess is not None:
            into, out_of = (self.at_columns, self.at_rows) if transposed else (self.at_rows, self.at_columns)
            product[:, into] += self.excess * vectors[:, out_of]
        return product


def _copy(
    kernels: DeviceKernels,
    source: str,
    given: Sequence[Any],
    out: DeviceArray,
    rows: NDArray[np.float64] | None,
    columns: NDArray[np.float64] | None,
) -> None:
    """Write a scaled copy of what a kernel reads."""
    factors = [
        kernels.upload(np.ones(n) if some is None else some) for n, some in zip(out.shape, (rows, columns), strict=True)
    ]
    kernel = dense.copy_kernel(source, out.dtype.name)
    kernels._cells(kernel, [out, _distance(out), *given, *factors], out.shape)


def _distance(block: DeviceArray) -> int:
    """Return the distance of the rows of a block in numbers."""
    return block.strides[0] // block.dtype.itemsize


def _matrix(block: DeviceArray) -> list[Any]:
    """Return the arguments that stand for a block."""
    return [block, _distance(block)]
