"""A state in low precision: stored plainly it stagnates; the other three ways lose nothing but what rounding must.

References: M. Croci and M. B. Giles, IMA J. Numer. Anal. 43, 1358 (2023) on the stagnation of the heat equation and
on stochastic rounding; the bounds below are derived for the problem at hand.
"""

import numpy as np
import pytest

from mpsolve.errors import ConfigError
from mpsolve.precision import get_format
from mpsolve.timestepping.base import STATE_UPDATES
from mpsolve.timestepping.runge_kutta import RungeKutta

SHAPE = (12, 12)
WALLS = (("dirichlet", "dirichlet"),) * 2
RATE = 8 * 1.25 * np.sin(np.pi / 24) ** 2
STEPS = 256
CELLS = 144


def mode():
    axis = np.sin(np.pi * (np.arange(12) + 0.5) / 12)
    # Below 1, so that the spacing of the stored numbers is at most the unit roundoff.
    return 0.99 * axis[:, None] * axis


def dt_of(name):
    """Return a step whose increment is a quarter of the least half spacing relative to its number."""
    return get_format(name).unit_roundoff / 8 / RATE


def stepped(make_problem, diffusion, comm, name, update, steps=STEPS, seed=0, dt=None):
    case = diffusion(SHAPE, WALLS, reaction=0.0)
    problem = make_problem(comm, case, mode(), dt or dt_of(name), precision=name, state_update=update, seed=seed)
    stepper = RungeKutta(problem, ((),), (1.0,), (0.0,), 2.0)
    return stepper, stepper.advance(steps, audit=True)


def fp64_answer(name, steps=STEPS):
    return (1 - RATE * dt_of(name)) ** steps * mode()


@pytest.mark.ranks
@pytest.mark.parametrize("name", ["bf16", "fp16"])
def test_a_plain_state_stagnates_in_every_cell(comm, diffusion, make_problem, name):
    stepper, report = stepped(make_problem, diffusion, comm, name, "plain", 20)
    assert report.stagnant_cells == CELLS
    assert np.array_equal(stepper.state(), get_format(name).round(stepper.problem.initial).astype(np.float64))


def test_the_error_of_a_stagnant_state_is_all_of_the_decay(alone, diffusion, make_problem):
    # The increment is far below half a spacing, so the heat equation stands still until the end of time.
    stepper, _ = stepped(make_problem, diffusion, alone, "bf16", "plain")
    decay = 1 - (1 - RATE * dt_of("bf16")) ** STEPS
    error = np.abs(stepper.state() - fp64_answer("bf16")).max()
    assert error == pytest.approx(decay * mode().max(), abs=2 * get_format("bf16").unit_roundoff)
    assert decay > 0.1


@pytest.mark.ranks
@pytest.mark.parametrize("update", ["increment", "compensated", "stochastic"])
def test_the_other_states_move(comm, diffusion, make_problem, update):
    _, report = stepped(make_problem, diffusion, comm, "bf16", update, 1)
    # Of those rounded at random with a chance of a quarter or less, most stay in a given step.
    allowed = {"increment": 0, "compensated": 0, "stochastic": CELLS - 1}
    assert report.stagnant_cells <= allowed[update]


@pytest.mark.parametrize("name", ["bf16", "fp16"])
def test_increments_in_low_precision_lose_only_their_own_rounding(alone, diffusion, make_problem, name):
    stepper, _ = stepped(make_problem, diffusion, alone, name, "increment")
    # Each increment is off by u of itself; they sum to the decay, and the step contracts in the maximum norm.
    decay = 1 - (1 - RATE * dt_of(name)) ** STEPS
    error = np.abs(stepper.state() - fp64_answer(name)).max()
    assert error <= 1.1 * get_format(name).unit_roundoff * decay


@pytest.mark.parametrize("name", ["bf16", "fp16"])
def test_a_compensated_state_has_the_precision_of_two_numbers(alone, diffusion, make_problem, name):
    stepper, _ = stepped(make_problem, diffusion, alone, name, "compensated")
    unit = get_format(name).unit_roundoff
    # A step rounds the low part (below u/2) to u, and works in FP32; the increments are rounded as above.
    bound = STEPS * (unit * unit / 2 + 3 * 2.0**-24) + 1.1 * unit * (1 - (1 - RATE * dt_of(name)) ** STEPS)
    assert np.abs(stepper.state() - fp64_answer(name)).max() <= bound


def test_a_compensated_state_starts_with_more_than_one_number_holds(alone, diffusion, make_problem):
    stepper, _ = stepped(make_problem, diffusion, alone, "bf16", "compensated", 0)
    assert np.abs(stepper.state() - mode()).max() <= 2.0**-8 * 2.0**-8 / 2
    assert np.abs(stepper.state() - mode()).max() > 0


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_stochastic_state_is_right_on_average(alone, diffusion, make_problem, seed):
    stepper, _ = stepped(make_problem, diffusion, alone, "bf16", "stochastic", seed=seed)
    phi = mode()
    amplitude = np.sum(phi * (stepper.state() - fp64_answer("bf16"))) / np.sum(phi * phi)
    # A cell's error per step has mean zero and a deviation of half a spacing (u) at most; errors of steps and cells are
    # independent, and the step damps them. The first rounding and those of the increments are to nearest.
    unit = get_format("bf16").unit_roundoff
    deviation = unit / 2 * np.sqrt(STEPS) * np.sqrt(np.sum(phi**2)) / np.sum(phi**2)
    assert abs(amplitude) <= 5 * deviation + 1.1 * unit
    # Far from the decay of 0.12 that a stagnant state misses.
    assert abs(amplitude) < 0.5 * (1 - (1 - RATE * dt_of("bf16")) ** STEPS)


def test_another_seed_rounds_otherwise(alone, diffusion, make_problem):
    states = [stepped(make_problem, diffusion, alone, "bf16", "stochastic", 5, seed)[0].state() for seed in (0, 0, 1)]
    assert np.array_equal(states[0], states[1])
    assert not np.array_equal(states[0], states[2])


def test_each_step_rounds_otherwise(alone, diffusion, make_problem):
    stepper, _ = stepped(make_problem, diffusion, alone, "bf16", "stochastic", 0)
    moved = []
    for _ in range(3):
        before = stepper.state()
        stepper.advance()
        moved.append(before != stepper.state())
    assert not np.array_equal(moved[0], moved[1])
    assert not np.array_equal(moved[1], moved[2])


@pytest.mark.ranks
@pytest.mark.parametrize("update", STATE_UPDATES)
@pytest.mark.parametrize("name", ["bf16", "fp16", "fp32"])
def test_the_number_of_ranks_changes_no_bit(world, alone, diffusion, make_problem, whole, name, update):
    def state(comm):
        dt = 0.01 if name == "fp32" else 4 * dt_of(name)
        stepper, report = stepped(make_problem, diffusion, comm, name, update, 4, dt=dt)
        return whole(stepper.problem.grid, stepper.state()), report

    (one, first), (many, second) = state(alone), state(world)
    assert np.array_equal(one, many)
    assert first == second


@pytest.mark.ranks
def test_compiled_increments_give_the_same_bits_on_any_number_of_ranks(world, alone, diffusion, make_problem, whole):
    pytest.importorskip("numba")

    def state(comm):
        case = diffusion(SHAPE, WALLS, reaction=0.0)
        problem = make_problem(comm, case, mode(), 0.05, precision="bf16", backend="cpu")
        stepper = RungeKutta(problem, ((),), (1.0,), (0.0,), 2.0)
        stepper.advance(3)
        return whole(problem.grid, stepper.state())

    assert np.array_equal(state(alone), state(world))


@pytest.mark.ranks
def test_an_unknown_update_is_refused_with_those_that_exist(comm, diffusion, make_problem):
    with pytest.raises(ConfigError, match="increment, plain, compensated, stochastic"):
        stepped(make_problem, diffusion, comm, "bf16", "kahan", 1)


@pytest.mark.ranks
def test_all_work_of_a_stochastic_step_is_counted(comm, diffusion, make_problem):
    stepper, _ = stepped(make_problem, diffusion, comm, "bf16", "stochastic", 0)
    stepper.advance(3)
    work = stepper.problem.space.ledger.to_dict()["stepper"]["bf16"]
    assert work["flops"] == 3 * 2 * np.prod(stepper.problem.grid.shape)
