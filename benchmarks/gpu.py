"""One GPU: explicit and implicit heat per format, beside the copy of the same card, into a folder of JSON files.

    python benchmarks/gpu.py --out FOLDER

Self-contained: it needs mpsolve with one of the extras cuda12, cuda13 and rocm. ``--quick`` takes small grids, which
show that it runs and not how fast; with ``MPSOLVE_EMULATED_DEVICE=1`` that works without a card.
"""

import argparse
import json
import statistics
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from mpsolve.backends import cuda
from mpsolve.ledger import Ledger
from mpsolve.operators.diffusion import Diffusion, uniform_coefficients
from mpsolve.parallel.alone import Alone
from mpsolve.parallel.cartesian import Cartesian
from mpsolve.parallel.space import Space
from mpsolve.precision import get_format
from mpsolve.solvers.refinement import RefinementOptions, RefinementSolver

FORMATS = ("fp64", "fp32", "bf16", "fp16")
#: Cells along an axis of the explicit and of the implicit problem; quick ones.
EXPLICIT, IMPLICIT = (16384, 64), (8193, 33)
#: ``dt k / h^2`` of the implicit step, as in benchmarks/multigrid.py.
RATIO, RTOL = 1e3, 1e-10


def seconds(device, action, rounds: int) -> float:
    """Return the median time of an action, after one that compiles."""
    action()
    times = []
    for _ in range(rounds):
        device.synchronize()
        begin = time.perf_counter()
        action()
        device.synchronize()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def copy_rate(device, size: int, rounds: int) -> float:
    """Return bytes read and written per second by a copy between two arrays of ``8 size^2`` bytes."""
    source, target = (device.zeros((size * size,), np.dtype(np.float64)) for _ in range(2))

    def copy():
        target[...] = source

    return 2 * source.nbytes / seconds(device, copy, rounds)


def explicit(backend, size: int, rounds: int, copy: float) -> list[dict]:
    """Time explicit steps of the five-point stencil, one launch each, in every format."""
    rows, mirrors = [], ((-1, -1), (-1, -1))
    for name in FORMATS:
        fields = [backend.zeros((size, size), 1, get_format(name)) for _ in range(2)]
        sweep = backend.bind_sweep(fields[1], fields[0], (0.1, 0.1), 1, mirrors)
        taken = seconds(backend.device, sweep, rounds)
        moved = 2 * size * size * get_format(name).itemsize
        row = {"cells": f"{size}x{size}", "format": name, "time_s": taken, "updates_per_s": size * size / taken}
        rows.append(row | {"bytes_per_s": moved / taken, "over_copy": moved / taken / copy})
    return rows


def implicit(backend, size: int, rounds: int, inner: str) -> list[dict]:
    """Time one implicit step to a relative FP64 residual of `RTOL` in every format of the inner solver."""
    shape = (size, size)
    grid = Cartesian.create(Alone(), shape, (False, False), halo=2)
    coefficients = uniform_coefficients(shape, [1.0] * 2, [("dirichlet", "dirichlet")] * 2, RATIO, 1.0)
    b = np.random.default_rng(0).uniform(-1, 1, shape)

    def made(name: str, rtol: float) -> RefinementSolver:
        operator = Diffusion(grid, Space(Alone(), backend, shape, 2, Ledger()), coefficients, get_format("fp64"))
        solver = RefinementSolver(operator, RefinementOptions(inner=inner, ladder=(name,), rtol=rtol))
        solver.right_hand_side.set(b)
        return solver

    # The backward error that goes with the relative residual: their ratio is that of the norms of A x and of b.
    known = made("fp64", 1e-14).solve()
    rtol = RTOL * known.backward_error / known.relative_residual
    rows = []
    for name in FORMATS:
        solver = made(name, rtol)
        found = []

        def solve(solver=solver, found=found):
            solver.solution.storage.fill(0)
            found.append(solver.solve())

        taken, result = seconds(backend.device, solve, rounds), found[-1]
        row = {"cells": f"{size}x{size}", "inner": inner, "format": name, "time_s": taken}
        row |= {"iterations": result.iterations, "refinements": result.refinements}
        row |= {"relative_residual": result.relative_residual, "converged": result.converged}
        rows.append(
            row | {"unknowns_per_s": size * size / taken, "over_fp64": rows[0]["time_s"] / taken if rows else 1.0}
        )
    return rows


def main() -> None:
    """Measure and write ``gpu.json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the JSON file")
    parser.add_argument("--rounds", type=int, default=5, help="timings of each case; the median counts")
    parser.add_argument("--quick", action="store_true", help="small grids")
    given = parser.parse_args()
    backend = cuda.create()
    large, small = (sizes[given.quick] for sizes in (EXPLICIT, IMPLICIT))
    copy = copy_rate(backend.device, large, given.rounds)
    record = {
        "benchmark": "gpu",
        "date": datetime.now(UTC).date().isoformat(),
        "device": backend.device_name,
        "copy_bytes_per_s": copy,
        "explicit": explicit(backend, large, given.rounds, copy),
        "multigrid": implicit(backend, small, given.rounds, "multigrid"),
        "cg": implicit(backend, small // 4, given.rounds, "cg"),
    }
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "gpu.json").write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
