"""Row exchanges of a pivoted factorisation, all those of a panel in one exchange between the ranks of a column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mpsolve.kernels.dense import DenseKernels
from mpsolve.parallel.block_cyclic import Axis
from mpsolve.parallel.cartesian import as_bytes
from mpsolve.parallel.waiting import complete

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm

EXCHANGE_TAG = 7420


def net_exchange(first: int, pivots: Sequence[int] | NDArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where each row ends up that a sequence of exchanges moves.

    Parameters
    ----------
    first : int
        Row i + first is exchanged with row ``pivots[i]``, for i = 0, 1, ... in turn.
    pivots : sequence of int
        Global rows.

    Returns
    -------
    targets, sources : ndarray of int64
        Afterwards, row ``targets[i]`` holds what row ``sources[i]`` held; sorted by target.

    Examples
    --------
    >>> [rows.tolist() for rows in net_exchange(0, [2, 2])]
    [[0, 1, 2], [2, 0, 1]]
    """
    holds: dict[int, int] = {}
    for row, pivot in enumerate(map(int, pivots), first):
        holds[row], holds[pivot] = holds.get(pivot, pivot), holds.get(row, row)
    moved = sorted((target, source) for target, source in holds.items() if target != source)
    return np.array([target for target, _ in moved], np.int64), np.array([source for _, source in moved], np.int64)


def permute(values: NDArray, first: int, pivots: Sequence[int] | NDArray) -> None:
    """Exchange rows of an array that every rank holds whole, in place."""
    targets, sources = net_exchange(first, pivots)
    values[targets] = values[sources]


def exchange_rows(
    comm: Intracomm,
    rows: Axis,
    local: Any,
    first: int,
    pivots: Sequence[int] | NDArray,
    spared: slice,
    kernels: DenseKernels,
) -> tuple[int, int]:
    """Exchange rows of a distributed matrix in place (collective over the ranks of a grid column).

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm
        The ranks of the column, ordered by grid row.
    rows : Axis
        How rows are dealt out.
    local : block
        This rank's part, where the kernels have it.
    first, pivots
        As for `net_exchange`.
    spared : slice
        Local columns that are left alone: those of the panel, whose rows were exchanged when it was factored.
    kernels : DenseKernels
        Take rows and put them back.

    Returns
    -------
    messages, message_bytes : int
        What this rank sent.
    """
    targets, sources = net_exchange(first, pivots)
    sides = [side for side in (local[:, : spared.start], local[:, spared.stop :]) if side.shape[1]]
    if not len(targets) or not sides:
        return 0, 0
    if comm.size == 1:
        for side in sides:
            kernels.put(side, targets, kernels.take(side, sources))
        return 0, 0
    return _exchange_between(comm, rows, sides, targets, sources, kernels)


def _exchange_between(
    comm, rows: Axis, sides: list, targets: NDArray, sources: NDArray, kernels: DenseKernels
) -> tuple[int, int]:
    owner_of_target, owner_of_source = (index // rows.block % rows.parts for index in (targets, sources))
    here = np.array([rows.local(int(index)) for index in targets], np.int64)
    there = np.array([rows.local(int(index)) for index in sources], np.int64)
    incoming, outgoing = {}, {}
    for rank in range(comm.size):
        leaves = (owner_of_source == comm.rank) & (owner_of_target == rank)
        if leaves.any():
            outgoing[rank] = _taken(kernels, sides, there[leaves])
        comes = (owner_of_target == comm.rank) & (owner_of_source == rank)
        if comes.any():
            incoming[rank] = here[comes]
    width = sum(side.shape[1] for side in sides)
    buffers = {rank: np.empty((len(at), width), sides[0].dtype) for rank, at in incoming.items() if rank != comm.rank}
    requests = [comm.Irecv(as_bytes(buffer), rank, EXCHANGE_TAG) for rank, buffer in buffers.items()]
    sent = {rank: block for rank, block in outgoing.items() if rank != comm.rank}
    requests += [comm.Isend(as_bytes(block), rank, EXCHANGE_TAG) for rank, block in sent.items()]
    complete(requests)
    for rank, at in incoming.items():
        block = buffers[rank] if rank in buffers else outgoing[rank]
        start = 0
        for side in sides:
            kernels.put(side, at, kernels.upload(block[:, start : start + side.shape[1]]))
            start += side.shape[1]
    return len(sent), sum(block.nbytes for block in sent.values())


def _taken(kernels: DenseKernels, sides: list, rows: NDArray) -> NDArray:
    """Return some rows of both sides beside each other, for a message."""
    return np.concatenate([kernels.download(kernels.take(side, rows)) for side in sides], axis=1)
