"""Reproducible sums over ranks: the same bits for any number of ranks and any split of the grid."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mpsolve.bins import BINS, accumulate, to_float
from mpsolve.parallel.waiting import all_crowded, complete

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm

#: Up to so many ranks that share too few cores, every rank sends to every other: more messages than in a tree, but each
#: rank needs a core once and not once per level, which took a quarter off the time of 8 ranks on 2 cores.
MOST_DIRECT = 16
SUM_TAG = 7300


def combine(comm: Intracomm, bins: NDArray[np.int64]) -> NDArray[np.float64]:
    """Add local bins over the ranks and return the values (collective).

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm
        The ranks that hold parts of the sums.
    bins : ndarray of int64, shape (count, 2, BINS)
        This rank's bins.

    Returns
    -------
    ndarray of float64, shape (count,)
        The sums, each rounded once; the same bits on every rank. NaN where a product was not finite.
    """
    return np.array([to_float(table) for table in _summed(comm, bins)])


def _summed(comm: Intracomm, bins: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the sum of the bins of all ranks (collective); integers, so that every order gives the same bits."""
    if comm.size == 1:
        return bins
    if comm.size > MOST_DIRECT or not all_crowded(comm):
        total = np.empty_like(bins)
        complete([comm.Iallreduce(bins, total)])
        return total
    everyone = np.empty((comm.size, *bins.shape), np.int64)
    everyone[comm.rank] = bins
    others = [rank for rank in range(comm.size) if rank != comm.rank]
    requests = [comm.Irecv(everyone[rank], rank, SUM_TAG) for rank in others]
    complete([*requests, *(comm.Isend(bins, rank, SUM_TAG) for rank in others)])
    return everyone.sum(axis=0)


def dot(comm: Intracomm, left: NDArray, right: NDArray) -> float:
    """Return the inner product of two distributed arrays, given their local blocks of equal shape (collective)."""
    with np.errstate(all="ignore"):
        bins = accumulate(np.asarray(left, np.float64) * np.asarray(right, np.float64))
    return float(combine(comm, bins.reshape(1, 2, BINS))[0])


def total(comm: Intracomm, values: NDArray) -> float:
    """Return the sum of a distributed array, given the local block (collective)."""
    return float(combine(comm, accumulate(np.asarray(values, np.float64)).reshape(1, 2, BINS))[0])


def norm(comm: Intracomm, values: NDArray) -> float:
    """Return the Euclidean norm of a distributed array, given the local block (collective).

    The block is scaled by a power of two first, so that squares neither overflow nor vanish.
    """
    largest = maximum(comm, float(np.max(np.abs(values), initial=0.0)))
    if largest == 0.0 or not np.isfinite(largest):
        return largest
    # Beyond these the power itself would overflow or be subnormal.
    scale = 2.0 ** max(-1000, min(1000, -math.frexp(largest)[1]))
    scaled = np.asarray(values, np.float64) * scale
    return math.sqrt(dot(comm, scaled, scaled)) / scale


def maximum(comm: Intracomm, value: float) -> float:
    """Return the largest value over the ranks; NaN if any rank gives NaN (collective)."""
    # MPI's MAX may drop a NaN, so its presence travels as a number of its own.
    pair = np.array([-np.inf if np.isnan(value) else value, float(np.isnan(value))])
    if comm.size > 1:
        from mpi4py import MPI

        complete([comm.Iallreduce(MPI.IN_PLACE, pair, MPI.MAX)])
    return float("nan") if pair[1] else float(pair[0])
