"""A refined multigrid solve on any grid, as the tests of this folder need it."""

import numpy as np
import pytest

from mpsolve.backends.cpu import CpuBackend
from mpsolve.operators.diffusion import Diffusion
from mpsolve.precision import get_format
from mpsolve.solvers.multigrid import levels
from mpsolve.solvers.multigrid.options import MultigridOptions
from mpsolve.solvers.refinement import RefinementSolver
from mpsolve.solvers.refinement_options import RefinementOptions


@pytest.fixture
def refined(make_space):
    """Return a function that solves a `DiffusionCase` by multigrid: ``solve(comm, case, name, **options)``."""

    def solve(
        comm,
        case,
        name="fp64",
        *,
        backend="cpu",
        inner="multigrid",
        preconditioner="auto",
        rtol=1e-12,
        ladder=None,
        halo=2,
        **options,
    ):
        grid, space = make_space(comm, case.shape, case.periodic, backend=backend, halo=halo)
        operator = Diffusion(grid, space, case.coefficients(grid), get_format("fp64"))
        solver = RefinementSolver(
            operator,
            RefinementOptions(
                inner=inner,
                preconditioner=preconditioner,
                ladder=ladder or (name,),
                rtol=rtol,
                multigrid=MultigridOptions(**options),
            ),
        )
        solver.right_hand_side.set(np.random.default_rng(4).uniform(-1, 1, case.shape)[grid.slices])
        return grid, solver, solver.solve()

    return solve


@pytest.fixture
def deep(monkeypatch):
    """Keep grids divided among the ranks while their blocks have two cells: small tests then have many levels.

    Such blocks are too thin for steps that share a pass (`test_ascent.py` has those).
    """
    monkeypatch.setattr(CpuBackend, "fuses_steps", False)
    monkeypatch.setattr(levels, "GATHERED_CELLS", 0)
    monkeypatch.setattr(levels, "THINNEST", 2)
    monkeypatch.setattr(levels, "DIRECT_CELLS", 30)
