"""The contract of a time stepper: it owns the state and moves it by one step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpsolve.errors import ConfigError
from mpsolve.formats.base import Format
from mpsolve.operators.diffusion import Coefficients
from mpsolve.parallel.cartesian import Cartesian
from mpsolve.parallel.space import Space
from mpsolve.precision import Roles, get_format
from mpsolve.solvers.base import Refinement, Result
from mpsolve.solvers.inner.base import Layout
from mpsolve.solvers.refinement_options import RefinementOptions

#: How an explicit state is kept: see `mpsolve.steppers.state`.
STATE_UPDATES = ("increment", "plain", "compensated", "stochastic")


@dataclass(frozen=True, eq=False)
class SteppedProblem:
    """What a stepper needs to know: mass du/dt = source(t) - A u.

    Attributes
    ----------
    grid : Cartesian
        The division of the grid.
    space : Space
        Vectors with a halo of 1.
    coefficients : Coefficients
        Of A, FP64.
    mass : float or ndarray
        Positive; a number or local shape.
    initial : ndarray
        The state at time 0, local shape.
    source : callable
        ``source(t)`` gives an FP64 array of local shape, or None if there is no source at any time.
    dt : float
        Time step, in the time unit of the problem.
    precision : Roles
        Which format holds what.
    refinement : RefinementOptions
        For implicit steppers.
    state_update : str
        For explicit steppers: one of `STATE_UPDATES`.
    steps_per_pass : int
        For explicit steppers that can do several steps in one pass over memory.
    seed : int
        Of stochastic rounding.
    """

    grid: Cartesian
    space: Space
    coefficients: Coefficients
    mass: float | NDArray[np.float64]
    initial: NDArray[np.float64]
    source: Callable[[float], NDArray[np.float64] | None]
    dt: float
    precision: Roles = field(default_factory=Roles)
    refinement: RefinementOptions = field(default_factory=RefinementOptions)
    state_update: str = "increment"
    steps_per_pass: int = 1
    seed: int = 0

    @property
    def halo_format(self) -> Format | None:
        """Narrower format of the halo messages, None for the field's own storage."""
        return get_format(self.precision.halo) if self.precision.halo else None


class UnstableStep(ConfigError):
    """A time step is too long for an explicit stepper.

    Parameters
    ----------
    dt : float
        The step, in the time unit of the problem.
    largest_dt : float
        The largest stable one.
    """

    def __init__(self, dt: float, largest_dt: float) -> None:
        self.dt, self.largest_dt = dt, largest_dt
        # Rounded down, so that the number that is named is itself stable.
        largest = f"{largest_dt * (1 - 5e-6):.6g}"
        super().__init__(f"time step {dt:.6g} is unstable here; the largest stable one is {largest}")


@dataclass(frozen=True)
class StepReport:
    """What one call of `Stepper.advance` did.

    Attributes
    ----------
    result : Result or None
        Of the implicit solve.
    stagnant_cells : int or None
        Global number of cells whose increment was lost to rounding in the last step; None if not counted.
    """

    result: Result | None = None
    stagnant_cells: int | None = None


class Stepper(ABC):
    """Moves a state in time.

    Attributes
    ----------
    steps : int
        Steps done so far.
    time : float
        ``steps * dt``.
    layout : Layout
        The grids of the inner solver, as it is now.
    """

    #: Length of the real stability interval in units of 1/|A|; infinity for implicit steppers.
    stability: float = float("inf")

    def __init__(self, problem: SteppedProblem) -> None:
        self.problem, self.steps = problem, 0

    @property
    def time(self) -> float:
        """Time of the state."""
        return self.steps * self.problem.dt

    @property
    def layout(self) -> Layout:
        """Grids of the inner solver; none for explicit steppers."""
        return Layout()

    @abstractmethod
    def advance(
        self, steps: int = 1, *, audit: bool = False, observe: Callable[[Refinement], None] = lambda entry: None
    ) -> StepReport:
        """Move the state by a number of steps (collective).

        Parameters
        ----------
        steps : int
            Number of steps.
        audit : bool
            Count the cells that stagnate in the last of them.
        observe : callable
            Called with each refinement of an implicit solve.
        """

    @abstractmethod
    def state(self) -> NDArray[np.float64]:
        """Return the state as a new FP64 array, local shape."""

    @abstractmethod
    def saved(self) -> tuple[dict[str, NDArray[np.float64]], dict[str, Any]]:
        """Return what the next step depends on.

        Returns
        -------
        arrays : dict
            FP64 arrays of local shape, which hold stored numbers exactly.
        numbers : dict
            What JSON can hold.
        """

    @abstractmethod
    def restore(self, arrays: Mapping[str, NDArray[np.float64]], numbers: Mapping[str, Any]) -> None:
        """Go on from what `saved` returned, on any division of the grid, in the same precision or in another one."""

    @abstractmethod
    def set_state(self, values: NDArray[np.float64]) -> None:
        """Replace the state by values of local shape; the history of the stepper is forgotten."""
