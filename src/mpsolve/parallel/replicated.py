"""Vectors that every rank holds whole: sums and largest values over ranks, with the same bits on all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mpsolve.ledger import Ledger
from mpsolve.parallel.waiting import complete

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm


def total_everywhere(
    comm: Intracomm, values: NDArray, ledger: Ledger | None = None, phase: str = "", *, largest: bool = False
) -> NDArray:
    """Return the sum, or the largest, of each element over the ranks (collective).

    MPI does not promise that an all-reduction gives all ranks the same bits, and ranks that disagree on a residual
    would part ways: so one rank sums, and broadcasts.

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm or Alone
        The ranks.
    values : ndarray
        C-contiguous, the same shape on every rank; not changed if there are several ranks.
    ledger : Ledger, optional
        Counts the reduction, under ``phase``.
    largest : bool
        Whether the largest value is wanted instead of the sum.
    """
    if comm.size == 1:
        return values
    from mpi4py import MPI

    result = np.empty_like(values)
    complete([comm.Ireduce(values, result, MPI.MAX if largest else MPI.SUM, 0)])
    complete([comm.Ibcast(result, 0)])
    if ledger is not None:
        ledger.add(phase, "fp64", reductions=1, messages=2, message_bytes=2 * values.nbytes)
    return result


def total_at(comm: Intracomm, values: NDArray, root: int) -> NDArray:
    """Return the sum of each element over the ranks on one of them (collective); elsewhere what is undefined."""
    if comm.size == 1:
        return values
    from mpi4py import MPI

    result = np.empty_like(values)
    complete([comm.Ireduce(values, result, MPI.SUM, root)])
    return result


def broadcast(comm: Intracomm, values: NDArray, root: int) -> None:
    """Give an array of one rank to all, in place (collective)."""
    if comm.size > 1 and values.size:
        complete([comm.Ibcast(values, root)])
