"""A broadcast around a ring: every rank passes on what it receives, piece by piece, while it computes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mpsolve.parallel.waiting import complete

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm, Request

#: Bytes of a piece: long enough to be worth a message, short enough for several to be under way.
PIECE_BYTES = 1 << 20


class RingBroadcast:
    """One array on its way from a root to all ranks of a communicator (made by all of them; returns at once).

    The rank after the root gets it first, which in a block-cyclic matrix is the one that needs it first. Nothing moves
    on this rank unless `poll` or `wait` is called.

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm
        The ranks of the ring.
    root : int
        Where the array is.
    buffer : ndarray
        C-contiguous; read on the root, filled elsewhere. Not to be touched before `wait` has returned, nor written
        before `finish` has.
    tag : int
        The same on all ranks, and another one for broadcasts under way at the same time.

    Attributes
    ----------
    messages, message_bytes : int
        What this rank sends in all.
    """

    def __init__(self, comm: Intracomm, root: int, buffer: NDArray, tag: int) -> None:
        self.comm, self.tag = comm, tag
        self._pieces: list[NDArray] = []
        self._arriving: list[Request] = []
        self._leaving: list[Request] = []
        self._arrived = 0
        self.messages = self.message_bytes = 0
        if comm.size == 1 or buffer.size == 0:
            return
        flat = buffer.reshape(-1).view(np.uint8)
        self._pieces = [flat[start : start + PIECE_BYTES] for start in range(0, flat.size, PIECE_BYTES)]
        place = (comm.rank - root) % comm.size
        self._next = (comm.rank + 1) % comm.size
        self._passes_on = place < comm.size - 1
        if self._passes_on:
            self.messages, self.message_bytes = len(self._pieces), flat.size
        if place == 0:
            self._arrived = len(self._pieces)
            for piece in self._pieces:
                self._leaving.append(comm.Isend(piece, self._next, tag))
        else:
            self._arriving = [comm.Irecv(piece, (comm.rank - 1) % comm.size, tag) for piece in self._pieces]

    def poll(self) -> bool:
        """Pass on what has arrived since the last call; tell whether everything has (local)."""
        while self._arrived < len(self._pieces) and self._arriving[self._arrived].Test():
            self._forward()
        return self._arrived == len(self._pieces)

    def wait(self) -> None:
        """Wait until everything has arrived here and is being passed on."""
        while not self.poll():
            complete([self._arriving[self._arrived]])
            # A completed request tests true again, as a null request does.
            self._forward()

    def finish(self) -> None:
        """Wait until this rank's part is over; the buffer may then be written again."""
        self.wait()
        complete(self._leaving)
        self._leaving = []

    def _forward(self) -> None:
        if self._passes_on:
            self._leaving.append(self.comm.Isend(self._pieces[self._arrived], self._next, self.tag))
        self._arrived += 1
