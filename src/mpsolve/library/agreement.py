"""Checks that may fail on one rank alone, and the backend of a program that did not choose one."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar, cast

from mpsolve import lookup
from mpsolve.backends.base import Backend
from mpsolve.errors import BackendUnavailable, ConfigError, MpsolveError
from mpsolve.parallel.alone import Alone
from mpsolve.parallel.launch import threads_per_rank

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm

Value = TypeVar("Value")

#: Below this many unknowns in all, compiling kernels takes longer than NumPy takes to solve.
COMPILED_UNKNOWNS = 100_000


def communicator(comm: Intracomm | None) -> Intracomm:
    """Return the communicator, or for None one of this process alone, which does not start MPI."""
    return cast("Intracomm", Alone()) if comm is None else comm


def together(comm: Intracomm, action: Callable[[], Value], same: object = None) -> Value:
    """Run ``action`` on every rank, and raise on all of them if it fails on any (collective).

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm
        The ranks.
    action : callable
        Takes nothing and raises an error if something is wrong.
    same : object
        What all ranks must have given alike; compared by its ``repr``.

    Returns
    -------
    object
        What `action` returned on this rank.

    Raises
    ------
    Exception
        On the ranks that failed their own error; on the others an MpsolveError with the text of the first of them.
    """
    value, failure = None, None
    try:
        value = action()
    except Exception as error:  # Whatever it is, the other ranks must not wait for this one.
        failure = error
    verdicts = comm.allgather((None if failure is None else _described(failure), repr(same)))
    if failure is not None:
        raise failure
    for rank, (verdict, _) in enumerate(verdicts):
        if verdict is not None:
            kind, message = verdict
            raise _rebuilt(kind, f"on rank {rank}: {message}")
    for rank, (_, given) in enumerate(verdicts):
        if given != verdicts[0][1]:
            raise ConfigError(f"rank {rank} was given {given}, but rank 0 {verdicts[0][1]}; give all ranks the same")
    return cast("Value", value)


def _described(failure: Exception) -> tuple[type[MpsolveError], str]:
    """Return class and text of an error that can travel to another rank."""
    if isinstance(failure, MpsolveError):
        return type(failure), str(failure)
    return MpsolveError, f"{type(failure).__name__}: {failure}"


def _rebuilt(kind: type[MpsolveError], message: str) -> MpsolveError:
    """Return an error of a class with this text, whatever the class takes."""
    error = kind.__new__(kind)
    error.args = (message,)
    return error


def choose_backend(comm: Intracomm, name: str, unknowns: int) -> Backend:
    """Return the backend of a name (collective).

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm
        The ranks, which share the cores of a node.
    name : str
        A file in ``backends``, or ``"auto"``: compiled kernels from `COMPILED_UNKNOWNS` on where Numba is installed.
    unknowns : int
        Global number of unknowns, so that all rank counts choose alike.
    """
    if name == "auto" and unknowns < COMPILED_UNKNOWNS:
        name = "reference"
    threads = _own_cores() if isinstance(comm, Alone) else threads_per_rank(comm)
    if name != "auto":
        return lookup.find("backends", name).create(threads)
    try:
        return lookup.find("backends", "cpu").create(threads)
    except BackendUnavailable:
        return lookup.find("backends", "reference").create(threads)


def _own_cores() -> int:
    """Count the cores that this process may use; all where the system cannot tell (macOS)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
