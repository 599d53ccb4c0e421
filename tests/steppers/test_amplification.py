"""Each stepper multiplies an eigenvector by its own rational function of the step, and no other."""

import numpy as np
import pytest

from mpsolve import lookup
from mpsolve.steppers import euler, rk4, ssprk3

#: R(z) of du/dt = (z / dt) u; order; length of the real stability interval.
KNOWN = {
    "euler": (lambda z: 1 + z, 1, 2.0),
    "ssprk3": (lambda z: 1 + z + z**2 / 2 + z**3 / 6, 3, ssprk3.STABILITY),
    "rk4": (lambda z: 1 + z + z**2 / 2 + z**3 / 6 + z**4 / 24, 4, rk4.STABILITY),
    "backward_euler": (lambda z: 1 / (1 - z), 1, np.inf),
    "crank_nicolson": (lambda z: (1 + z / 2) / (1 - z / 2), 2, np.inf),
}
SIDES = (("dirichlet", "dirichlet"),) * 2
REACTION = 0.5


def eigenmode(shape, numbers):
    """Return a product of sines, which the walls half a cell beyond the outer centres keep an eigenvector."""
    axes = [np.sin(np.pi * m * (np.arange(n) + 0.5) / n) for n, m in zip(shape, numbers, strict=True)]
    return axes[0][:, None] * axes[1]


def eigenvalue(shape, numbers, conductivity=1.25):
    sums = sum(np.sin(np.pi * m / (2 * n)) ** 2 for n, m in zip(shape, numbers, strict=True))
    return 4 * conductivity * sums + REACTION


def test_every_stepper_is_known():
    assert set(KNOWN) == set(lookup.names("steppers"))


@pytest.mark.ranks
@pytest.mark.parametrize("numbers", [(1, 1), (2, 3)])
@pytest.mark.parametrize("name", KNOWN)
def test_an_eigenvector_is_multiplied_by_the_stability_function(comm, diffusion, make_problem, whole, name, numbers):
    case = diffusion((8, 9), SIDES, reaction=REACTION)
    mode, rate = eigenmode(case.shape, numbers), eigenvalue(case.shape, numbers)
    problem = make_problem(comm, case, mode, 0.1)
    stepper = lookup.find("steppers", name).create(problem)
    for _ in range(2):
        stepper.advance(3)
    state = whole(problem.grid, stepper.state())
    # A step rounds about 20 times per stage; an implicit one solves to 1e-14 with a condition number below 3.
    slack = 6 * (4 * 20 * 2.0**-53 + 1e-13)
    assert np.abs(state - KNOWN[name][0](-0.1 * rate) ** 6 * mode).max() <= slack


@pytest.mark.parametrize("name", KNOWN)
def test_the_order_in_time_is_its_own(alone, diffusion, make_problem, name):
    case = diffusion((8, 9), SIDES, reaction=REACTION)
    mode, rate = eigenmode(case.shape, (2, 2)), eigenvalue(case.shape, (2, 2))
    errors = []
    for steps in (8, 16):
        stepper = lookup.find("steppers", name).create(make_problem(alone, case, mode, 1.0 / steps))
        stepper.advance(steps)
        errors.append(np.abs(stepper.state() - np.exp(-rate) * mode).max())
    # The next term of the error is smaller by z = rate / 16 = 0.1, times a factor of a few.
    assert np.log2(errors[0] / errors[1]) == pytest.approx(KNOWN[name][1], abs=0.25)


@pytest.mark.parametrize("name", KNOWN)
def test_the_order_holds_with_a_source_a_varying_mass_and_varying_coefficients(alone, diffusion, make_problem, name):
    case = diffusion((6, 7), (("dirichlet", "neumann"), ("periodic", "periodic")), varying=True)
    generator = np.random.default_rng(5)
    shape, mass = generator.uniform(1, 2, case.shape), generator.uniform(1, 3, case.shape)
    image = (case.matrix() @ shape.reshape(-1)).reshape(case.shape)

    def source(time):
        # What makes shape * cos(time) the exact solution of the equations in space.
        return -mass * np.sin(time) * shape + np.cos(time) * image

    errors = []
    for steps in (32, 64):
        problem = make_problem(alone, case, shape, 1.0 / steps, mass=mass, source=source)
        stepper = lookup.find("steppers", name).create(problem)
        stepper.advance(steps)
        errors.append(np.abs(stepper.state() - np.cos(1.0) * shape).max())
    assert np.log2(errors[0] / errors[1]) == pytest.approx(KNOWN[name][1], abs=0.25)


@pytest.mark.parametrize("name", KNOWN)
def test_the_stability_interval_is_where_the_stability_function_stays_below_one(name):
    function, _, interval = KNOWN[name]
    inside = -np.linspace(0, min(interval, 1e3), 1001)
    assert np.abs(function(inside)).max() <= 1 + 1e-4
    if np.isfinite(interval):
        assert abs(function(-1.001 * interval)) > 1 + 1e-4


@pytest.mark.parametrize("module", [euler, ssprk3, rk4])
def test_a_tableau_is_consistent(module):
    assert sum(module.WEIGHTS) == pytest.approx(1.0, abs=1e-15)
    assert [sum(row) for row in module.STAGES] == pytest.approx(list(module.TIMES), abs=1e-15)
