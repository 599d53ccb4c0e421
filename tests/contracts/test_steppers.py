"""What every stepper promises: time, state, conservation, and the same bits on any number of ranks."""

import numpy as np
import pytest

from mpsolve import lookup
from mpsolve.precision import Roles
from mpsolve.timestepping.base import Stepper, StepReport

pytestmark = pytest.mark.ranks


@pytest.fixture
def comm(world):
    """Return the communicator of all ranks; plain pytest runs on one."""
    return world


ENTRIES = lookup.names("steppers")
CLOSED = (("neumann", "neumann"), ("periodic", "periodic"))
OPEN = (("dirichlet", "neumann"), ("periodic", "periodic"))


def created(entry, problem):
    return lookup.find("steppers", entry).create(problem)


def random_state(shape, seed=1):
    return np.random.default_rng(seed).uniform(1, 2, shape)


@pytest.fixture(params=ENTRIES)
def entry(request):
    return request.param


def test_it_starts_with_the_initial_state_at_time_zero(comm, diffusion, make_problem, entry):
    case = diffusion((9, 8), OPEN)
    problem = make_problem(comm, case, random_state(case.shape), 0.05)
    stepper = created(entry, problem)
    assert isinstance(stepper, Stepper)
    assert (stepper.steps, stepper.time) == (0, 0.0)
    assert np.array_equal(stepper.state(), problem.initial)


def test_it_counts_steps_and_time(comm, diffusion, make_problem, entry):
    case = diffusion((9, 8), OPEN)
    stepper = created(entry, make_problem(comm, case, random_state(case.shape), 0.05))
    assert isinstance(stepper.advance(), StepReport)
    stepper.advance(3)
    assert (stepper.steps, stepper.time) == (4, 4 * 0.05)


def test_no_steps_change_nothing(comm, diffusion, make_problem, entry):
    case = diffusion((9, 8), OPEN)
    problem = make_problem(comm, case, random_state(case.shape), 0.05)
    stepper = created(entry, problem)
    stepper.advance(0)
    assert stepper.steps == 0
    assert np.array_equal(stepper.state(), problem.initial)


def test_the_state_is_a_copy(comm, diffusion, make_problem, entry):
    case = diffusion((9, 8), OPEN)
    problem = make_problem(comm, case, random_state(case.shape), 0.05)
    stepper = created(entry, problem)
    stepper.state()[...] = 0.0
    assert np.array_equal(stepper.state(), problem.initial)


def test_many_steps_at_once_are_the_same_as_one_by_one(comm, diffusion, make_problem, entry):
    case = diffusion((9, 8), OPEN, varying=True)
    states = []
    for pieces in ([6], [1] * 6, [2, 4]):
        stepper = created(entry, make_problem(comm, case, random_state(case.shape), 0.02))
        for steps in pieces:
            stepper.advance(steps)
        states.append(stepper.state())
    assert all(np.array_equal(state, states[0]) for state in states)


def test_a_state_that_was_set_is_stepped_like_an_initial_one(comm, diffusion, make_problem, entry):
    case = diffusion((9, 8), OPEN, varying=True)
    first = created(entry, make_problem(comm, case, random_state(case.shape), 0.02, precision="bf16"))
    first.advance(5)
    other = make_problem(comm, case, 100 * random_state(case.shape, 2), 0.02, precision="bf16")
    first.set_state(other.initial)
    first.advance(2)
    second = created(entry, other)
    second.advance(2)
    assert np.array_equal(first.state(), second.state())


def test_a_constant_stays_between_closed_sides(comm, diffusion, make_problem, entry):
    case = diffusion((9, 8), CLOSED, reaction=0.0)
    stepper = created(entry, make_problem(comm, case, np.full(case.shape, 3.0), 0.05))
    stepper.advance(4)
    assert np.abs(stepper.state() - 3.0).max() <= 4 * 3.0 * (2.0**-53 + 1e-14)


def test_closed_sides_conserve_the_total(comm, diffusion, make_problem, whole, entry):
    case = diffusion((9, 8), CLOSED, varying=True, reaction=0.0)
    mass = random_state(case.shape, 3)
    problem = make_problem(comm, case, random_state(case.shape), 0.02, mass=mass)
    stepper = created(entry, problem)
    stepper.advance(10)
    drift = np.sum(mass * whole(problem.grid, stepper.state())) - np.sum(mass * random_state(case.shape))
    # Ten steps: each rounds each of 72 cells a few times (masses and values below 2), or leaves a residual of 1e-14.
    assert abs(drift) <= 10 * 72 * 4 * (8 * 2.0**-53 + 1e-14)


@pytest.mark.parametrize("precision", ["fp64", "bf16", "fp16"])
def test_the_number_of_ranks_changes_no_bit(world, alone, diffusion, make_problem, whole, entry, precision):
    def stepped(comm):
        case = diffusion((9, 8), OPEN, varying=True)
        initial, mass = random_state(case.shape), random_state(case.shape, 3)
        source = lambda time: np.cos(time) * mass  # noqa: E731
        problem = make_problem(comm, case, initial, 0.02, mass=mass, source=source, precision=precision, rtol=1e-12)
        stepper = created(entry, problem)
        report = stepper.advance(3, audit=True)
        return whole(problem.grid, stepper.state()), report

    (one, first), (many, second) = stepped(alone), stepped(world)
    assert np.array_equal(one, many)
    assert first == second


def test_three_axes_step_like_two(comm, diffusion, make_problem, whole, entry):
    # What does not vary along an axis with closed sides is the same problem with one axis less.
    flat = diffusion((8, 9), (OPEN[0], OPEN[1]), reaction=0.25)
    deep = diffusion((8, 9, 8), (OPEN[0], OPEN[1], ("neumann", "neumann")), reaction=0.25)
    state = random_state(flat.shape)
    states = []
    for case, initial in ((flat, state), (deep, np.repeat(state[:, :, None], 8, axis=2))):
        problem = make_problem(comm, case, initial, 0.02)
        stepper = created(entry, problem)
        stepper.advance(3)
        states.append(whole(problem.grid, stepper.state()))
    difference = states[1] - states[0][:, :, None]
    assert np.abs(difference).max() <= 3 * 2 * (50 * 2.0**-53 + 2e-14)


def test_the_state_between_steps_holds_no_more_than_its_format(comm, diffusion, make_problem, entry):
    case = diffusion((9, 8), OPEN, reaction=0.25)
    roles = Roles(state="fp32", inner="fp32", accumulate="fp32")
    stepper = created(entry, make_problem(comm, case, random_state(case.shape), 0.02, roles=roles, rtol=1e-12))
    stepper.advance(2)
    state = stepper.state()
    assert np.array_equal(state, state.astype(np.float32).astype(np.float64))
