"""Memory and message speeds of the ranks of one ``mpirun``: run as ``python -m mpsolve.projection.rank_speeds``."""

import json
import sys
import time
from typing import Any

import numpy as np

from mpsolve.parallel import launch

# Arrays of all ranks together, bytes: large against caches, small against memory.
ARRAY_BYTES = 1 << 27
# Numbers that a triad takes at a time, so that its intermediate stays in the second-level cache.
CHUNK = 1 << 14
REPEATS = 5

SMALL_BYTES, LARGE_BYTES = 8, 1 << 22
ROUNDS_SMALL, ROUNDS_LARGE = 2000, 30


def stream(comm: Any) -> dict[str, float]:
    """Return bytes per second of copy and triad on all ranks at once (collective).

    Source: J. McCalpin, STREAM: 16 bytes of a number for ``c = a``, 24 for ``a = b + s c``.
    """
    size = ARRAY_BYTES // comm.size // 8
    a, b, c = np.zeros(size), np.ones(size), np.ones(size)
    return {
        "copy_bytes_per_s": comm.size * 16 * size / _best(comm, lambda: np.copyto(a, b)),
        "triad_bytes_per_s": comm.size * 24 * size / _best(comm, lambda: _triad(a, b, c)),
    }


def messages(comm: Any) -> dict[str, float]:
    """Return latency in seconds and bytes per second between ranks 0 and 1 (collective, at least two ranks)."""
    small, large = _one_way(comm, SMALL_BYTES, ROUNDS_SMALL), _one_way(comm, LARGE_BYTES, ROUNDS_LARGE)
    return {"latency_s": small, "message_bytes_per_s": LARGE_BYTES / large}


def main(_: list[str]) -> int:
    """Measure, and print the figures on rank 0 as a line of JSON."""
    comm = launch.start()
    found = {"ranks": comm.size} | stream(comm)
    if comm.size > 1:
        found |= messages(comm)
    if comm.rank == 0:
        print(f"speeds-of-mpsolve {json.dumps(found)}", flush=True)
    return 0


def _triad(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> None:
    for start in range(0, len(a), CHUNK):
        part = slice(start, start + CHUNK)
        np.multiply(c[part], 3.0, out=a[part])
        np.add(a[part], b[part], out=a[part])


def _best(comm: Any, action: Any) -> float:
    action()
    best = float("inf")
    for _ in range(REPEATS):
        comm.Barrier()
        start = time.perf_counter()
        action()
        comm.Barrier()
        best = min(best, time.perf_counter() - start)
    return best


def _one_way(comm: Any, size: int, rounds: int) -> float:
    """Half of the mean time of a message there and back."""
    buffer = np.zeros(size, np.uint8)
    comm.Barrier()
    start = time.perf_counter()
    for _ in range(rounds):
        if comm.rank == 0:
            comm.Send(buffer, 1)
            comm.Recv(buffer, 1)
        elif comm.rank == 1:
            comm.Recv(buffer, 0)
            comm.Send(buffer, 0)
    seconds = time.perf_counter() - start
    return comm.bcast(seconds / rounds / 2)


if __name__ == "__main__":
    sys.exit(launch.run(main, sys.argv[1:]))
