"""The heat model: second order in space, right on its sides, right in the limit, the same on any number of ranks."""

import numpy as np
import pytest

from mpsolve import lookup
from mpsolve.ledger import Ledger
from mpsolve.models.heat import HeatModel
from mpsolve.operators.diffusion import Diffusion
from mpsolve.parallel.cartesian import Cartesian
from mpsolve.parallel.reductions import maximum
from mpsolve.parallel.space import Space
from mpsolve.precision import get_format, ladder_from, preset
from mpsolve.solvers.refinement_options import RefinementOptions
from mpsolve.timestepping.base import SteppedProblem

pytestmark = pytest.mark.ranks

PROBLEMS = lookup.names("models.gallery")


@pytest.fixture
def comm(world):
    """Return the communicator of all ranks; plain pytest runs on one."""
    return world


def model_of(comm, name, shape):
    problem = lookup.find("models.gallery", name).create(len(shape))
    periodic = [low == "periodic" for low, _ in problem.sides]
    return HeatModel(problem, Cartesian.create(comm, shape, periodic))


def stepper_of(model, name, dt, precision="fp64", rtol=1e-12):
    space = Space(model.grid.comm, lookup.find("backends", "reference").create(), model.grid.shape, 1, Ledger())
    problem = SteppedProblem(
        grid=model.grid,
        space=space,
        coefficients=model.coefficients,
        mass=model.mass,
        initial=model.initial(),
        source=model.source,
        dt=dt,
        precision=preset(precision),
        refinement=RefinementOptions(ladder=ladder_from(precision), rtol=rtol),
    )
    return lookup.find("steppers", name).create(problem)


def error_after(comm, name, shape, stepper, dt, steps, precision="fp64"):
    model = model_of(comm, name, shape)
    stepped = stepper_of(model, stepper, dt, precision)
    stepped.advance(steps)
    return maximum(comm, float(np.abs(stepped.state() - model.exact(stepped.time)).max()))


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_order_in_space_is_two(comm, name):
    # With dt ~ h^2 the error in time of a fourth-order method vanishes against h^2.
    coarse = error_after(comm, name, (16, 16), "rk4", 0.2 / 16**2, 16)
    fine = error_after(comm, name, (32, 32), "rk4", 0.2 / 32**2, 64)
    assert np.log2(coarse / fine) == pytest.approx(2.0, abs=0.1)


def test_the_order_in_space_and_time_is_two_in_three_dimensions(comm):
    coarse = error_after(comm, "heat_manufactured", (8, 8, 8), "crank_nicolson", 0.02, 2, "bf16")
    fine = error_after(comm, "heat_manufactured", (16, 16, 16), "crank_nicolson", 0.01, 4, "bf16")
    assert np.log2(coarse / fine) == pytest.approx(2.0, abs=0.15)


def test_cells_need_not_be_square(comm):
    coarse = error_after(comm, "heat_manufactured", (12, 20), "crank_nicolson", 0.02, 2)
    fine = error_after(comm, "heat_manufactured", (24, 40), "crank_nicolson", 0.01, 4)
    assert np.log2(coarse / fine) == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize("precision", ["fp64", "bf16", "fp16"])
@pytest.mark.parametrize("stepper", ["crank_nicolson", "rk4"])
def test_the_number_of_ranks_changes_no_bit(world, alone, whole, stepper, precision):
    def stepped(comm):
        model = model_of(comm, "heat_manufactured", (13, 11))
        result = stepper_of(model, stepper, 0.2 / 13**2, precision)
        result.advance(3)
        return whole(model.grid, result.state())

    assert np.array_equal(stepped(alone), stepped(world))


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("ndim", [2, 3])
def test_coefficients_source_and_answer_do_not_depend_on_the_ranks(world, alone, whole, name, ndim):
    def parts(comm):
        model = model_of(comm, name, (9, 8, 10)[:ndim])
        space = Space(comm, lookup.find("backends", "reference").create(), model.grid.shape, 1, Ledger())
        operator = Diffusion(model.grid, space, model.coefficients, get_format("fp64"))
        u, image = (space.zeros(get_format("fp64")) for _ in range(2))
        operator.affine(image, u.set(model.initial()), phase="test")(0.0, 1.0)
        blocks = [image.to_numpy(), model.exact(0.3)]
        source = model.source(0.3)
        return [whole(model.grid, block) for block in blocks + ([source] if source is not None else [])], operator.norm

    (one, first), (many, second) = parts(alone), parts(world)
    assert len(one) == len(many)
    assert all(np.array_equal(left, right) for left, right in zip(one, many, strict=True))
    assert first == second


@pytest.mark.parametrize("name", PROBLEMS)
def test_it_starts_with_the_exact_solution(comm, name):
    model = model_of(comm, name, (16, 16))
    assert np.array_equal(model.initial(), model.exact(0.0))


#: What is left after a long time, by the sides and the source.
LIMITS = {
    "heat_sine": lambda x, mean: 0.0 * x,
    "heat_cosine": lambda x, mean: 2.0 + 0.0 * x,
    "heat_gaussian": lambda x, mean: mean + 0.0 * x,
    "heat_walls": lambda x, mean: 3.0 - 2.0 * x,
    "heat_manufactured": lambda x, mean: 0.0 * x,
}


def test_every_problem_has_a_limit():
    assert set(LIMITS) == set(PROBLEMS)


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_steady_limit_is_reached(comm, whole, name):
    model = model_of(comm, name, (12, 10))
    mean = whole(model.grid, model.initial()).mean()
    stepper = stepper_of(model, "backward_euler", 1000.0, "fp32", rtol=1e-14)
    assert stepper.advance(4).result.converged
    x = (np.arange(12)[:, None] + 0.5) / 12
    limit = np.broadcast_to(LIMITS[name](x, mean), (12, 10))
    # A step divides what decays by 1 + 1000 lambda, lambda > 9; the conductivity varies the error of the solve: its
    # condition number is 1e6 at most, since the slowest rate is 1e-3 (the step) and the norm 1e3.
    assert np.abs(whole(model.grid, stepper.state()) - limit).max() <= 1e6 * 1e-14 * 10


def test_insulated_walls_keep_the_mean(comm, whole):
    model = model_of(comm, "heat_cosine", (12, 10))
    stepper = stepper_of(model, "rk4", 0.001)
    stepper.advance(20)
    # The sum of 120 cells of at most 3, rounded a few times a step.
    assert abs(whole(model.grid, stepper.state()).mean() - 2.0) <= 20 * 8 * 3 * 2.0**-53


def test_side_values_hold_half_a_cell_beyond_the_outer_centres(comm, whole):
    model = model_of(comm, "heat_walls", (16, 16))
    stepper = stepper_of(model, "crank_nicolson", 0.01)
    stepper.advance(20)
    state = whole(model.grid, stepper.state())
    # Linear extrapolation to the wall; what it leaves out is of second order: h^2 / 4 times the curvature, 10 e^(-2).
    for wall, inner, value in ((state[0], state[1], 3.0), (state[-1], state[-2], 1.0)):
        assert np.abs(1.5 * wall - 0.5 * inner - value).max() <= 10 / 16**2


def test_the_conductivity_at_the_centre_stands_for_a_varying_one(comm):
    assert model_of(comm, "heat_manufactured", (8, 8)).conductivity_m2_s == pytest.approx(1.0)
    assert model_of(comm, "heat_sine", (8, 8)).conductivity_m2_s == 1.0


def test_coordinates_are_cell_centres_and_faces(comm):
    model = model_of(comm, "heat_sine", (8, 16))
    lo, hi = model.grid.lo[1], model.grid.hi[1]
    assert model.coordinates_m(1).tolist() == [(j + 0.5) / 16 for j in range(lo, hi)]
    assert model.coordinates_m(1, faces=True).tolist() == [j / 16 for j in range(lo, hi + 1)]


def test_it_names_its_quantity_and_units(comm):
    model = model_of(comm, "heat_sine", (8, 8))
    assert (model.quantity, model.unit, model.time_unit) == ("temperature", "K", "s")
