"""What every heat problem promises: its exact solution obeys its equation and its sides."""

import numpy as np
import pytest

from mpsolve import lookup
from mpsolve.models.gallery.base import HeatProblem

ENTRIES = lookup.names("models.gallery")
#: Central differences of fourth order, for a step of 1.
FIRST = np.array([1, -8, 0, 8, -1]) / 12
SECOND = np.array([-1, 16, -30, 16, -1]) / 12


@pytest.fixture(params=ENTRIES)
def entry(request):
    return lookup.find("models.gallery", request.param)


@pytest.fixture(params=[2, 3])
def problem(request, entry):
    return entry.create(request.param)


def places(problem, count=40, seed=1):
    """Return random points of the interior, a row per axis."""
    fractions = np.random.default_rng(seed).uniform(0.05, 0.95, (len(problem.lengths_m), count))
    return fractions * np.array(problem.lengths_m)[:, None]


def differences(function, weights, points, axis, step):
    """Return a weighted sum of the function at five points along an axis."""
    total = 0.0
    for shift, weight in zip(range(-2, 3), weights, strict=True):
        moved = points.copy()
        moved[axis] += shift * step
        total = total + weight * function(*moved)
    return total


def conductivity(problem):
    given = problem.conductivity
    return given if callable(given) else lambda *x: given + 0.0 * x[0]


def imbalance(problem, time, step):
    """Return du/dt - div(k grad u) + reaction u - source at random points, by differences."""
    x, k = places(problem), conductivity(problem)
    exact = lambda *at: problem.exact(time, *at)  # noqa: E731
    left = sum(w * problem.exact(time + n * step, *x) for n, w in zip(range(-2, 3), FIRST / step, strict=True))
    for axis in range(len(x)):
        slopes = [differences(function, FIRST / step, x, axis, step) for function in (k, exact)]
        left = left - k(*x) * differences(exact, SECOND / step**2, x, axis, step) - slopes[0] * slopes[1]
    source = problem.source(time, *x) if problem.source is not None else 0.0
    return left + problem.reaction * exact(*x) - source


@pytest.mark.parametrize("time", [0.01, 0.1])
def test_the_exact_solution_obeys_the_equation(problem, time):
    wide, near = (imbalance(problem, time, step) for step in (1e-3, 5e-4))
    # Differences of fourth order are off by 16 times less at half the step: what is left then is a fifteenth of what
    # went away, doubled for the next order. Rounding of numbers up to 4 is divided by the square of the step.
    rounding = 60 * 4 * 2.0**-53 / 5e-4**2
    assert np.abs(near).max() <= 2 * np.abs(wide - near).max() / 15 + rounding


def test_the_exact_solution_obeys_the_sides(problem):
    for axis, (low, high) in enumerate(problem.sides):
        ends = []
        for end in (0.0, problem.lengths_m[axis]):
            x = places(problem)
            x[axis] = end
            ends.append(x)
        for side, (kind, x) in enumerate(zip((low, high), ends, strict=True)):
            check_side(problem, axis, side, kind, x)
        if low == "periodic":
            assert problem.exact(0.1, *ends[0]) == pytest.approx(problem.exact(0.1, *ends[1]), abs=1e-12)


def check_side(problem, axis, side, kind, x):
    """Check the value or the slope on a side."""
    if kind == "dirichlet":
        value = problem.side_values[axis][side] if problem.side_values is not None else 0.0
        assert problem.exact(0.1, *x) == pytest.approx(value, abs=1e-14)
    if kind == "neumann":
        slope = differences(lambda *at: problem.exact(0.1, *at), FIRST / 1e-3, x, axis, 1e-3)
        assert np.abs(slope).max() <= 1e-10


def test_it_is_a_heat_problem_on_as_many_axes_as_asked(entry):
    for ndim in (2, 3):
        problem = entry.create(ndim)
        assert isinstance(problem, HeatProblem)
        assert len(problem.lengths_m) == len(problem.sides) == ndim


def test_periodic_sides_come_in_pairs(problem):
    assert all((low == "periodic") == (high == "periodic") for low, high in problem.sides)


def test_the_conductivity_is_positive(problem):
    assert np.min(conductivity(problem)(*places(problem, 1000))) > 0


def test_the_exact_solution_broadcasts_over_an_open_mesh(problem):
    sizes = (3, 4, 5)[: len(problem.lengths_m)]
    mesh = np.meshgrid(*(np.linspace(0.1, 0.9, n) for n in sizes), indexing="ij", sparse=True)
    assert np.broadcast_shapes(np.shape(problem.exact(0.1, *mesh)), sizes) == sizes
