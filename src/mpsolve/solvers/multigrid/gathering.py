"""Bring a distributed vector to one rank, where the coarse grids are solved, and the answer back."""

from __future__ import annotations

import numpy as np

from mpsolve.field import Field
from mpsolve.ledger import Ledger
from mpsolve.parallel.cartesian import Cartesian, as_bytes
from mpsolve.parallel.waiting import complete

GATHER_TAG = 7410


class Gathering:
    """Carries vectors of one format between the blocks of a grid and the whole grid on rank 0 of its communicator.

    Parameters
    ----------
    grid : Cartesian
        The division.
    ledger : Ledger
        Counts what is sent.
    """

    def __init__(self, grid: Cartesian, ledger: Ledger) -> None:
        self.grid, self.ledger = grid, ledger
        self.boxes = [tuple(map(slice, lo, hi)) for lo, hi in grid.comm.allgather((grid.lo, grid.hi))]

    def collect(self, block: Field, whole: Field | None) -> None:
        """Fill the whole field on rank 0 with the blocks of all ranks (collective)."""
        if whole is None:
            self._send(np.ascontiguousarray(block.read()), 0, block)
            return
        stored = np.empty(whole.shape, whole.format.storage)
        stored[self.boxes[0]] = block.read()
        parts = {rank: np.empty_like(stored[box]) for rank, box in enumerate(self.boxes) if rank}
        comm = self.grid.comm
        complete([comm.Irecv(as_bytes(part), rank, GATHER_TAG) for rank, part in parts.items()])
        for rank, part in parts.items():
            stored[self.boxes[rank]] = part
        whole.write(stored)

    def spread(self, whole: Field | None, block: Field) -> None:
        """Give each rank its block of the whole field on rank 0 (collective)."""
        if whole is None:
            part = np.empty(block.shape, block.format.storage)
            complete([self.grid.comm.Irecv(as_bytes(part), 0, GATHER_TAG)])
            block.write(part)
            return
        stored = whole.read()
        parts = [np.ascontiguousarray(stored[box]) for box in self.boxes]
        block.write(parts[0])
        comm = self.grid.comm
        complete([comm.Isend(as_bytes(part), rank, GATHER_TAG) for rank, part in enumerate(parts) if rank])
        for part in parts[1:]:
            self.ledger.add("inner", block.format.name, messages=1, message_bytes=part.nbytes)

    def _send(self, part: np.ndarray, rank: int, block: Field) -> None:
        complete([self.grid.comm.Isend(as_bytes(part), rank, GATHER_TAG)])
        self.ledger.add("inner", block.format.name, messages=1, message_bytes=part.nbytes)
