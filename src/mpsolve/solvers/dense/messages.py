"""What travels during a factorisation: encoded panels, each behind a header with its scale and what happened in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mpsolve.field import ALIGNMENT, aligned_zeros
from mpsolve.formats.base import Format
from mpsolve.kernels.dense import DenseKernels
from mpsolve.ledger import Ledger
from mpsolve.parallel.ring import RingBroadcast

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm

#: Numbers of the header: scale, growth, and the first column without a pivot (-1: none).
HEADER = 3
#: Bytes before the block, where no row exchanges go with it: the header, up to a cache line.
HEADER_BYTES = ALIGNMENT


class Message:
    """A block in a format with its header, in memory that is used again and again.

    Parameters
    ----------
    format : Format
        Of the block.
    most : int
        Most numbers that a block may have.
    kernels : DenseKernels
        Say where blocks lie. On a device they are copied through the memory of the host, but if nobody else wants them.
    pivots : int
        Most row exchanges that go with a block.

    Attributes
    ----------
    header : ndarray of float64
        See `HEADER`.
    pivots : ndarray of int64
        Row exchanges.
    block : ndarray
        The encoded block, after `shape` was called.
    """

    def __init__(self, format: Format, most: int, kernels: DenseKernels, pivots: int = 0) -> None:
        self.format, self._kernels = format, kernels
        start = -(-8 * (HEADER + pivots) // ALIGNMENT) * ALIGNMENT
        # Pages that are never written take no memory.
        self._bytes = aligned_zeros((start + most * format.itemsize,), np.dtype(np.uint8))
        self._start = start
        self._block_bytes = self._bytes[start:]
        if not kernels.on_host:
            self._block_bytes = kernels.zeros((most * format.itemsize,), np.dtype(np.uint8))
        self.header = self._bytes[: 8 * HEADER].view(np.float64)
        self.pivots = self._bytes[8 * HEADER : 8 * (HEADER + pivots)].view(np.int64)
        self.block: Any = self._block_bytes[:0].view(format.storage).reshape(0, 0)
        self._ring: RingBroadcast | None = None
        self._comes = False

    def shape(self, rows: int, columns: int) -> Any:
        """Set the shape of the next block, when the last one has left; return the block to be filled."""
        self.finish()
        size = rows * columns * self.format.itemsize
        self.block = self._block_bytes[:size].view(self.format.storage).reshape(rows, columns)
        return self.block

    def send(self, comm: Intracomm, root: int, tag: int, ledger: Ledger, phase: str) -> None:
        """Start the broadcast of header and block around the ranks of a row or column (collective)."""
        end = self._start + self.block.nbytes
        if not self._kernels.on_host and comm.size > 1:
            self._comes = comm.rank != root
            if not self._comes:
                self._bytes[self._start : end] = self._kernels.download(self._block_bytes[: self.block.nbytes])
        self._ring = RingBroadcast(comm, root, self._bytes[:end], tag)
        if self._ring.messages:
            ledger.add(phase, self.format.name, messages=self._ring.messages, message_bytes=self._ring.message_bytes)

    def poll(self) -> bool:
        """Pass on what has arrived; tell whether all of it is here."""
        return self._ring is None or self._ring.poll()

    def wait(self) -> None:
        """Wait until all of it is here."""
        if self._ring is not None:
            self._ring.wait()
        if self._comes:
            end = self._start + self.block.nbytes
            self._kernels.write(self._block_bytes[: self.block.nbytes], self._bytes[self._start : end])
            self._comes = False

    def finish(self) -> None:
        """Wait until this rank has nothing more to do with the broadcast."""
        if self._ring is not None:
            self._ring.finish()
            self._ring = None
