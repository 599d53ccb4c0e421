"""Memory and message speeds of the ranks of one ``mpirun``: run as ``python -m mpsolve.projection.rank_speeds``."""

import json
import sys
import time
from typing import Any

import numpy as np

from mpsolve.parallel import launch
from mpsolve.parallel.stream import copy_bandwidth, triad_bandwidth

# Begins the line that `main` prints, among what a launcher may say.
MARK = "speeds-of-mpsolve "

SMALL_BYTES, LARGE_BYTES = 8, 1 << 22
ROUNDS_SMALL, ROUNDS_LARGE = 2000, 30


def stream(comm: Any) -> dict[str, float]:
    """Return bytes per second of copy and triad on all ranks at once (collective)."""
    return {"copy_bytes_per_s": copy_bandwidth(comm), "triad_bytes_per_s": triad_bandwidth(comm)}


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
        print(f"{MARK}{json.dumps(found)}", flush=True)
    return 0


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
