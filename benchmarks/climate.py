"""The shallow-water core on a doubly periodic plane: cell-steps per second by precision and stepper, beside the copy.

This file calls itself as ``mpirun -n 2 python benchmarks/climate.py ROWS COLUMNS ROUNDS``, with one thread a rank. The
Adams-Bashforth stepper does what the shallow-water demonstration of mpi4jax does in a step.
"""

import json
import os
import shlex
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
from run import in_turn

#: Rows and columns of the demonstration, and small ones.
SHAPE, QUICK = (1800, 3600), (60, 120)
#: Format of the increments and of the state.
PRECISIONS = (("fp64", "fp64"), ("fp32", "fp32"), ("fp16", "fp32"), ("bf16", "fp32"), ("fp16", "fp64"))
STEPPERS = ("ab2", "ssprk3")
#: FP64 entries of each array that a rank copies.
COPIED = 1 << 24


def least_bytes(stepper: str, inner: int, state: int) -> int:
    """Return the bytes of a step on a cell if every pass moves each array once; arguments are bytes of a number."""
    if stepper == "ab2":
        # The tendency, then the union of the state with two increments.
        return 3 * (state + inner) + 3 * (2 * state + 2 * inner)
    # Three stages of the state and an increment; the first reads no increment, the last writes the state.
    return 3 * (state + inner) + 3 * (state + 2 * inner) + 3 * (2 * state + inner)


def cores(comm, shape):
    """Return a core per stepper and precision, all in the same state."""
    from mpsolve.backends import cpu
    from mpsolve.ledger import Ledger
    from mpsolve.models.shallow_water.model import ShallowWaterModel
    from mpsolve.models.shallow_water.problems import turbulence
    from mpsolve.models.shallow_water.stepping import HALO
    from mpsolve.parallel.cartesian import Cartesian
    from mpsolve.precision import Roles

    grid = Cartesian.create(comm, shape, (True, True), halo=HALO)
    model = ShallowWaterModel(turbulence.create(shape, 0.0), grid, 2.0)
    backend, made = cpu.create(1), {}
    for stepper in STEPPERS:
        dt = 0.5 * model.largest_dt_s(stepper)
        for inner, state in PRECISIONS:
            roles = Roles(state=state, inner=inner)
            made[stepper, inner, state] = model.core(
                backend,
                Ledger(),
                roles,
                fluxes="energy",
                scheme=stepper,
                dt_s=dt,
                drag_per_s=1e-6,
                viscosity_m2_s=100.0,
            )
    return made


def worker(rows: int, columns: int, rounds: int) -> None:
    """Time every core on the ranks of this launch, in turn; rank 0 prints the rows as JSON."""
    from mpsolve.parallel import launch
    from mpsolve.precision import get_format

    comm = launch.start()
    made = cores(comm, (rows, columns))
    source, target = np.ones(COPIED), np.zeros(COPIED)

    def copy():
        comm.Barrier()
        np.copyto(target, source)
        comm.Barrier()

    jobs = {"copy": copy} | {key: core.step for key, core in made.items()}
    pids = comm.allgather(os.getpid())
    seconds = in_turn(jobs, rounds, pids=pids, agree=lambda told: comm.bcast(told))
    rate = comm.size * 2 * source.nbytes / statistics.median(seconds["copy"])
    found = []
    for (stepper, inner, state), core in made.items():
        middle = statistics.median(seconds[stepper, inner, state])
        cells = rows * columns
        moved = cells * least_bytes(stepper, get_format(inner).itemsize, get_format(state).itemsize) / middle
        height = core.height()
        if not np.isfinite(height).all():
            raise RuntimeError(f"{stepper} in {inner}, {state} is not finite")
        found.append(
            {
                "cells": f"{columns}x{rows}",
                "stepper": stepper,
                "inner": inner,
                "state": state,
                "time_s": middle,
                "mcell_steps_per_s": cells / middle / 1e6,
                "over_fp64": statistics.median(seconds[stepper, "fp64", "fp64"]) / middle,
                "bytes_per_s": moved,
                "over_copy": moved / rate,
                "disturbed": seconds["disturbed"][0],
            }
        )
    if comm.rank == 0:
        print(json.dumps({"rows": found, "copy_bytes_per_s": rate}))


def measure(settings) -> dict:
    """Run this file under mpirun and return what rank 0 prints."""
    program = Path(sys.executable).parent / "mpirun"
    path = os.pathsep.join([str(Path(__file__).resolve().parent), *filter(None, sys.path)])
    numbers = [str(n) for n in (*(QUICK if settings.quick else SHAPE), settings.rounds)]
    command = [str(program), "-n", str(settings.threads), sys.executable, __file__, *numbers]
    result = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(f"{shlex.join(command)} failed: {result.stderr[-2000:]}")
    return json.loads(result.stdout.splitlines()[-1])


if __name__ == "__main__":
    worker(*map(int, sys.argv[1:4]))
