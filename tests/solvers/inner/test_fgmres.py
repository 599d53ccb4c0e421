"""Flexible GMRES solves what conjugate gradients cannot, and takes a cycle of multigrid in any format."""

import numpy as np
import pytest

import mpsolve
from mpsolve.operators.diffusion import Diffusion
from mpsolve.precision import get_format
from mpsolve.solvers.inner import fgmres
from mpsolve.solvers.multigrid.options import MultigridOptions
from mpsolve.solvers.refinement import RefinementSolver
from mpsolve.solvers.refinement_options import RefinementOptions

CELLS = 40


def convection(u):
    """Apply diffusion, a wind along both axes and a reaction: the wind makes the operator far from symmetric."""
    padded = np.pad(u, 1)
    north, south, west, east = padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]
    return 4.2 * u - north - south - west - east + 0.9 * (south - north) + 0.5 * (east - west)


@pytest.mark.parametrize("precision", ["fp64", "fp32", "bf16", "fp16"])
def test_an_operator_that_is_not_symmetric_is_solved(precision):
    b = np.random.default_rng(1).uniform(-1, 1, (CELLS, CELLS))
    x, result = mpsolve.refine(convection, b, inner="fgmres", precision=precision, ladder=(), rtol=1e-12)
    assert result.converged
    residual = np.linalg.norm(b - convection(x))
    # The norm of A is at most 4.2 + 4 + 2.8; the backward error is relative to that times the solution.
    assert residual <= 1e-12 * (11 * np.linalg.norm(x) + np.linalg.norm(b))


def test_it_starts_anew_when_the_basis_is_full(make_space, diffusion, alone):
    case = diffusion((64, 48), (("dirichlet", "dirichlet"),) * 2, reaction=0.0)
    grid, space = make_space(alone, case.shape, case.periodic, halo=2)
    low = Diffusion(grid, space, case.coefficients(grid), get_format("fp64")).in_format(get_format("fp64"))
    solver = fgmres.create(low)
    b = np.random.default_rng(1).uniform(-1, 1, case.shape)
    solver.right_hand_side.set(b)
    result = solver.solve(1e-8, 2000)
    assert result.iterations > 2 * fgmres.RESTART
    residual = b.ravel() - case.matrix() @ solver.correction.to_numpy().ravel() / low.scale
    measured = np.linalg.norm(residual) / np.linalg.norm(b)
    assert measured <= 1e-8
    # What the recurrences say is what is left, to the rounding of each restart.
    assert measured == pytest.approx(result.reduction, rel=1e-4)


@pytest.mark.ranks
@pytest.mark.parametrize("name", ["fp64", "fp32", "fp16", "bf16"])
@pytest.mark.parametrize("varying", [False, True], ids=["uniform", "varying"])
def test_a_cycle_of_multigrid_makes_it_fast_on_any_number_of_ranks(world, make_space, diffusion, name, varying):
    case = diffusion((45, 37), (("dirichlet", "neumann"), ("periodic", "periodic")), varying=varying, reaction=1e-3)
    grid, space = make_space(world, case.shape, case.periodic, halo=2)
    operator = Diffusion(grid, space, case.coefficients(grid), get_format("fp64"))
    options = RefinementOptions("fgmres", "multigrid", ladder=(name,), rtol=1e-11, multigrid=MultigridOptions())
    solver = RefinementSolver(operator, options)
    solver.right_hand_side.set(np.random.default_rng(4).uniform(-1, 1, case.shape)[grid.slices])
    result = solver.solve()
    assert result.converged
    assert result.inner_solver == "fgmres with multigrid"
    # A cycle reduces the residual about tenfold, and the basis can only do better; a new basis begins a refinement.
    assert result.iterations <= 16
