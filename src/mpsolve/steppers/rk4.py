"""The classical Runge-Kutta method, fourth order."""

from mpsolve.timestepping.base import SteppedProblem, Stepper
from mpsolve.timestepping.runge_kutta import RungeKutta

STAGES = ((), (0.5,), (0.0, 0.5), (0.0, 0.0, 1.0))
WEIGHTS = (1 / 6, 1 / 3, 1 / 3, 1 / 6)
TIMES = (0.0, 0.5, 0.5, 1.0)
#: Root of |1 + z + z^2/2 + z^3/6 + z^4/24| = 1 on the negative real axis.
STABILITY = 2.7852


def create(problem: SteppedProblem) -> Stepper:
    """Return the classical fourth-order method."""
    return RungeKutta(problem, STAGES, WEIGHTS, TIMES, STABILITY)
