"""What every inner solver promises, in every format: a smaller residual, from zero, on any number of ranks."""

import numpy as np
import pytest

from mpsolve import lookup
from mpsolve.operators.diffusion import Diffusion
from mpsolve.precision import get_format
from mpsolve.solvers.stopping import inner_tolerance

pytestmark = pytest.mark.ranks


@pytest.fixture
def comm(world):
    """Return the communicator of all ranks; plain pytest runs on one."""
    return world


ENTRIES = lookup.names("solvers.inner")
FORMATS = lookup.names("formats")
SIDES = (("dirichlet", "neumann"), ("periodic", "periodic"))


@pytest.fixture(params=[False, True], ids=["uniform", "varying"])
def case(request, diffusion):
    return diffusion((9, 11), SIDES, varying=request.param, reaction=2.0)


def made(entry, name, case, grid, space):
    operator = Diffusion(grid, space, case.coefficients(grid), get_format("fp64"))
    low = operator.in_format(get_format(name))
    return lookup.find("solvers.inner", entry).create(low, "fp32"), low


def right_hand_side(case, seed=1):
    return np.random.default_rng(seed).uniform(-1, 1, case.shape)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("entry", ENTRIES)
def test_the_residual_shrinks_as_far_as_the_format_allows(comm, make_space, whole, case, entry, name):
    grid, space = make_space(comm, case.shape, case.periodic, halo=2)
    solver, low = made(entry, name, case, grid, space)
    rtol = inner_tolerance(get_format(name), 1e-10)
    solver.right_hand_side.set(right_hand_side(case)[grid.slices])
    b = whole(grid, solver.right_hand_side.to_numpy()).reshape(-1)
    solver.solve(rtol, 200)
    x = whole(grid, solver.correction.to_numpy()).reshape(-1)
    residual = b - case.matrix() @ x * (solver.gain / low.scale)
    # Rounding of the operator and of each vector, once an iteration, on top of the tolerance; 8-bit formats only help.
    gained = np.linalg.norm(residual) / np.linalg.norm(b)
    assert gained <= min(0.7, 3 * rtol + 50 * get_format(name).unit_roundoff)


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_second_solve_is_the_first_one_again(comm, make_space, case, entry):
    grid, space = make_space(comm, case.shape, case.periodic, halo=2)
    solver, _ = made(entry, "bf16", case, grid, space)
    answers = []
    for seed in (1, 2, 1):
        solver.right_hand_side.set(right_hand_side(case, seed)[grid.slices])
        solver.solve(0.05, 50)
        answers.append(solver.correction.to_numpy())
    assert np.array_equal(answers[0], answers[2])
    assert not np.array_equal(answers[0], answers[1])


@pytest.mark.parametrize("entry", ENTRIES)
def test_nothing_gives_nothing(comm, make_space, case, entry):
    grid, space = make_space(comm, case.shape, case.periodic, halo=2)
    solver, _ = made(entry, "fp16", case, grid, space)
    solver.right_hand_side.set(0.0)
    result = solver.solve(0.05, 50)
    assert not solver.correction.to_numpy().any()
    assert result.reduction in (0.0, None)


@pytest.mark.parametrize("entry", ENTRIES)
def test_the_limit_of_iterations_is_kept(comm, make_space, case, entry):
    grid, space = make_space(comm, case.shape, case.periodic, halo=2)
    solver, _ = made(entry, "fp32", case, grid, space)
    solver.right_hand_side.set(right_hand_side(case)[grid.slices])
    assert solver.solve(1e-30, 3).iterations == 3


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("name", ["fp64", "bf16", "fp8_e4m3"])
def test_the_number_of_ranks_changes_no_bit(world, alone, make_space, whole, case, entry, name):
    def solved(comm):
        grid, space = make_space(comm, case.shape, case.periodic, halo=2)
        solver, _ = made(entry, name, case, grid, space)
        solver.right_hand_side.set(right_hand_side(case)[grid.slices])
        result = solver.solve(0.05, 30)
        return whole(grid, solver.correction.interior), result

    (one, first), (many, second) = solved(alone), solved(world)
    assert np.array_equal(one, many)
    assert first == second
