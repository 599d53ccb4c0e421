"""Block-cyclic matrices block by block between all ranks and one, which never holds more than a row of blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpsolve.parallel.block_cyclic import BlockCyclic, transfer

#: What is done with a block, or gives one: (row of blocks, column of blocks).
Take = Callable[[int, int, NDArray[Any]], None]
Give = Callable[[int, int], NDArray[Any]]


def collect(layout: BlockCyclic, strips: Callable[[slice], NDArray[Any]], take: Take | None, dtype: np.dtype) -> None:
    """Bring every block to rank 0, one rank after the other (collective).

    Parameters
    ----------
    layout : BlockCyclic
        How the matrix is dealt out.
    strips : callable
        Returns some local rows of this rank.
    take : callable or None
        On rank 0: called with each block. What it raises is raised when all blocks have come, so that no rank waits
        for ever.
    dtype : numpy.dtype
        Of the matrix.
    """
    comm, problem = layout.grid.comm, None
    for rank in range(comm.size):
        rows, columns = layout.of_rank(rank)
        for there, here in rows.pieces():
            if comm.rank == 0:
                strip = np.empty((here.stop - here.start, columns.count), dtype)
                if rank == 0:
                    strip = np.ascontiguousarray(strips(here))
                else:
                    transfer(comm, strip, rank, sending=False)
                try:
                    if problem is None and take is not None:
                        for wide, narrow in columns.pieces():
                            take(there.start // rows.block, wide.start // columns.block, strip[:, narrow])
                except Exception as error:
                    problem = error
            elif comm.rank == rank:
                transfer(comm, np.ascontiguousarray(strips(here)), 0, sending=True)
    if problem is not None:
        raise problem


def deal(layout: BlockCyclic, give: Give | None, keep: Callable[[slice, NDArray[Any]], None], dtype: np.dtype) -> None:
    """Bring every block from rank 0 to the rank that holds it, one rank after the other (collective).

    Parameters
    ----------
    layout : BlockCyclic
        How the matrix is dealt out.
    give : callable or None
        On rank 0: returns a block, perhaps with more rows and columns behind it.
    keep : callable
        Takes some local rows of this rank.
    dtype : numpy.dtype
        Of the matrix.
    """
    comm = layout.grid.comm
    for rank in range(comm.size):
        rows, columns = layout.of_rank(rank)
        for there, here in rows.pieces():
            if comm.rank not in (0, rank):
                continue
            strip = np.empty((here.stop - here.start, columns.count), dtype)
            if comm.rank == 0:
                assert give is not None
                for wide, narrow in columns.pieces():
                    block = give(there.start // rows.block, wide.start // columns.block)
                    strip[:, narrow] = block[: len(strip), : narrow.stop - narrow.start]
                if rank:
                    transfer(comm, strip, rank, sending=True)
            else:
                transfer(comm, strip, 0, sending=False)
            if comm.rank == rank:
                keep(here, strip)
