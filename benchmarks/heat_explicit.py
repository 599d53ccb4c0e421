"""Explicit 2-D heat in all formats, one and several steps per pass, against a copy of the same arrays and Devito.

Threads of one process, and ranks of one thread with wide halos; the latter alone, with JSON printed, by
``mpirun -n 2 python benchmarks/heat_explicit.py SIZE ROUNDS``.
"""

import json
import os
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from run import in_turn

from mpsolve.backends import cpu
from mpsolve.field import Field
from mpsolve.precision import get_format

FORMATS = ("fp64", "fp32", "bf16", "fp16")
STEPS = (1, 2, 4, 8)
RATES = (0.2, 0.2)
#: Side of the grid on which ratios are taken, and of one whose every array is far larger than the caches.
SIZES = (8192, 16384)
HALO = 8
#: Steps of one call of Devito.
PEER_STEPS = 10
#: The format whose arrays are copied: the C library copies smaller ones through the caches, 40% slower.
COPIED = "fp64"


def copy_job(target: Field, source: Field, pool: ThreadPoolExecutor, threads: int):
    """Return a job that copies whole arrays, rows shared out to threads."""
    rows = source.storage.shape[0]
    cuts = [rows * part // threads for part in range(threads + 1)]
    parts = [(target.storage[a:b], source.storage[a:b]) for a, b in zip(cuts, cuts[1:], strict=False)]
    return lambda: list(pool.map(lambda pair: np.copyto(*pair), parts))


def fields(size: int, format) -> tuple[Field, Field]:
    """Return two fields that were written once, so that their memory is there."""
    rng = np.random.default_rng(0)
    made = Field.zeros((size, size), HALO, format), Field.zeros((size, size), HALO, format)
    tile = format.encode(rng.random(made[0].storage.shape[1]))
    for field in made:
        field.storage[...] = tile
    return made


def thread_jobs(size: int, threads: int) -> dict:
    """Return a copy of the FP64 fields and all sweeps of all formats on one grid, ghosts left as they are."""
    backend, pool, jobs = cpu.create(threads), ThreadPoolExecutor(threads), {}
    for name in FORMATS:
        source, target = fields(size, get_format(name))
        if name == COPIED:
            jobs["copy"] = copy_job(target, source, pool, threads)
        for steps in STEPS:
            jobs[f"{name} {steps}"] = backend.bind_sweep(target, source, RATES, steps, ((0, 0), (0, 0)))
    return jobs


def rank_jobs(size: int, comm) -> dict:
    """Return the same for this rank's block, each sweep after the exchange of a halo as wide as its steps."""
    from mpsolve.parallel.cartesian import Cartesian
    from mpsolve.parallel.halo import Halo

    backend, pool, jobs = cpu.create(1), ThreadPoolExecutor(1), {}
    grid = Cartesian.create(comm, (size, size), (True, True), halo=HALO, ranks_per_axis=(0, 1))
    for name in FORMATS:
        source, target = (Field.zeros(grid.shape, HALO, get_format(name)).set(0.5) for _ in range(2))
        if name == COPIED:
            jobs["copy"] = _together(comm, copy_job(target, source, pool, 1))
        for steps in STEPS:
            exchange = Halo(grid, [source], width=steps, corners=True).exchange
            sweep = backend.bind_sweep(target, source, RATES, steps, ((0, 0), (0, 0)))
            jobs[f"{name} {steps}"] = _together(comm, exchange, sweep)
    return jobs


def _together(comm, *actions):
    def job():
        comm.Barrier()
        for action in actions:
            action()
        comm.Barrier()

    return job


def rows_of(seconds: dict[str, list[float]], size: int, parallel: str) -> list[dict]:
    """Return a row for each format and number of steps; ratios are those of the medians."""
    rows, wide_bytes = [], get_format(COPIED).itemsize
    for name in FORMATS:
        itemsize, copy = get_format(name).itemsize, seconds["copy"]
        for steps in STEPS:
            timed, wide = seconds[f"{name} {steps}"], seconds[f"fp64 {steps}"]
            rate = [size**2 * steps / second / 1e9 for second in timed]
            rows.append(
                {
                    "parallel": parallel,
                    "size": size,
                    "format": name,
                    "steps_per_pass": steps,
                    "Gupdates_per_s": statistics.median(rate),
                    "least": min(rate),
                    "greatest": max(rate),
                    "GB_per_s_effective": 2 * itemsize * statistics.median(rate),
                    "copy_GB_per_s": 2 * wide_bytes * size**2 / statistics.median(copy) / 1e9,
                    "of_copy": statistics.median(copy) / wide_bytes * itemsize * steps / statistics.median(timed),
                    "of_fp64": statistics.median(wide) / statistics.median(timed),
                    "disturbed": int(seconds["disturbed"][0]),
                }
            )
    return rows


class Devito:
    """A process that does steps with Devito when asked."""

    def __init__(self, interpreter: str, size: int, threads: int) -> None:
        environment = {**os.environ, "DEVITO_LANGUAGE": "openmp", "DEVITO_LOGGING": "ERROR"}
        environment["OMP_NUM_THREADS"] = str(threads)
        environment.pop("PYTHONPATH", None)
        program = Path(__file__).resolve().parent / "peers" / "devito_heat.py"
        command = [interpreter, str(program), str(size), str(PEER_STEPS)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(command, env=environment, **pipes)
        self._read("ready")

    def _read(self, expected: str = "") -> None:
        line = self.process.stdout.readline()
        if not line.startswith(expected) or not line:
            raise RuntimeError(f"Devito answered {line!r} and ended with {self.process.poll()}")

    def jobs(self) -> dict:
        """Return the jobs to time."""
        return {f"{name} devito": lambda name=name: self._step(name) for name in ("fp64", "fp32")}

    def _step(self, name: str) -> None:
        self.process.stdin.write(f"{name}\n")
        self.process.stdin.flush()
        self._read()

    def close(self) -> None:
        """End the process."""
        self.process.stdin.close()
        self.process.wait()


def measure_ranks(size: int, settings) -> list[dict]:
    """Run this file under mpirun and return the rows that rank 0 prints; none where there is no mpirun."""
    program = Path(sys.executable).parent / "mpirun"
    if not program.exists():
        return []
    path = os.pathsep.join([str(Path(__file__).resolve().parent), *filter(None, sys.path)])
    command = [str(program), "-n", str(settings.threads), sys.executable, __file__, str(size), str(settings.rounds)]
    result = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=True)
    return json.loads(result.stdout.splitlines()[-1])


def measure(settings) -> dict:
    """Time everything; see the module."""
    rows, summary = [], {}
    sizes = (512, 1024) if settings.quick else SIZES
    for size in sizes:
        peer = Devito(settings.devito, size, settings.threads) if settings.devito and size == sizes[0] else None
        pids = [os.getpid()] + ([peer.process.pid] if peer else [])
        jobs = thread_jobs(size, settings.threads) | (peer.jobs() if peer else {})
        seconds = in_turn(jobs, settings.rounds, pids=pids)
        rows += rows_of(seconds, size, "threads")
        if peer:
            summary |= _compare(seconds, size)
            peer.close()
    for size in sizes:
        rows += measure_ranks(size, settings)
    return {"rows": rows, "summary": summary}


def _compare(seconds: dict[str, list[float]], size: int) -> dict[str, float]:
    """Return Devito's rates, and how many times faster ours are, by the medians."""
    summary = {}
    for name in ("fp64", "fp32"):
        peer = statistics.median(seconds[f"{name} devito"]) / PEER_STEPS
        summary[f"devito_{name}_Gupdates_per_s"] = size**2 / peer / 1e9
        for steps in STEPS:
            ours = statistics.median(seconds[f"{name} {steps}"]) / steps
            summary[f"{name}_{steps}_steps_per_pass_over_devito"] = peer / ours
    return summary


def main() -> None:
    """Time the ranks and print the rows on rank 0."""
    from mpsolve.parallel import launch

    comm, size, rounds = launch.start(), int(sys.argv[1]), int(sys.argv[2])
    agree = lambda verdict: comm.bcast(verdict)  # noqa: E731
    seconds = in_turn(rank_jobs(size, comm), rounds, pids=comm.allgather(os.getpid()), agree=agree)
    if comm.Get_rank() == 0:
        print(json.dumps(rows_of(seconds, size, "ranks")))


if __name__ == "__main__":
    main()
