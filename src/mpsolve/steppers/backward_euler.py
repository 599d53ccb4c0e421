"""Backward Euler: first order, damps every mode; one refined solve a step."""

from mpsolve.timestepping.base import SteppedProblem, Stepper
from mpsolve.timestepping.theta import Theta


def create(problem: SteppedProblem) -> Stepper:
    """Return the stepper with the whole operator at the new time."""
    return Theta(problem, weight=1.0)
