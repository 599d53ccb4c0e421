"""Wait for messages: by spinning where every rank has a core, patiently where ranks outnumber the cores.

MPI libraries spin while they wait. With more ranks than cores the spinning ranks keep those with work off the cores:
a reduction of eight ranks on two cores took 0.15 ms on a quiet machine, and 3 to 27 ms beside other programs. Yielding
first and sleeping then bounds that near 1 ms.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mpi4py.MPI import Request

#: How long a crowded rank yields before it sleeps, in seconds.
YIELD_S = 3e-4
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


def complete(requests: Sequence[Request]) -> None:
    """Wait until all requests are complete."""
    if not requests:
        return
    kind = type(requests[0])
    if not crowded():
        kind.Waitall(requests)
        return
    deadline = time.perf_counter() + YIELD_S
    while not kind.Testall(requests):
        if time.perf_counter() < deadline:
            os.sched_yield()
        else:
            time.sleep(SLEEP_S)
