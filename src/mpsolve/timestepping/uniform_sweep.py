"""Explicit Euler for uniform diffusion: several steps in one pass over memory, wide halos exchanged once a pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpsolve.field import Field
from mpsolve.operators.diffusion import Diffusion
from mpsolve.parallel.halo import Halo
from mpsolve.parallel.reductions import total
from mpsolve.precision import get_format
from mpsolve.solvers.base import Refinement
from mpsolve.timestepping.base import SteppedProblem, Stepper, StepReport
from mpsolve.timestepping.runge_kutta import check_stable


def fits(problem: SteppedProblem) -> bool:
    """Tell whether a problem is uniform diffusion alone, with a state that is simply stored in one format."""
    roles = problem.precision
    single = problem.state_update == "plain" or (problem.state_update == "increment" and roles.state == roles.inner)
    plain = problem.coefficients.uniform and not np.any(problem.coefficients.reaction) and np.ndim(problem.mass) == 0
    return bool(single and plain and problem.grid.ndim == 2 and problem.source(0.0) is None)


def _mirrors(problem: SteppedProblem) -> tuple[tuple[int, int], ...]:
    """Read the sides of this block off the face coefficients: 0 inside, 1 for no flux, -1 for a fixed zero."""
    grid, mirrors = problem.grid, []
    for axis, face in enumerate(problem.coefficients.faces):
        inside = face[1] if len(face) > 2 else face.max()
        sides = [1 if end == 0.0 else (-1 if end > inside or len(face) == 2 else 0) for end in (face[0], face[-1])]
        at_side = (grid.lo[axis] == 0, grid.hi[axis] == grid.global_shape[axis])
        bounded = not grid.periodic[axis]
        mirrors.append(tuple(side if here and bounded else 0 for side, here in zip(sides, at_side, strict=True)))
    return tuple(mirrors)


def _rates(problem: SteppedProblem) -> tuple[float, ...]:
    """Return dt k / h^2 per axis; an axis of one cell between two walls has half of its face coefficient."""
    rates = []
    for axis, face in enumerate(problem.coefficients.faces):
        single_wall = len(face) == 2 and not problem.grid.periodic[axis]
        inside = face.max() / 2 if single_wall else face[1 if len(face) > 2 else 0]
        rates.append(float(problem.dt * inside / problem.mass))
    return tuple(rates)


class UniformSweep(Stepper):
    """Explicit Euler whose kernel advances the state by up to ``steps_per_pass`` steps per pass.

    The state is rounded to its format after every step, so the answer does not depend on the passes.

    Parameters
    ----------
    problem : SteppedProblem
        One that `fits`; its space has a halo of at least ``steps_per_pass``.
    stability : float
        Length of the real stability interval of explicit Euler.
    """

    def __init__(self, problem: SteppedProblem, stability: float) -> None:
        super().__init__(problem)
        operator = Diffusion(problem.grid, problem.space, problem.coefficients, get_format("fp64"))
        check_stable(problem, operator.norm, stability)
        format = get_format(problem.precision.inner)
        self._fields = [problem.space.zeros(format) for _ in range(2)]
        self._current = 0
        self._launches: dict[tuple[int, int], tuple[Halo, Callable[[], object]]] = {}
        self._increment, self._argument = None, None
        self._operator = operator
        self.set_state(problem.initial)

    @property
    def _state(self) -> Field:
        return self._fields[self._current]

    def advance(
        self, steps: int = 1, *, audit: bool = False, observe: Callable[[Refinement], None] = lambda entry: None
    ) -> StepReport:
        """Do the steps in as few passes as possible; see `Stepper.advance`."""
        left = steps - 1 if audit else steps
        while left > 0:
            count = min(left, self.problem.steps_per_pass)
            self._pass(count)
            left -= count
        stagnant = self._audited_step() if audit and steps > 0 else None
        self.steps += steps
        return StepReport(stagnant_cells=stagnant)

    def _pass(self, count: int) -> None:
        if (self._current, count) not in self._launches:
            self._launches[self._current, count] = self._bind(count)
        halo, launch = self._launches[self._current, count]
        halo.exchange()
        launch()
        self._current = 1 - self._current
        self._count_work(count)

    def _bind(self, count: int) -> tuple[Halo, Callable[[], object]]:
        problem, source, target = self.problem, self._state, self._fields[1 - self._current]
        halo = Halo(
            problem.grid,
            [source],
            width=count,
            corners=count > 1,
            format=problem.halo_format,
            ledger=problem.space.ledger,
        )
        sweep = problem.space.backend.bind_sweep(target, source, _rates(problem), count, _mirrors(problem))
        return halo, sweep

    def _count_work(self, count: int) -> None:
        cells = int(np.prod(self.problem.grid.shape))
        format = self._state.format
        self.problem.space.ledger.add("sweep", format.name, flops=10 * cells * count, bytes=2 * cells * format.itemsize)

    def _audited_step(self) -> int:
        """Do one step and count the cells that did not change although FP64 says that they should (collective)."""
        space, double = self.problem.space, get_format("fp64")
        if self._increment is None:
            self._increment, self._argument = space.zeros(double), space.zeros(double)
            self._evaluate = self._operator.affine(self._increment, self._argument, phase="audit")
        assert self._argument is not None
        before = self._state.read().copy()
        self._argument.set(self.state())
        self._evaluate(0.0, -1.0)
        self._pass(1)
        lost = (before == self._state.read()) & (self._increment.to_numpy() != 0)
        return int(total(space.comm, lost.astype(np.float64)))

    def state(self) -> NDArray[np.float64]:
        """Return the state; see `Stepper.state`."""
        return self._state.to_numpy()

    def saved(self) -> tuple[dict[str, NDArray[np.float64]], dict[str, Any]]:
        """Return the state; see `Stepper.saved`."""
        return {"state": self.state()}, {"steps": self.steps}

    def restore(self, arrays: Mapping[str, NDArray[np.float64]], numbers: Mapping[str, Any]) -> None:
        """Go on; see `Stepper.restore`."""
        self.steps = int(numbers["steps"])
        self.set_state(arrays["state"])

    def set_state(self, values: NDArray[np.float64]) -> None:
        """Replace the state; see `Stepper.set_state`."""
        self._state.set(values)
