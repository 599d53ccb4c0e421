"""Explicit steps are refused when unstable, and their increments keep within any format."""

import re

import numpy as np
import pytest

from mpsolve import lookup
from mpsolve.errors import ConfigError
from mpsolve.steppers import rk4
from mpsolve.timestepping.runge_kutta import RESCALE_STEPS, RungeKutta, tableau_order

EXPLICIT = ("euler", "ssprk3", "rk4")
PERIODIC = (("periodic", "periodic"),) * 2
WALLS = (("dirichlet", "dirichlet"),) * 2

EULER = (((),), (1.0,), (0.0,), 2.0)


def checkerboard(shape):
    """Return the mode of the largest eigenvalue on a periodic grid of even sizes, which the bound of the norm meets."""
    return 1.0 - 2.0 * (np.indices(shape).sum(axis=0) % 2)


def limit_of(name, case, mass=1.0):
    return lookup.find("steppers", name).STABILITY * mass / (8 * 1.25 + case.reaction)


@pytest.mark.ranks
@pytest.mark.parametrize("name", EXPLICIT)
def test_the_largest_stable_step_is_stable(comm, diffusion, make_problem, whole, name):
    case = diffusion((8, 10), PERIODIC)
    problem = make_problem(comm, case, checkerboard(case.shape), limit_of(name, case) * (1 - 1e-9))
    stepper = lookup.find("steppers", name).create(problem)
    stepper.advance(60)
    assert np.abs(whole(problem.grid, stepper.state())).max() <= 1 + 1e-3


@pytest.mark.ranks
@pytest.mark.parametrize("name", EXPLICIT)
def test_a_longer_step_is_refused_with_the_largest_stable_one(comm, diffusion, make_problem, name):
    case = diffusion((8, 10), PERIODIC)
    limit = limit_of(name, case)
    with pytest.raises(ConfigError, match="the largest stable one is") as caught:
        lookup.find("steppers", name).create(make_problem(comm, case, checkerboard(case.shape), limit * 1.001))
    assert float(re.search(r"stable one is ([0-9.e+-]+)", str(caught.value))[1]) == pytest.approx(limit, rel=1e-5)


@pytest.mark.ranks
def test_the_smallest_mass_of_any_rank_limits_the_step(comm, diffusion, make_problem):
    case = diffusion((8, 10), PERIODIC, varying=True)
    mass = np.full(case.shape, 4.0)
    mass[-1, -1] = 0.125
    problem = make_problem(comm, case, mass, 0.2, mass=mass)
    with pytest.raises(ConfigError, match="unstable") as caught:
        rk4.create(problem)
    assert len(set(comm.allgather(str(caught.value)))) == 1


@pytest.mark.parametrize(
    ("weights", "times", "order"),
    [((1.0,), (0.0,), 1), ((0.5, 0.5), (0.0, 1.0), 2), (rk4.WEIGHTS, rk4.TIMES, 4), ((0.5,), (0.0,), 0)],
)
def test_the_order_of_a_tableau_is_read_off_its_quadrature(weights, times, order):
    assert tableau_order(weights, times) == order


@pytest.mark.parametrize("name", ["fp16", "bf16", "fp32"])
@pytest.mark.parametrize("varying", [False, True])
def test_large_coefficients_do_not_overflow_the_increments(alone, diffusion, make_problem, name, varying):
    # k / h^2 of 1e8 is far beyond FP16; only dt k / h^2 counts.
    case = diffusion((8, 10), WALLS, varying=varying)
    slow = make_problem(alone, case, checkerboard(case.shape) + 2, 0.05, precision=name)
    case = diffusion((8, 10), WALLS, varying=varying)
    case.faces, case.reaction = tuple(2.0**27 * face for face in case.faces), 2.0**27 * case.reaction
    fast = make_problem(alone, case, checkerboard(case.shape) + 2, 0.05 * 2.0**-27, precision=name)
    states = []
    for problem in (slow, fast):
        stepper = RungeKutta(problem, *EULER)
        stepper.advance(3)
        states.append(stepper.state())
    assert np.array_equal(*states)


@pytest.mark.parametrize("name", ["fp16", "bf16"])
def test_large_and_uneven_masses_do_not_overflow_the_increments(alone, diffusion, make_problem, name):
    case = diffusion((8, 10), WALLS, varying=True)
    mass = 1e7 * 100.0 ** np.random.default_rng(1).uniform(-1, 1, case.shape)
    states = []
    for precision in (name, "fp64"):
        problem = make_problem(alone, case, checkerboard(case.shape) + 2, 2e3, mass=mass, precision=precision)
        stepper = RungeKutta(problem, *EULER)
        stepper.advance(3)
        states.append(stepper.state() - problem.initial)
    # Coefficients, increment and product with the inverse mass are each rounded; the flux of a cell cancels a little.
    unit = {"fp16": 2.0**-11, "bf16": 2.0**-8}[name]
    assert np.abs(states[0] - states[1]).max() <= 16 * unit * np.abs(states[1]).max()


@pytest.mark.parametrize("name", ["fp16", "fp8_e4m3"])
def test_a_state_that_is_set_brings_its_own_scale(alone, diffusion, make_problem, name):
    # Increments 2^30 times larger would overflow with the scale of those before.
    case = diffusion((8, 10), WALLS)
    stepper = rk4.create(make_problem(alone, case, checkerboard(case.shape) + 2, 0.02, precision=name))
    stepper.advance(1)
    first = stepper.state()
    stepper.set_state(2.0**30 * (checkerboard(case.shape) + 2))
    stepper.advance(1)
    assert np.array_equal(stepper.state(), 2.0**30 * first)


@pytest.mark.ranks
@pytest.mark.parametrize("factor", [64.0, 1 / 64])
@pytest.mark.parametrize("name", ["fp16", "fp8_e4m3", "bf16"])
def test_scaling_the_data_by_a_power_of_two_changes_no_bit(comm, diffusion, make_problem, name, factor):
    case = diffusion((8, 10), WALLS)
    initial = np.random.default_rng(1).uniform(1, 2, case.shape)
    states = []
    for scale in (1.0, factor):
        stepper = rk4.create(make_problem(comm, case, scale * initial, 0.02, precision=name))
        # Beyond the step at which the scale of the increments is chosen anew.
        stepper.advance(RESCALE_STEPS + 3)
        states.append(stepper.state() / scale)
    assert np.array_equal(*states)
