"""One GPU: heat and dense systems per format, beside the copy, the products and the solvers of the same card.

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

from mpsolve import gemm_probe, lookup
from mpsolve.backends import cuda
from mpsolve.kernels.cuda.devices.card import Card
from mpsolve.ledger import Ledger
from mpsolve.operators.dense import DenseOperator
from mpsolve.operators.diffusion import Diffusion, uniform_coefficients
from mpsolve.parallel.alone import Alone
from mpsolve.parallel.block_cyclic import BlockCyclic, ProcessGrid
from mpsolve.parallel.cartesian import Cartesian
from mpsolve.parallel.space import Space
from mpsolve.precision import get_format
from mpsolve.solvers.dense.options import DenseOptions
from mpsolve.solvers.dense.refinement import DenseSolver
from mpsolve.solvers.refinement import RefinementSolver
from mpsolve.solvers.refinement_options import RefinementOptions

FORMATS = ("fp64", "fp32", "bf16", "fp16")
#: Cells along an axis of the explicit and of the implicit problem; quick ones.
EXPLICIT, IMPLICIT = (16384, 64), (8193, 33)
#: Size and block of the dense system; quick ones. The larger size is for cards that hold its FP64 matrix twice.
DENSE, BLOCK, LARGE_DENSE, LARGE_BYTES = (32768, 96), (1024, 16), 65536, 100 * 2**30
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


def dense(backend, n: int, block: int, rounds: int) -> list[dict]:
    """Time factorisation and whole solve of the HPL-MxP system in every format, beside products of its shapes."""
    matrix = lookup.find("models.matrices", "hpl_mxp").create(n)
    layout = BlockCyclic.create(ProcessGrid.create(Alone()), (n, n), block)
    operator = DenseOperator(layout, matrix, backend, Ledger(), store=False)
    b, flops = matrix.right_hand_side(slice(0, n))[None], 2 / 3 * n**3
    rows = []
    for name in FORMATS:
        gemm = backend.products(get_format(name), "auto")
        solver = DenseSolver(operator, DenseOptions(ladder=(name,), rtol=8 * n * 2.0**-53))
        solver.solve(b)
        best = None
        for _ in range(rounds):
            solver.factory.factor_s, solver.factory.watch.seconds = 0.0, {}
            solver.forget_factors()
            backend.device.synchronize()
            begin = time.perf_counter()
            _, result = solver.solve(b)
            taken = time.perf_counter() - begin
            if best is None or taken < best["time_s"]:
                phases = dict(solver.factory.watch.seconds)
                best = {"time_s": taken, "lu_time_s": solver.factory.factor_s, "phases_s": phases}
        rate = gemm_probe.rate(gemm, block)
        row = {"n": n, "block": block, "format": name, "gemm_flops_per_s": rate, **best}
        row |= {"lu_over_gemm": flops / best["lu_time_s"] / rate, "converged": result.converged}
        rows.append(row | {"over_fp64": rows[0]["time_s"] / best["time_s"] if rows else 1.0})
    return rows


def peers(backend, n: int) -> list[dict]:
    """Time cuSOLVER's FP64 solve of a system as large, and its own refinement from FP16."""
    import cupy
    import cupyx
    import cupyx.cusolver
    import cupyx.lapack

    def dgesv(a, b):
        cupyx.lapack.gesv(a.T, b)

    def fp16_refinement(a, b):
        cupy._core.set_compute_type(np.float64, cupy._core.COMPUTE_TYPE_FP16)
        try:
            cupyx.cusolver.gesv(a, b)
        finally:
            cupy._core.set_compute_type(np.float64, cupy._core.COMPUTE_TYPE_DEFAULT)

    rows = []
    for solve in (dgesv, fp16_refinement):
        row = {"who": f"cuSOLVER {solve.__name__}", "n": n}
        try:
            for _ in range(2):
                a = cupy.random.uniform(-0.5, 0.5, (n, n))
                a[cupy.arange(n), cupy.arange(n)] = n / 4
                b = cupy.ones(n)
                backend.device.synchronize()
                begin = time.perf_counter()
                solve(a, b)
                backend.device.synchronize()
                row["time_s"] = time.perf_counter() - begin
                del a, b
        except Exception as error:  # A library that refuses or runs out of memory is a result of its own.
            row["failed"] = f"{type(error).__name__}: {error}"
        cupy.get_default_memory_pool().free_all_blocks()
        rows.append(row)
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
    n = LARGE_DENSE if not given.quick and backend.free_bytes() > LARGE_BYTES else DENSE[given.quick]
    copy = copy_rate(backend.device, large, given.rounds)
    record = {
        "benchmark": "gpu",
        "date": datetime.now(UTC).date().isoformat(),
        "device": backend.device_name,
        "copy_bytes_per_s": copy,
        "explicit": explicit(backend, large, given.rounds, copy),
        "multigrid": implicit(backend, small, given.rounds, "multigrid"),
        "cg": implicit(backend, small // 4, given.rounds, "cg"),
        "dense": dense(backend, n, BLOCK[given.quick], min(given.rounds, 3)),
    }
    if isinstance(backend.device, Card):
        record["peers"] = peers(backend, n)
        for row in record["peers"]:
            if "time_s" in row:
                row["fp16_over_this"] = row["time_s"] / record["dense"][-1]["time_s"]
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "gpu.json").write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
