"""Copy bandwidth of this run's ranks, the limit that memory-bound work is held against."""

import time
from typing import Any

import numpy as np

#: Copied per rank pair of arrays; unit: bytes. Large against most caches, small against memory.
ARRAY_BYTES = 1 << 26
REPEATS = 3


def copy_bandwidth(comm: Any) -> float:
    """Return bytes read and written per second by a plain copy, all ranks at once (collective)."""
    source = np.ones(ARRAY_BYTES // 8)
    target = np.empty_like(source)
    np.copyto(target, source)
    best = np.inf
    for _ in range(REPEATS):
        comm.Barrier()
        start = time.perf_counter()
        np.copyto(target, source)
        comm.Barrier()
        best = min(best, time.perf_counter() - start)
    return comm.size * 2 * ARRAY_BYTES / best
