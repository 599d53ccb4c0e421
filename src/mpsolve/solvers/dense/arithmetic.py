"""What a factorisation computes with: products in its format, products of panels, kernels."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from mpsolve import gemm_probe
from mpsolve.backends.base import Backend
from mpsolve.formats.base import Format
from mpsolve.gemm.base import Gemm
from mpsolve.kernels.dense import DenseKernels
from mpsolve.parallel.replicated import broadcast
from mpsolve.precision import get_format

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm

#: Formats with fewer exponent bits than FP32 are scaled panel by panel, so that their range is used.
FULL_RANGE_BITS = 8


class Arithmetic:
    """Products and kernels for one working format; the same choice on every rank.

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm
        The ranks; rank 0 measures and chooses (collective).
    backend : Backend
        Kernels and threads.
    format : Format
        Of the operands of the update, in memory and on the wire.
    gemm : str
        The name of a file in ``gemm``, or ``"auto"`` for the fastest here.

    Attributes
    ----------
    storage : numpy.dtype
        Of the matrix and its factors: float64 for fp64, float32 for all other formats.
    update : Gemm
        Products in the format.
    panels : Gemm
        Products in FP32, or FP64 for fp64: of panels, and of diagonal blocks with their inverses.
    kernels : DenseKernels
        Everything else.
    """

    def __init__(self, comm: Intracomm, backend: Backend, format: Format, gemm: str = "auto") -> None:
        self.comm, self.backend, self.format, self.storage = comm, backend, format, format.compute
        self.kernels: DenseKernels = backend.dense
        wide = get_format("fp64" if self.storage == np.float64 else "fp32")
        if backend.name == "reference" and gemm == "auto":
            gemm = "emulated"
        self.update: Gemm = backend.products(format, gemm) or self._agreed(comm, format.name, backend.threads, gemm)
        # A gemm that was asked for may not take FP32.
        wanted = "emulated" if gemm == "emulated" else "auto"
        self.panels: Gemm = backend.products(wide, wanted) or self._agreed(
            comm, wide.name, backend.threads, wanted, self.update.name
        )

    @staticmethod
    def _agreed(comm: Intracomm, format_name: str, threads: int, wanted: str, beside: str = "") -> Gemm:
        """Return the products that were asked for, or those that rank 0 finds the fastest (collective)."""
        if wanted == "auto":
            measured = gemm_probe.fastest(format_name, threads, beside) if comm.rank == 0 else ""
            wanted = comm.bcast(measured)
        return gemm_probe.choose(format_name, threads, wanted)

    @cached_property
    def on_host(self) -> Arithmetic:
        """The arithmetic of panels on NumPy arrays (collective, where blocks lie on a device)."""
        if self.kernels.on_host:
            return self
        return Arithmetic(self.comm, self.backend.host, self.panels.format)

    def broadcast(self, comm: Intracomm, block: Any, root: int) -> None:
        """Give a block of one rank to all, in place (collective)."""
        if comm.size > 1:
            values = self.kernels.download(block)
            broadcast(comm, values, root)
            self.kernels.write(block, values)

    def scale(self, largest: float) -> float:
        """Return the power of two that brings a largest magnitude just below the largest number of the format.

        1 for formats with the range of FP32, and where there is nothing to scale.
        """
        if self.format.exponent_bits >= FULL_RANGE_BITS or not (0 < largest < np.inf):
            return 1.0
        top = int(np.frexp(self.format.largest)[1]) - 1
        return float(2.0 ** np.clip(top - int(np.frexp(largest)[1]), -126, 126))

    def product(self, left: Any, right: Any, sign: float = 1.0) -> Any:
        """Return the product of two blocks in the storage type, or its negative where the sign is -1."""
        out = self.kernels.empty((left.shape[0], right.shape[1]), self.storage)
        self.panels.multiply(out, self.panels.left(left), self.panels.right(right), sign)
        return out

    def multiply_lower(self, lower: Any, block: Any) -> None:
        """Replace a block by its product with a lower triangular matrix on its left, in place.

        By halves, so that the zeros of the triangle are not multiplied.
        """
        gemm, half = self.panels, len(lower) // 2
        if len(lower) < 2 * self.kernels.smallest_triangle:
            gemm.multiply(block, gemm.left(lower), gemm.right(self._kept(block)))
            return
        top, bottom = block[:half], block[half:]
        self.multiply_lower(lower[half:, half:], bottom)
        gemm.subtract(bottom, gemm.left(lower[half:, :half]), gemm.right(top), -1.0)
        self.multiply_lower(lower[:half, :half], top)

    def multiply_upper(self, block: Any, upper: Any) -> None:
        """Replace a block by its product with an upper triangular matrix on its right, as `multiply_lower`."""
        gemm, half = self.panels, len(upper) // 2
        if len(upper) < 2 * self.kernels.smallest_triangle:
            gemm.multiply(block, gemm.left(self._kept(block)), gemm.right(upper))
            return
        left, right = block[:, :half], block[:, half:]
        self.multiply_upper(right, upper[half:, half:])
        gemm.subtract(right, gemm.left(left), gemm.right(upper[:half, half:]), -1.0)
        self.multiply_upper(left, upper[:half, :half])

    def _kept(self, block: Any) -> Any:
        """Return a block that a product may overwrite while it reads it."""
        return block if self.panels.copies else block.copy()

    def subtract(self, block: Any, left: Any, right: Any) -> None:
        """Subtract the product of two blocks from a third in the storage type, in place."""
        self.panels.subtract(block, self.panels.left(left), self.panels.right(right))
