"""Implicit heat by multigrid: unknowns per second in each format to one FP64 residual, beside PETSc's best solver.

One step with ``dt k / h^2 = 1000`` in two dimensions, and Poisson's equation in three, held sides, random right-hand
side, from zero to a relative residual of 1e-10, on as many ranks as ``--threads`` says. This file calls itself as
``mpirun -n 2 python benchmarks/multigrid.py SIZE AXES ROUNDS``. With ``--petsc COMMAND``, such as
``--petsc "mpirun.openmpi -n 2 python3"``, PETSc is timed in the same run.
"""

import json
import math
import os
import shlex
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
from run import in_turn

FORMATS = ("fp64", "fp32", "bf16", "fp16")
RTOL = 1e-10
#: Cells along an axis, axes, and ``dt k / h^2``; Poisson's equation is the limit of a long step.
CASES = ((1025, 2, 1e3), (2049, 2, 1e3), (4097, 2, 1e3), (129, 3, 1e9), (257, 3, 1e9))
QUICK = ((65, 2, 1e3), (17, 3, 1e9))
#: PETSc's preconditioners by the number of axes, those of a matrix or geometric multigrid; the fastest one counts.
PRECONDITIONERS = {2: ("hypre", "gamg"), 3: ("geometric",)}
#: Cells along an axis of PETSc's coarsest grid, which it solves directly.
COARSEST = 16


def solvers(comm, size: int, axes: int, ratio: float) -> dict:
    """Return a refinement solver per format, with the same right-hand side."""
    from mpsolve import lookup
    from mpsolve.ledger import Ledger
    from mpsolve.operators.diffusion import Diffusion, uniform_coefficients
    from mpsolve.parallel.cartesian import Cartesian
    from mpsolve.parallel.space import Space
    from mpsolve.precision import get_format
    from mpsolve.solvers.multigrid.levels import GHOSTS
    from mpsolve.solvers.refinement import RefinementSolver
    from mpsolve.solvers.refinement_options import RefinementOptions

    shape = (size,) * axes
    grid = Cartesian.create(comm, shape, (False,) * axes, halo=2)
    coefficients = uniform_coefficients(shape, [1.0] * axes, [("dirichlet", "dirichlet")] * axes, ratio, 1.0)
    b = np.random.default_rng(0).uniform(-1, 1, shape)[grid.slices]

    def made(name: str, rtol: float) -> RefinementSolver:
        space = Space(comm, lookup.find("backends", "cpu").create(1), grid.shape, GHOSTS, Ledger())
        operator = Diffusion(grid, space, coefficients, get_format("fp64"))
        solver = RefinementSolver(operator, RefinementOptions(inner="multigrid", ladder=(name,), rtol=rtol))
        solver.right_hand_side.set(b)
        return solver

    # The backward error that goes with the relative residual: their ratio is that of the norms of A x and of b.
    known = made("fp64", 1e-14).solve()
    rtol = RTOL * known.backward_error / known.relative_residual
    return {name: made(name, rtol) for name in FORMATS}


def worker(size: int, axes: int, rounds: int) -> None:
    """Time one size on the ranks of this launch; rank 0 prints the rows as JSON."""
    from mpsolve.parallel import launch

    comm = launch.start()
    ratio = next(case[2] for case in (*CASES, *QUICK) if case[:2] == (size, axes))
    made, results = solvers(comm, size, axes, ratio), {}

    def solve(name: str) -> None:
        made[name].solution.storage[...] = 0
        results[name] = made[name].solve()

    pids = comm.allgather(os.getpid())
    seconds = in_turn(
        {name: lambda name=name: solve(name) for name in FORMATS},
        rounds,
        pids=pids,
        agree=lambda told: comm.bcast(told),
    )
    rows = []
    for name in FORMATS:
        if not results[name].relative_residual <= 1.001 * RTOL:
            raise RuntimeError(f"{name} reached a relative residual of {results[name].relative_residual:.1e} only")
        middle = statistics.median(seconds[name])
        rows.append(
            {
                "cells": "x".join([str(size)] * axes),
                "format": name,
                "cycles": results[name].iterations,
                "refinements": results[name].refinements,
                "relative_residual": results[name].relative_residual,
                "time_s": middle,
                "least_s": min(seconds[name]),
                "greatest_s": max(seconds[name]),
                "munknowns_per_s": size**axes / middle / 1e6,
                "over_fp64": statistics.median(seconds["fp64"]) / middle,
                "disturbed": seconds["disturbed"][0],
            }
        )
    if comm.rank == 0:
        print(json.dumps(rows))


def ours(settings, size: int, axes: int) -> list[dict]:
    """Run this file under mpirun and return the rows that rank 0 prints."""
    program = Path(sys.executable).parent / "mpirun"
    path = os.pathsep.join([str(Path(__file__).resolve().parent), *filter(None, sys.path)])
    numbers = [str(size), str(axes), str(settings.rounds)]
    command = [str(program), "-n", str(settings.threads), sys.executable, __file__, *numbers]
    result = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"}, capture_output=True, text=True
    )
    if result.returncode:
        raise RuntimeError(f"{shlex.join(command)} failed: {result.stderr[-2000:]}")
    return json.loads(result.stdout.splitlines()[-1])


def petsc(settings, size: int, axes: int, ratio: float) -> dict:
    """Return the fastest of PETSc's preconditioners with its unknowns per second."""
    folder, best = Path(__file__).parent / "peers", {}
    for kind in PRECONDITIONERS[axes]:
        numbers = [str(size), str(axes), str(ratio), str(min(settings.rounds, 3))]
        words = ["petsc_multigrid.py", *numbers, "-pc_type", kind]
        if kind == "geometric":
            words = ["petsc_geometric.py", *numbers, "-pc_mg_levels", str(1 + round(math.log2(size / COARSEST)))]
        command = [*shlex.split(settings.petsc), str(folder / words[0]), *words[1:]]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
        if done.returncode:
            raise RuntimeError(f"{shlex.join(command)} failed: {done.stderr[-2000:]}")
        answer = json.loads(done.stdout.splitlines()[-1])
        speed = size**axes / statistics.median(answer["seconds"]) / 1e6
        if speed > best.get("petsc_munknowns_per_s", 0.0):
            best = {"petsc_munknowns_per_s": speed, "petsc": kind, "petsc_iterations": answer["iterations"]}
    return best


def measure(settings) -> dict:
    """Time everything; see the module."""
    rows, peers = [], []
    for size, axes, ratio in QUICK if settings.quick else CASES:
        found = ours(settings, size, axes)
        if settings.petsc and size < 4000:
            peer = petsc(settings, size, axes, ratio)
            peers.append({"cells": found[0]["cells"], **peer})
            for row in found:
                row["over_petsc"] = row["munknowns_per_s"] / peer["petsc_munknowns_per_s"]
        rows += found
    return {"rows": rows, "peers": peers}


if __name__ == "__main__":
    worker(*map(int, sys.argv[1:4]))
