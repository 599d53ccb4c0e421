"""Memory bandwidth of the ranks, all at once: the limit that memory-bound work is held against.

J. McCalpin's STREAM counts 16 bytes of an FP64 number for the copy ``c = a``, and 24 for the triad ``a = b + s c``.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Each array of all ranks together has this size; unit: bytes. Large against caches, small against memory.
ARRAY_BYTES = 1 << 27
#: But each rank has at least this much of it, also where there are many; unit: bytes.
LEAST_BYTES = 1 << 24
#: Numbers that a triad takes at a time, so that its intermediate stays in the second-level cache.
CHUNK = 1 << 14
REPEATS = 3


def copy_bandwidth(comm: Any) -> float:
    """Return bytes read and written per second by a plain copy, all ranks at once (collective)."""
    count = _count(comm)
    source, target = np.ones(count), np.zeros(count)
    return comm.size * 16 * count / _least_s(comm, lambda: np.copyto(target, source))


def triad_bandwidth(comm: Any) -> float:
    """Return bytes read and written per second by a triad, all ranks at once (collective)."""
    count = _count(comm)
    a, b, c = np.zeros(count), np.ones(count), np.ones(count)
    return comm.size * 24 * count / _least_s(comm, lambda: triad(a, b, c))


def triad(a: NDArray, b: NDArray, c: NDArray) -> None:
    """Set a = b + 3 c, in place (local)."""
    for start in range(0, len(a), CHUNK):
        part = slice(start, start + CHUNK)
        np.multiply(c[part], 3.0, out=a[part])
        np.add(a[part], b[part], out=a[part])


def _count(comm: Any) -> int:
    """Return the numbers of an array of one rank."""
    return max(ARRAY_BYTES // comm.size, LEAST_BYTES) // 8


def _least_s(comm: Any, action: Callable[[], None]) -> float:
    """Return the least time that all ranks took for an action, after one that is not timed (collective)."""
    action()
    best = np.inf
    for _ in range(REPEATS):
        comm.Barrier()
        start = time.perf_counter()
        action()
        comm.Barrier()
        best = min(best, time.perf_counter() - start)
    return best
