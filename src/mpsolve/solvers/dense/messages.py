"""What travels during a factorisation: encoded panels, each behind a header with its scale and what happened in it."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from mpsolve.field import ALIGNMENT, aligned_zeros
from mpsolve.formats.base import Format
from mpsolve.kernels.dense import DenseKernels
from mpsolve.ledger import Ledger
from mpsolve.parallel.ring import RingBroadcast
from mpsolve.solvers.injection import BitFlips

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm

#: Numbers of the header: scale, growth, the first column without a pivot and the first block that a fault has struck
#: (-1: none), and the checksum of everything else.
HEADER = 5
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
    checked : bool
        Whether it is compared with its checksum (CRC-32) where it arrives.
    flips : BitFlips, optional
        Strikes the block where it arrives.

    Attributes
    ----------
    header : ndarray of float64
        See `HEADER`.
    pivots : ndarray of int64
        Row exchanges.
    block : ndarray
        The encoded block, after `shape` was called.
    damaged : bool
        Whether any message was not what its checksum says.
    """

    def __init__(
        self,
        format: Format,
        most: int,
        kernels: DenseKernels,
        pivots: int = 0,
        *,
        checked: bool = False,
        flips: BitFlips | None = None,
    ) -> None:
        self.format, self._kernels = format, kernels
        self.checked, self.flips, self.damaged = checked, flips, False
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
        self._comes = self._new = False

    def shape(self, rows: int, columns: int) -> Any:
        """Set the shape of the next block, when the last one has left; return the block to be filled."""
        self.finish()
        size = rows * columns * self.format.itemsize
        self.block = self._block_bytes[:size].view(self.format.storage).reshape(rows, columns)
        return self.block

    def send(self, comm: Intracomm, root: int, tag: int, ledger: Ledger, phase: str) -> None:
        """Start the broadcast of header and block around the ranks of a row or column (collective)."""
        end, self._new = self._start + self.block.nbytes, comm.rank != root
        if not self._kernels.on_host and comm.size > 1:
            self._comes = self._new
            if not self._comes:
                self._bytes[self._start : end] = self._kernels.download(self._block_bytes[: self.block.nbytes])
        if self.checked and not self._new and comm.size > 1:
            self.header[HEADER - 1] = self._checksum()
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
        if self._new:
            self._new = False
            self._inspect()
        if self._comes:
            end = self._start + self.block.nbytes
            self._kernels.write(self._block_bytes[: self.block.nbytes], self._bytes[self._start : end])
            self._comes = False

    def _inspect(self) -> None:
        """Strike what has arrived, if that is wanted, and compare it with its checksum."""
        if self.flips is not None and self._ring is not None:
            # What is passed on to others must have left.
            self._ring.finish()
            end = self._start + self.block.nbytes
            self.flips.strike_array(self._bytes[self._start : end].view(self.format.storage))
        if self.checked and self.header[HEADER - 1] != self._checksum():
            self.damaged = True

    def _checksum(self) -> int:
        """Return the checksum of all but itself."""
        head, end = 8 * (HEADER - 1), self._start + self.block.nbytes
        return zlib.crc32(self._bytes[8 * HEADER : end].data, zlib.crc32(self._bytes[:head].data))

    def finish(self) -> None:
        """Wait until this rank has nothing more to do with the broadcast."""
        if self._ring is not None:
            self._ring.finish()
            self._ring = None
