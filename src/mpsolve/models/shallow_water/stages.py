"""Steppers as stages: each makes an increment, or the new state, of the increment before and one tendency."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """``increment = keep * increment + advance * dt * tendency(state + increment)``.

    Attributes
    ----------
    source, target : int
        Numbers of the increments that are read and made; -1 as source: none, so that the state alone counts; -1 as
        target: the new state.
    keep, advance : float
        The factors.
    forward : tuple of float, optional
        Weights, in the height whose pressure the velocities feel, of the height that this stage has made and of that
        which it was given; the rest is that of the old state.
    """

    source: int
    target: int
    keep: float
    advance: float
    forward: tuple[float, float] | None = None


@dataclass(frozen=True)
class Scheme:
    """A stepper.

    Attributes
    ----------
    stages : tuple of Stage
        In order; the last one makes the new state.
    extra : tuple of (int, float)
        Increments that are added to the new state at the end, with their factors.
    limit : float
        Largest frequency times time step for which waves do not grow.
    decay : float
        Largest rate times time step for which friction does not grow.
    history : tuple of float, optional
        Of a stepper with one tendency a step: the factors of that of this step and of the step before. The increments
        take turns.
    """

    stages: tuple[Stage, ...]
    extra: tuple[tuple[int, float], ...]
    limit: float
    decay: float = 2.51
    history: tuple[float, float] | None = None

    @property
    def increments(self) -> int:
        """How many increments are kept at once."""
        return 2 if self.history else 1 + max(stage.target for stage in self.stages)


SCHEMES = {
    # Shu and Osher, J. Comput. Phys. 77, 1988, in increments from the state at the start of the step.
    "ssprk3": Scheme((Stage(-1, 0, 0.0, 1.0), Stage(0, 1, 0.25, 0.25), Stage(1, -1, 2 / 3, 2 / 3)), (), 3**0.5),
    # Wicker and Skamarock, Mon. Weather Rev. 130, 2002: three stages, third order for linear terms.
    "rk32": Scheme((Stage(-1, 0, 0.0, 1 / 3), Stage(0, 1, 0.0, 0.5), Stage(1, -1, 0.0, 1.0)), (), 3**0.5),
    # Forward-backward, Lilly, Engwirda, Capodaglio, Higdon and Petersen, arXiv 2306.11821: velocities feel a mean of
    # heights before and after. Weights found by search: stable to 2.8 for waves with a flow of up to a quarter of their
    # frequency (tests/models/shallow_water/test_steppers.py); any weights are of order two.
    "fb_rk32": Scheme(
        (
            Stage(-1, 0, 0.0, 1 / 3, (0.35, 0.0)),
            Stage(0, 1, 0.0, 0.5, (0.75, 0.0)),
            Stage(1, -1, 0.0, 1.0, (0.14, 0.72)),
        ),
        (),
        2.8,
    ),
    # The classical method: its increments are k1 / 2, k2 / 2 and k3.
    "rk4": Scheme(
        (Stage(-1, 0, 0.0, 0.5), Stage(0, 1, 0.0, 0.5), Stage(1, 2, 0.0, 1.0), Stage(2, -1, 1 / 3, 1 / 6)),
        ((0, 1 / 3), (1, 2 / 3)),
        8**0.5,
        2.78,
    ),
    # Adams and Bashforth, shifted by 0.1 against the computational mode; the limit is where its roots leave the unit
    # circle. The first step is Euler's.
    "ab2": Scheme((Stage(-1, 0, 0.0, 1.0),), (), 0.5, 2 / 2.2, (1.6, -0.6)),
}
"""The steppers by name."""
