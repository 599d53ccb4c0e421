"""Explicit Runge-Kutta methods whose increments are kept in low precision."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpsolve.operators.diffusion import Diffusion
from mpsolve.parallel.reductions import maximum
from mpsolve.precision import get_format
from mpsolve.solvers.base import Refinement
from mpsolve.solvers.scaling import to_unit
from mpsolve.timestepping.base import SteppedProblem, Stepper, StepReport, UnstableStep
from mpsolve.timestepping.state import SUMS, State

#: Steps after which the power of two that scales the increments is chosen anew.
RESCALE_STEPS = 64


def weigh(load, a, c, *index):
    """The product of two fields; a = (inverse mass, increment)."""
    return load(a[0], *index) * load(a[1], *index)


def smallest_mass(problem: SteppedProblem) -> float:
    """Return the smallest mass of all ranks (collective)."""
    return -maximum(problem.space.comm, -float(np.min(problem.mass)))


def check_stable(problem: SteppedProblem, norm: float, interval: float) -> None:
    """Refuse a step that is too long for an explicit method (collective).

    Raises
    ------
    UnstableStep
        With the largest stable step.
    """
    largest_dt = interval * smallest_mass(problem) / norm if norm > 0 else np.inf
    if problem.dt > largest_dt * (1 + 1e-12):
        raise UnstableStep(problem.dt, largest_dt)


class RungeKutta(Stepper):
    """An explicit method given by its Butcher tableau.

    Parameters
    ----------
    problem : SteppedProblem
        The equation.
    stages : sequence of tuples
        Row s has the weights of the s earlier increments.
    weights : sequence of float
        Weights of the increments in the new state.
    times : sequence of float
        Time of each stage, in steps.
    stability : float
        Length of the real stability interval.
    """

    def __init__(self, problem: SteppedProblem, stages, weights, times, stability: float) -> None:
        super().__init__(problem)
        space = problem.space
        self._stages, self._weights, self._times = stages, weights, times
        operator = Diffusion(problem.grid, space, problem.coefficients, get_format("fp64"))
        check_stable(problem, operator.norm, stability)
        self._state, self._mass = State(problem), smallest_mass(problem)
        inner = get_format(problem.precision.inner)
        self._increments = [space.zeros(inner) for _ in stages]
        self._stage = space.zeros(self._state.value.format)
        self._forcing = space.zeros(get_format("fp64" if inner.name == "fp64" else "fp32"))
        self._has_source = problem.source(0.0) is not None
        self._bind()
        self._add = self._state.bind_add(self._increments)
        self.set_state(problem.initial)

    def _bind(self) -> None:
        """Prepare, for each stage, the argument of the operator and the increment."""
        problem, space, value = self.problem, self.problem.space, self._state.value
        format = get_format(problem.precision.inner)
        halo_format = problem.halo_format
        operator = Diffusion(
            problem.grid, space, problem.coefficients, get_format("fp64"), inner_halo_format=halo_format
        )
        # Divided by a power of two, so that large coefficients do not overflow a narrow format.
        operator = operator.in_format(format)
        self._operator_scale = operator.scale
        self._arguments, self._tendencies = [], []
        for row, increment in zip(self._stages, self._increments, strict=True):
            used = [n for n, weight in enumerate(row) if weight]
            source = value if not used else self._stage
            inputs = [value, *(self._increments[n] for n in used)]
            point = SUMS[len(used) - 1]
            form = space.bind(point, [self._stage], inputs, phase="stepper", flops=2 * len(used)) if used else None
            self._arguments.append((form, [row[n] for n in used]))
            forcing = self._forcing if self._has_source else None
            self._tendencies.append(operator.affine(increment, source, forcing, phase="tendency"))
        self._weigh = []
        if isinstance(problem.mass, np.ndarray):
            inverse = space.zeros(get_format("fp64" if format.name == "fp64" else "fp32"))
            # At most 1, so that increments before and after the division by the mass have one range.
            inverse.set(self._mass / problem.mass)
            self._weigh = [space.bind(weigh, [k], [inverse, k], phase="tendency", flops=1) for k in self._increments]

    def advance(
        self, steps: int = 1, *, audit: bool = False, observe: Callable[[Refinement], None] = lambda entry: None
    ) -> StepReport:
        """Do the steps one by one; see `Stepper.advance`."""
        stagnant = None
        for number in range(steps):
            if self.steps % RESCALE_STEPS == 0 or not self._scale:
                self._choose_scale()
            self._evaluate()
            weights = [weight / self._scale for weight in self._weights]
            last = audit and number == steps - 1
            before = self._state.stored() if last else None
            self._add(self.steps, weights)
            if before is not None:
                stagnant = self._state.count_stagnant(before, self._increments, weights)
            self.steps += 1
        return StepReport(stagnant_cells=stagnant)

    def _evaluate(self) -> None:
        """Compute the scaled increment dt du/dt of every stage."""
        factor = self.problem.dt * self._scale / self._mass
        for number, (form, row) in enumerate(self._arguments):
            if form is not None:
                form(*(weight / self._scale for weight in row))
            if self._has_source:
                self._set_forcing(self.time + self._times[number] * self.problem.dt)
            self._tendencies[number](factor if self._has_source else 0.0, -factor * self._operator_scale)
            if self._weigh:
                self._weigh[number]()

    def _set_forcing(self, time: float) -> None:
        values = self.problem.source(time)
        assert values is not None
        self._forcing.set(values)

    def _choose_scale(self) -> None:
        """Bring the largest increment to about 1, so that narrow formats neither overflow nor lose small ones."""
        self._evaluate_first_wide()
        largest = self.problem.space.largest(self._wide)
        self._scale = to_unit(largest) if np.isfinite(largest) else 1.0

    def _evaluate_first_wide(self) -> None:
        if not hasattr(self, "_wide"):
            problem, space = self.problem, self.problem.space
            self._wide = space.zeros(get_format("fp64"))
            operator = Diffusion(problem.grid, space, problem.coefficients, get_format("fp64"))
            self._wide_argument = space.zeros(get_format("fp64"))
            self._wide_tendency = operator.affine(self._wide, self._wide_argument, phase="scaling")
        self._wide_argument.set(self._state.to_numpy())
        self._wide_tendency(0.0, -self.problem.dt / self._mass)
        if self._has_source:
            values = self.problem.source(self.time)
            assert values is not None
            self._wide.set(self._wide.to_numpy() + self.problem.dt * values / self._mass)

    def state(self) -> NDArray[np.float64]:
        """Return the state; see `Stepper.state`."""
        return self._state.to_numpy()

    def saved(self) -> tuple[dict[str, NDArray[np.float64]], dict[str, Any]]:
        """Return the parts of the state and the scale of the increments; see `Stepper.saved`."""
        return self._state.parts(), {"steps": self.steps, "scale": self._scale}

    def restore(self, arrays: Mapping[str, NDArray[np.float64]], numbers: Mapping[str, Any]) -> None:
        """Go on; a scale is chosen anew where it was another method's. See `Stepper.restore`."""
        self.steps = int(numbers["steps"])
        self._state.join(arrays)
        self._scale = float(numbers.get("scale", 0.0))

    def set_state(self, values: NDArray[np.float64]) -> None:
        """Replace the state; see `Stepper.set_state`."""
        self._state.set(values)
        self._scale = 0.0


def tableau_order(weights: Sequence[float], times: Sequence[float]) -> int:
    """Return how many of the quadrature conditions sum b c^(p-1) = 1/p a tableau fulfils, at most 4."""
    order = 0
    while order < 4 and abs(sum(b * c**order for b, c in zip(weights, times, strict=True)) - 1 / (order + 1)) < 1e-12:
        order += 1
    return order
