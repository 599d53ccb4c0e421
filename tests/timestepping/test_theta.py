"""Implicit steps are refined solves: any step is stable, and the FP64 answer does not depend on the inner format."""

import numpy as np
import pytest

from mpsolve.precision import Roles
from mpsolve.steppers import backward_euler, crank_nicolson
from mpsolve.timestepping.theta import LINE, PARABOLA

pytestmark = pytest.mark.ranks

SIDES = (("dirichlet", "neumann"), ("periodic", "periodic"))
BOTH = [backward_euler, crank_nicolson]


def random_state(shape, seed=1):
    return np.random.default_rng(seed).uniform(1, 2, shape)


@pytest.mark.parametrize("module", BOTH)
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16", "fp8_e4m3"])
def test_the_inner_format_does_not_show_in_the_answer(comm, diffusion, make_problem, whole, module, precision):
    case = diffusion((9, 8), SIDES, varying=True)
    mass, states = random_state(case.shape, 2), []
    for name in (precision, "fp64"):
        problem = make_problem(comm, case, random_state(case.shape), 0.5, mass=mass, precision=name, rtol=1e-13)
        stepper = module.create(problem)
        assert stepper.advance(3).result.converged
        states.append(whole(problem.grid, stepper.state()))
    # Backward errors of 1e-13 times the condition number of mass + dt A, below 50, in each of three steps.
    assert np.abs(states[0] - states[1]).max() <= 3 * 2 * 50 * 1e-13 * np.linalg.norm(states[1])


@pytest.mark.parametrize("dt", [1e-6, 1.0, 1e4])
@pytest.mark.parametrize("module", BOTH)
def test_a_step_is_the_dense_solve(comm, diffusion, make_problem, whole, module, dt):
    case = diffusion((9, 8), SIDES, varying=True)
    initial, mass = random_state(case.shape), random_state(case.shape, 2)
    source = lambda time: (1 + time) * random_state(case.shape, 3)  # noqa: E731
    problem = make_problem(comm, case, initial, dt, mass=mass, source=source, precision="bf16")
    stepper = module.create(problem)
    stepper.advance(2)
    state, matrix = initial.reshape(-1), case.matrix()
    weight = 1.0 if module is backward_euler else 0.5
    rate = np.diag(mass.reshape(-1) / dt)
    for step in range(2):
        mean = weight * source((step + 1) * dt) + (1 - weight) * source(step * dt)
        right = rate @ state - (1 - weight) * matrix @ state + mean.reshape(-1)
        state = np.linalg.solve(rate + weight * matrix, right)
    condition = np.linalg.cond(rate + weight * matrix)
    error = np.linalg.norm(whole(problem.grid, stepper.state()).reshape(-1) - state)
    assert error <= 2 * 4 * condition * (1e-14 + 72 * 2.0**-53) * np.linalg.norm(state)


def test_the_guess_is_extrapolated(comm, diffusion, make_problem):
    # In a smooth decay the extrapolated guess starts close: fewer refinements than from a state that was set.
    case = diffusion((9, 8), SIDES)
    stepper = backward_euler.create(make_problem(comm, case, random_state(case.shape), 0.001, precision="bf16"))
    stepper.advance(5)
    extrapolated = stepper.advance().result.history[0].residual
    stepper.set_state(stepper.state())
    assert extrapolated < 0.1 * stepper.advance().result.history[0].residual


@pytest.mark.parametrize(("weights", "degree"), [(LINE, 1), (PARABOLA, 2)])
def test_the_weights_of_the_guess_are_exact_for_polynomials(weights, degree):
    for power in range(degree + 1):
        assert sum(weight * t**power for weight, t in zip(weights, (0, -1, -2), strict=True)) == 1.0


def test_a_solution_on_a_parabola_in_time_is_guessed_to_rounding(comm, diffusion, make_problem):
    # With this source u = s (1 + t^2) solves mass du/dt = f - A u, and the trapezoidal rule is exact for it.
    case = diffusion((9, 8), SIDES)
    shape = random_state(case.shape)
    applied = (case.matrix() @ shape.reshape(-1)).reshape(case.shape)
    source = lambda t: 2 * t * shape + (1 + t * t) * applied  # noqa: E731
    stepper = crank_nicolson.create(make_problem(comm, case, shape, 0.01, source=source))
    starts = [stepper.advance().result.history[0].backward_error for _ in range(4)]
    # A solve stops at 1e-12, and the guess takes three of them with weights of 3, 3 and 1.
    assert starts[3] < 7 * 1e-12 < starts[1]


def test_a_step_that_does_not_converge_ends_the_run(comm, diffusion, make_problem):
    case = diffusion((9, 8), SIDES)
    problem = make_problem(comm, case, random_state(case.shape), 0.5, rtol=1e-30)
    stepper = crank_nicolson.create(problem)
    report = stepper.advance(5)
    assert not report.result.converged
    assert stepper.steps == 1


def test_every_refinement_is_observed(comm, diffusion, make_problem):
    case = diffusion((9, 8), SIDES)
    seen = []
    stepper = crank_nicolson.create(make_problem(comm, case, random_state(case.shape), 0.5, precision="bf16"))
    report = stepper.advance(observe=seen.append)
    assert tuple(seen) == report.result.history


def test_a_narrow_halo_does_not_show_in_the_answer(comm, diffusion, make_problem, whole):
    case = diffusion((9, 8), SIDES)
    states = []
    for halo in ("bf16", ""):
        roles = Roles(inner="fp32", accumulate="fp32", halo=halo)
        problem = make_problem(comm, case, random_state(case.shape), 0.5, roles=roles, precision="fp32", rtol=1e-13)
        stepper = crank_nicolson.create(problem)
        assert stepper.advance(3).result.converged
        states.append(whole(problem.grid, stepper.state()))
    assert np.abs(states[0] - states[1]).max() <= 3 * 2 * 20 * 1e-13 * np.linalg.norm(states[1])


def test_a_state_set_at_a_later_time_uses_the_source_of_that_time(comm, diffusion, make_problem):
    case = diffusion((9, 8), SIDES)
    source = lambda time: np.full(case.shape, np.exp(time))  # noqa: E731
    through = crank_nicolson.create(make_problem(comm, case, random_state(case.shape), 0.5, source=source))
    through.advance(3)
    later = crank_nicolson.create(make_problem(comm, case, random_state(case.shape), 0.5, source=source))
    later.steps = 3
    later.set_state(through.state())
    through.advance()
    later.advance()
    # Only the guesses differ, and with them what a backward error of 1e-14 leaves.
    assert np.abs(through.state() - later.state()).max() <= 100 * 1e-14 * np.linalg.norm(through.state())
