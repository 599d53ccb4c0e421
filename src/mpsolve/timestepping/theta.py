"""The theta method: (mass/dt + theta A) u_new = mass/dt u - (1 - theta) A u + mean source, solved by refinement."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpsolve.operators.diffusion import Diffusion
from mpsolve.precision import get_format
from mpsolve.solvers.base import Refinement
from mpsolve.solvers.inner.base import Layout
from mpsolve.solvers.refinement import RefinementSolver
from mpsolve.timestepping.base import SteppedProblem, Stepper, StepReport


def carry(load, a, c, *index):
    """Return mass u + f; a = (mass, u, f), c = ()."""
    mass, u, f = a
    return load(mass, *index) * load(u, *index) + load(f, *index)


def carry_uniform(load, a, c, *index):
    """Return mass u + f with a constant mass; a = (u, f), c = (mass,)."""
    u, f = a
    (mass,) = c
    return mass * load(u, *index) + load(f, *index)


#: Weights of the last states in the guess of the next one: of a line, then of a parabola through them. On the Earth's
#: seasons the parabola saves a tenth of the iterations that the line needs.
LINE, PARABOLA = (2.0, -1.0, 0.0), (3.0, -3.0, 1.0)


def extrapolate(load, a, c, *index):
    """The guess p u + q u_1 + r u_2, then u and u_1, the next u_1 and u_2; a = (u, u_1, u_2), c = (p, q, r)."""
    u, u_1, u_2 = a
    p, q, r = c
    guess = p * load(u, *index) + q * load(u_1, *index) + r * load(u_2, *index)
    return guess, load(u, *index), load(u_1, *index)


class Theta(Stepper):
    """Implicit stepping with FP64 refinement around a low-precision solve.

    Parameters
    ----------
    problem : SteppedProblem
        The equation.
    weight : float
        theta: 1 for backward Euler, 1/2 for the trapezoidal rule.
    """

    def __init__(self, problem: SteppedProblem, weight: float) -> None:
        super().__init__(problem)
        self.weight = weight
        space, double = problem.space, get_format("fp64")
        rate = problem.mass / problem.dt
        matrix = Diffusion(
            problem.grid,
            space,
            problem.coefficients.shifted(rate, weight),
            double,
            inner_halo_format=problem.halo_format,
        )
        self.solver = RefinementSolver(matrix, problem.refinement)
        self._earlier, self._forcing = (space.zeros(double), space.zeros(double)), space.zeros(double)
        self._rate = rate
        self._bind(rate)
        self.set_state(problem.initial)

    def _bind(self, rate: float | NDArray[np.float64]) -> None:
        space, u, b = self.problem.space, self.solver.solution, self.solver.right_hand_side
        double = get_format("fp64")
        if isinstance(rate, np.ndarray):
            mass = space.zeros(double).set(rate)
            self._carry = space.bind(carry, [b], [mass, u, self._forcing], phase="stepper", flops=2)
        else:
            self._carry = space.bind(carry_uniform, [b], [u, self._forcing], phase="stepper", flops=2)
        states = [u, *self._earlier]
        self._extrapolate = space.bind(extrapolate, states, states, phase="stepper", flops=5)
        self._spread = None
        if self.weight < 1.0:
            problem = self.problem
            operator = Diffusion(problem.grid, space, problem.coefficients, double)
            self._spread = operator.affine(b, u, b, phase="stepper")

    @property
    def layout(self) -> Layout:
        """See `Stepper.layout` (collective where a format was left)."""
        return self.solver.rung().solver.layout

    def advance(
        self, steps: int = 1, *, audit: bool = False, observe: Callable[[Refinement], None] = lambda entry: None
    ) -> StepReport:
        """Solve for each new state; stops at the first step that does not converge. See `Stepper.advance`."""
        result = None
        for _ in range(steps):
            self._right_hand_side()
            self._guess()
            result = self.solver.solve(observe)
            self._round_state()
            self.steps += 1
            if not result.converged:
                break
        return StepReport(result)

    def _guess(self) -> None:
        """Extrapolate the states so far to the new time; the first guess is the state itself."""
        if self._history:
            self._extrapolate(*(LINE if self._history == 1 else PARABOLA))
        else:
            self._earlier[0].storage[...] = self.solver.solution.storage
            self._earlier[1].storage[...] = 0
        self._history += 1

    def _right_hand_side(self) -> None:
        """Form mass/dt u - (1 - theta) A u + theta f(t + dt) + (1 - theta) f(t) in FP64."""
        if self._source is not None:
            new = self.problem.source(self.time + self.problem.dt)
            assert new is not None
            self._forcing.set(self.weight * new + (1.0 - self.weight) * self._source)
            self._source = new
        self._carry(*([] if isinstance(self._rate, np.ndarray) else [self._rate]))
        if self._spread is not None:
            self._spread(1.0, self.weight - 1.0)

    def _round_state(self) -> None:
        """Keep no more between steps than the format of the role `state` holds."""
        format = get_format(self.problem.precision.state)
        if format.name != "fp64":
            self.solver.solution.set(format.round(self.solver.solution.to_numpy()))

    def state(self) -> NDArray[np.float64]:
        """Return the state; see `Stepper.state`."""
        return self.solver.solution.to_numpy()

    def saved(self) -> tuple[dict[str, NDArray[np.float64]], dict[str, Any]]:
        """Return the state, those before it, and the formats that have failed; see `Stepper.saved`."""
        arrays = {"state": self.state()}
        arrays |= {f"earlier_{place}": field.to_numpy() for place, field in enumerate(self._earlier, 1)}
        return arrays, {"steps": self.steps, "history": self._history, "solver": self.solver.progress()}

    def restore(self, arrays: Mapping[str, NDArray[np.float64]], numbers: Mapping[str, Any]) -> None:
        """Go on; see `Stepper.restore`."""
        self.steps = int(numbers["steps"])
        self.set_state(arrays["state"])
        for place, field in enumerate(self._earlier, 1):
            field.set(arrays[f"earlier_{place}"])
        self._history = int(numbers["history"])
        self.solver.resume(numbers["solver"])

    def set_state(self, values: NDArray[np.float64]) -> None:
        """Replace the state; the next guess is the state itself. See `Stepper.set_state`."""
        self._source = self.problem.source(self.time)
        self.solver.solution.set(values)
        self._history = 0
        self._round_state()
