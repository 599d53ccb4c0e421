"""Explicit Euler: first order; several steps in one pass over memory where the problem allows it."""

from mpsolve.timestepping.base import SteppedProblem, Stepper
from mpsolve.timestepping.runge_kutta import RungeKutta
from mpsolve.timestepping.uniform_sweep import UniformSweep, fits

STAGES = ((),)
WEIGHTS = (1.0,)
TIMES = (0.0,)
#: |1 + z| <= 1 on the real axis.
STABILITY = 2.0


def create(problem: SteppedProblem) -> Stepper:
    """Return explicit Euler: the fused sweep for plain uniform diffusion, else the general form."""
    if fits(problem):
        return UniformSweep(problem, STABILITY)
    return RungeKutta(problem, STAGES, WEIGHTS, TIMES, STABILITY)
