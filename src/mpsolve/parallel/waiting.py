"""Wait for messages: by spinning where every rank has a core, patiently where ranks outnumber the cores.

With more ranks than cores, a rank that spins keeps those with work off the cores. Yielding is best on a machine that is
otherwise quiet: eight ranks on two cores then take turns in half a millisecond per exchange and reduction. Beside other
programs it is the worst (10 ms), because those take a whole time slice at each turn; sleeping takes 2.5 ms there. So a
crowded rank yields for as long as that has lately been enough, and sleeps then.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm, Request

#: Bounds of the time that a crowded rank yields before it sleeps, in seconds.
LEAST_YIELD_S, MOST_YIELD_S = 2e-5, 1e-3
#: Factors by which that time falls after it was not enough, and rises after it was.
FALL, RISE = 0.5, 1.2
#: One sleep, in seconds; the system makes it some tens of microseconds.
SLEEP_S = 1e-6
#: Where launchers tell the number of ranks on this node.
LOCAL_SIZES = ("MPI_LOCALNRANKS", "OMPI_COMM_WORLD_LOCAL_SIZE", "SLURM_NTASKS_PER_NODE")


@functools.cache
def crowded() -> bool:
    """Tell whether this node has more ranks than cores that they may use, as far as the launcher says."""
    counts = [os.environ[name] for name in LOCAL_SIZES if os.environ.get(name, "").isdigit()]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return bool(counts) and int(counts[0]) > cores


@functools.cache
def _attribute() -> int:
    """Return the key under which a communicator remembers what its ranks agreed on."""
    from mpi4py import MPI

    return MPI.Comm.Create_keyval()


def all_crowded(comm: Intracomm) -> bool:
    """Tell whether every rank of a communicator is on a crowded node: the same answer on all of them.

    Collective when a communicator is asked for the first time; it remembers the answer.
    """
    known = comm.Get_attr(_attribute())
    if known is None:
        known = comm.allreduce(int(crowded())) == comm.size
        comm.Set_attr(_attribute(), known)
    return bool(known)


def complete(requests: Sequence[Request]) -> None:
    """Wait until all requests are complete; an interruption from the keyboard ends the wait."""
    if requests:
        _patience()(requests)


@functools.cache
def _patience() -> Patience:
    return Patience(crowded())


class Patience:
    """How this process waits.

    Parameters
    ----------
    crowded : bool
        Whether it has to leave the core to other ranks.

    Attributes
    ----------
    yield_s : float
        How long it would yield now before it sleeps, in seconds.
    """

    def __init__(self, crowded: bool) -> None:
        self.crowded, self.yield_s = crowded, MOST_YIELD_S

    def __call__(self, requests: Sequence[Request]) -> None:
        """Wait until all requests are complete."""
        test = type(requests[0]).Testall
        # MPI's own wait would not return to Python for a signal.
        if not self.crowded:
            while not test(requests):
                pass
        elif not test(requests) and not self._yielding(test, requests):
            while not test(requests):
                time.sleep(SLEEP_S)

    def _yielding(self, test, requests: Sequence[Request]) -> bool:
        """Yield until the requests are complete or the time for it is over; tell whether they are complete."""
        deadline = time.perf_counter() + self.yield_s
        while time.perf_counter() < deadline:
            os.sched_yield()
            if test(requests):
                self.yield_s = min(MOST_YIELD_S, self.yield_s * RISE)
                return True
        self.yield_s = max(LEAST_YIELD_S, self.yield_s * FALL)
        return False
