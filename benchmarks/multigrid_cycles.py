"""How many cycles of multigrid a solve takes, by size of the grid and by how the conductivity jumps: no timings.

``u - div(k grad u) = b`` with ``k / h^2`` = 1000, as one implicit step has it, and 1e9, Poisson's equation; held
sides, random right-hand side, from zero to a relative FP64 residual of 1e-10. A conductivity that jumps is 1000 or
1e-3:

- ``layers``: of 7 cells each, across the first axis;
- ``checkerboard``: blocks of 7 cells;
- ``random blocks``: blocks of 5 cells, each one or the other at random;
- ``random cells``: each cell by itself.

Poisson's equation with such jumps has rounding of FP64 above 1e-10, so there it is the step alone.

Uniform problems are solved by V-cycles alone, the others by conjugate gradients with a V-cycle as preconditioner, as
``solver.inner = auto`` does. The number of ranks changes no bit, so one is enough.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import run

if TYPE_CHECKING:
    from mpsolve.operators.diffusion import Diffusion
    from mpsolve.solvers.base import Result

#: Format of the inner solver, and formats of multigrid's levels if they are others.
FORMATS = {
    "fp64": ("fp64", ()),
    "fp32": ("fp32", ()),
    "fp32, levels fp16": ("fp32", ("fp16",)),
    "fp16": ("fp16", ()),
    "bf16": ("bf16", ()),
}
RTOL = 1e-10
STEP, POISSON = 1e3, 1e9
#: Conductivity of the poor cells over that of the good ones.
JUMP = 1e-6
SIZES = {2: (129, 257, 513, 1025, 2049, 4097), 3: (33, 65, 129)}
JUMPING = {2: (129, 257, 513, 1025), 3: (33, 65)}
QUICK = {2: (33,), 3: (17,)}
PATTERNS = ("layers", "checkerboard", "random blocks", "random cells")


def good(pattern: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return which cells conduct well."""
    index = np.indices(shape, sparse=True)
    if pattern == "layers":
        return np.broadcast_to(index[0] // 7 % 2 == 1, shape)
    if pattern == "checkerboard":
        return sum(n // 7 for n in index) % 2 == 1
    block = 5 if pattern == "random blocks" else 1
    coarse = np.random.default_rng(2).integers(0, 2, [-(-n // block) for n in shape]) == 1
    for axis in range(len(shape)):
        coarse = np.repeat(coarse, block, axis)
    return coarse[tuple(slice(0, n) for n in shape)]


def coefficients(pattern: str, shape: tuple[int, ...], ratio: float):
    """Return the coefficients: conductances in series between cell centres; held sides are half a cell away."""
    from mpsolve.operators.diffusion import Coefficients, uniform_coefficients

    if pattern == "uniform":
        axes = len(shape)
        return uniform_coefficients(shape, [1.0] * axes, [("dirichlet", "dirichlet")] * axes, ratio, 1.0)
    conductivity = np.where(good(pattern, shape), ratio, JUMP * ratio)
    faces = []
    for axis in range(len(shape)):
        k = np.moveaxis(conductivity, axis, 0)
        face = np.concatenate([2 * k[:1], 2 / (1 / k[1:] + 1 / k[:-1]), 2 * k[-1:]])
        faces.append(np.ascontiguousarray(np.moveaxis(face, 0, axis)))
    return Coefficients(tuple(faces), np.ones(shape))


def system(pattern: str, shape: tuple[int, ...], ratio: float, threads: int) -> Diffusion:
    """Return the operator of a problem on one rank."""
    from mpi4py import MPI

    from mpsolve import lookup
    from mpsolve.ledger import Ledger
    from mpsolve.operators.diffusion import Diffusion
    from mpsolve.parallel.cartesian import Cartesian
    from mpsolve.parallel.space import Space
    from mpsolve.precision import get_format
    from mpsolve.solvers.multigrid.levels import GHOSTS

    grid = Cartesian.create(MPI.COMM_SELF, shape, (False,) * len(shape), halo=2)
    space = Space(MPI.COMM_SELF, lookup.find("backends", "cpu").create(threads), shape, GHOSTS, Ledger())
    return Diffusion(grid, space, coefficients(pattern, shape, ratio), get_format("fp64"))


def solved(operator: Diffusion, b: np.ndarray, name: str, rtol: float) -> Result:
    """Solve with the formats of a name."""
    from mpsolve.precision import ladder_from
    from mpsolve.solvers.multigrid.options import MultigridOptions
    from mpsolve.solvers.refinement import RefinementSolver
    from mpsolve.solvers.refinement_options import RefinementOptions

    format, levels = FORMATS[name]
    options = RefinementOptions(
        inner="auto",
        ladder=ladder_from(format),
        rtol=rtol,
        # From a zero guess the wanted backward error is far below the wanted part of the residual.
        inner_rtol=0.3 * RTOL if format == "fp64" else 0.0,
        multigrid=MultigridOptions(levels=levels),
    )
    solver = RefinementSolver(operator, options)
    solver.right_hand_side.set(b)
    return solver.solve()


def count(pattern: str, size: int, axes: int, ratio: float, threads: int) -> list[dict]:
    """Return a row per format."""
    shape = (size,) * axes
    operator, b = system(pattern, shape, ratio, threads), np.random.default_rng(0).uniform(-1, 1, shape)
    # The backward error that goes with the relative residual: their ratio is that of the norms of A x and of b.
    known = solved(operator, b, "fp64", 1e-14)
    rtol = RTOL * known.backward_error / known.relative_residual
    rows = []
    for name in FORMATS:
        result = solved(operator, b, name, rtol)
        if not result.relative_residual <= 1.001 * RTOL:
            raise RuntimeError(f"{pattern} {size}, {name}: a relative residual of {result.relative_residual:.1e} only")
        rows.append(
            {
                "conductivity": pattern,
                "equation": "poisson" if ratio == POISSON else "step",
                "cells": "x".join([str(size)] * axes),
                "format": name,
                "solver": result.inner_solver,
                "cycles": result.iterations,
                "refinements": result.refinements,
                "escalations": len(result.escalations),
            }
        )
    return rows


def measure(settings) -> dict:
    """Count everything; see the module."""
    rows = []
    for pattern in ("uniform", *PATTERNS):
        sizes = QUICK if settings.quick else SIZES if pattern == "uniform" else JUMPING
        for axes, given in sizes.items():
            for ratio in (STEP, POISSON) if pattern == "uniform" else (STEP,):
                for size in given:
                    found = count(pattern, size, axes, ratio, settings.threads)
                    print(run.show(found), flush=True)
                    rows += found
    return {"rows": rows, "summary": summary(rows)}


def summary(rows: list[dict]) -> dict[str, int]:
    """Return the most cycles per pattern and format."""
    found: dict[str, int] = {}
    for row in rows:
        key = f"most cycles, {row['conductivity']}, {row['format']}"
        found[key] = max(found.get(key, 0), row["cycles"])
    return found
