"""A decaying product of sines between cold walls."""

import math

import numpy as np

from mpsolve.models.gallery.base import HeatProblem, product

CONDUCTIVITY_M2_S = 1.0


def create(ndim: int) -> HeatProblem:
    """Return the unit box with zero walls and ``u = exp(-ndim pi^2 k t) product of sin(pi x)``.

    Parameters
    ----------
    ndim : int
        Number of axes.
    """

    def exact(t, *x):
        decay = math.exp(-ndim * math.pi**2 * CONDUCTIVITY_M2_S * t)
        return decay * product([np.sin(np.pi * axis) for axis in x])

    return HeatProblem((1.0,) * ndim, (("dirichlet", "dirichlet"),) * ndim, CONDUCTIVITY_M2_S, exact)
