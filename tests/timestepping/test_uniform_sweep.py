"""Several Euler steps in one pass over memory are the same steps, on any number of ranks and with any sides."""

import numpy as np
import pytest

from mpsolve.errors import ConfigError
from mpsolve.precision import Roles, get_format
from mpsolve.steppers import euler
from mpsolve.timestepping.runge_kutta import RungeKutta
from mpsolve.timestepping.uniform_sweep import UniformSweep, fits

pytestmark = pytest.mark.ranks

PERIODIC, WALL, CLOSED = ("periodic", "periodic"), ("dirichlet", "dirichlet"), ("neumann", "neumann")
SIDES = [(WALL, WALL), (CLOSED, PERIODIC), (PERIODIC, ("dirichlet", "neumann")), (PERIODIC, PERIODIC)]
FORMATS = ["fp64", "fp32", "bf16", "fp16"]
SHAPE = (26, 27)


def problem_of(make_problem, diffusion, comm, sides, name="fp64", *, passes=1, shape=SHAPE, reaction=0.0, **options):
    case = diffusion(shape, sides, reaction=reaction)
    initial = np.random.default_rng(1).uniform(-1, 1, shape)
    options = {"state_update": "plain", "precision": name, "steps_per_pass": passes, **options}
    return make_problem(comm, case, initial, options.pop("dt", 0.15), **options)


@pytest.mark.parametrize("sides", SIDES)
@pytest.mark.parametrize("name", FORMATS)
def test_a_step_is_that_of_the_general_method(comm, diffusion, make_problem, sides, name):
    problem = problem_of(make_problem, diffusion, comm, sides, name)
    sweep, general = UniformSweep(problem, 2.0), RungeKutta(problem, *euler_tableau())
    sweep.advance(1)
    general.advance(1)
    # The general method rounds the increment too (below 1.5: |u| <= 1, dt norm = 1.5), then both round the state once.
    unit, compute = get_format(name).unit_roundoff, 20 * np.finfo(get_format(name).compute).eps
    assert np.abs(sweep.state() - general.state()).max() <= (1.5 + 2 * 1) * unit + compute


def euler_tableau():
    return euler.STAGES, euler.WEIGHTS, euler.TIMES, euler.STABILITY


@pytest.mark.parametrize("sides", SIDES)
def test_in_fp64_many_steps_are_those_of_the_general_method(comm, diffusion, make_problem, sides):
    problem = problem_of(make_problem, diffusion, comm, sides, passes=3)
    sweep, general = UniformSweep(problem, 2.0), RungeKutta(problem, *euler_tableau())
    sweep.advance(20)
    general.advance(20)
    # A step with dt norm below 2 does not amplify; it rounds about 20 numbers of at most 2.
    assert np.abs(sweep.state() - general.state()).max() <= 20 * 40 * 2.0**-53


@pytest.mark.parametrize("sides", SIDES)
@pytest.mark.parametrize("name", FORMATS)
def test_the_steps_of_a_pass_change_no_bit(comm, diffusion, make_problem, sides, name):
    states = []
    for passes in (1, 2, 3):
        sweep = UniformSweep(problem_of(make_problem, diffusion, comm, sides, name, passes=passes), 2.0)
        sweep.advance(7)
        states.append(sweep.state())
    assert np.array_equal(states[0], states[1])
    assert np.array_equal(states[0], states[2])


@pytest.mark.parametrize("sides", SIDES)
@pytest.mark.parametrize("name", FORMATS)
def test_the_number_of_ranks_changes_no_bit(world, alone, diffusion, make_problem, whole, sides, name):
    def stepped(comm):
        problem = problem_of(make_problem, diffusion, comm, sides, name, passes=2)
        sweep = UniformSweep(problem, 2.0)
        report = sweep.advance(5, audit=True)
        return whole(problem.grid, sweep.state()), report

    (one, first), (many, second) = stepped(alone), stepped(world)
    assert np.array_equal(one, many)
    assert first == second


@pytest.mark.parametrize("name", ["fp64", "bf16"])
def test_compiled_sweeps_give_the_same_bits_on_any_number_of_ranks_and_passes(
    world, alone, diffusion, make_problem, whole, name
):
    pytest.importorskip("numba")

    def stepped(comm, passes):
        problem = problem_of(make_problem, diffusion, comm, SIDES[1], name, passes=passes, backend="cpu")
        sweep = UniformSweep(problem, 2.0)
        sweep.advance(5)
        return whole(problem.grid, sweep.state())

    states = [stepped(alone, 1), stepped(world, 1), stepped(world, 3)]
    assert np.array_equal(states[0], states[1])
    assert np.array_equal(states[0], states[2])


def test_auditing_changes_no_bit(comm, diffusion, make_problem):
    states = []
    for audit in (False, True):
        sweep = UniformSweep(problem_of(make_problem, diffusion, comm, SIDES[0], "bf16", passes=2), 2.0)
        sweep.advance(5, audit=audit)
        states.append((sweep.state(), sweep.steps))
    assert np.array_equal(states[0][0], states[1][0])
    assert states[0][1] == states[1][1] == 5


def test_an_audit_counts_the_cells_that_stand_still(comm, diffusion, make_problem):
    # A step of 1e-6 is below half a spacing of BF16 everywhere; in FP64 no cell of a random field stands still.
    counts = {}
    for name in ("bf16", "fp64"):
        sweep = UniformSweep(problem_of(make_problem, diffusion, comm, SIDES[0], name, dt=1e-7), 2.0)
        counts[name] = sweep.advance(1, audit=True).stagnant_cells
    assert counts["bf16"] >= 0.99 * np.prod(SHAPE)
    assert counts["fp64"] == 0


def test_a_long_step_is_refused(comm, diffusion, make_problem):
    with pytest.raises(ConfigError, match="largest stable one is 0.19999"):
        UniformSweep(problem_of(make_problem, diffusion, comm, SIDES[3], dt=0.2001), 2.0)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, True),
        ({"name": "bf16"}, True),
        ({"state_update": "increment"}, True),
        ({"name": "bf16", "state_update": "increment"}, False),
        ({"state_update": "compensated"}, False),
        ({"state_update": "stochastic"}, False),
        ({"reaction": 0.5}, False),
        ({"source": lambda time: np.ones(SHAPE)}, False),
        ({"mass": np.ones(SHAPE)}, False),
        ({"mass": 2.0}, True),
        ({"sides": (WALL, WALL, WALL), "shape": (8, 8, 8)}, False),
    ],
)
def test_only_plain_uniform_diffusion_fits(comm, diffusion, make_problem, options, expected):
    options = {"sides": SIDES[0], **options}
    sides, name = options.pop("sides"), options.pop("name", "fp64")
    assert fits(problem_of(make_problem, diffusion, comm, sides, name, **options)) is expected


def test_euler_takes_the_sweep_where_it_fits(comm, diffusion, make_problem):
    assert isinstance(euler.create(problem_of(make_problem, diffusion, comm, SIDES[0])), UniformSweep)
    general = euler.create(problem_of(make_problem, diffusion, comm, SIDES[0], reaction=0.5))
    assert isinstance(general, RungeKutta)


def test_a_state_in_one_format_may_differ_from_the_other_roles(comm, diffusion, make_problem):
    roles = Roles(state="fp32", inner="fp32", accumulate="fp32")
    problem = problem_of(make_problem, diffusion, comm, SIDES[0], roles=roles, state_update="increment")
    sweep = euler.create(problem)
    assert isinstance(sweep, UniformSweep)
    sweep.advance(2)
    assert np.array_equal(sweep.state(), sweep.state().astype(np.float32))


def test_work_is_counted(comm, diffusion, make_problem):
    problem = problem_of(make_problem, diffusion, comm, SIDES[0], "bf16", passes=2)
    UniformSweep(problem, 2.0).advance(4)
    cells = int(np.prod(problem.grid.shape))
    work = problem.space.ledger.to_dict()["sweep"]["bf16"]
    # Two passes read and write the state once each.
    assert (work["flops"], work["bytes"]) == (4 * 10 * cells, 2 * 2 * 2 * cells)
