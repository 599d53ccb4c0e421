"""The trapezoidal rule of Crank and Nicolson: second order; one refined solve a step."""

from mpsolve.timestepping.base import SteppedProblem, Stepper
from mpsolve.timestepping.theta import Theta


def create(problem: SteppedProblem) -> Stepper:
    """Return the stepper with the mean of the operator at the old and the new time."""
    return Theta(problem, weight=0.5)
