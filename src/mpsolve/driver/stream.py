"""Copy bandwidth of this run's ranks, the limit that memory-bound work is held against."""

import time
from typing import Any

import numpy as np

#: All ranks together copy between arrays of this size; unit: bytes. Large against caches, small against memory.
ARRAY_BYTES = 1 << 27
#: But each rank copies at least this much, also where there are many; unit: bytes.
LEAST_BYTES = 1 << 24
REPEATS = 3


def copy_bandwidth(comm: Any) -> float:
    """Return bytes read and written per second by a plain copy, all ranks at once (collective)."""
    size = max(ARRAY_BYTES // comm.size, LEAST_BYTES)
    source, target = np.ones(size // 8), np.zeros(size // 8)
    np.copyto(target, source)
    best = np.inf
    for _ in range(REPEATS):
        comm.Barrier()
        start = time.perf_counter()
        np.copyto(target, source)
        comm.Barrier()
        best = min(best, time.perf_counter() - start)
    return comm.size * 2 * size / best
