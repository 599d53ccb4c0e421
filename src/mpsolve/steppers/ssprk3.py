"""The strong-stability-preserving Runge-Kutta method of Shu and Osher (J. Comput. Phys. 77, 1988), third order."""

from mpsolve.timestepping.base import SteppedProblem, Stepper
from mpsolve.timestepping.runge_kutta import RungeKutta

STAGES = ((), (1.0,), (0.25, 0.25))
WEIGHTS = (1 / 6, 1 / 6, 2 / 3)
TIMES = (0.0, 1.0, 0.5)
#: Root of |1 + z + z^2/2 + z^3/6| = 1 on the negative real axis.
STABILITY = 2.5127


def create(problem: SteppedProblem) -> Stepper:
    """Return SSPRK3 in its Butcher form."""
    return RungeKutta(problem, STAGES, WEIGHTS, TIMES, STABILITY)
