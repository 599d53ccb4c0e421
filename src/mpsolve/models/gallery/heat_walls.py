"""A wall between a warm and a cold side: the steady profile is a line, the start adds a decaying sine."""

import math

import numpy as np

from mpsolve.models.gallery.base import HeatProblem

CONDUCTIVITY_M2_S = 1.0
WARM_K, COLD_K = 3.0, 1.0


def create(ndim: int) -> HeatProblem:
    """Return the unit box with fixed, different temperatures on the first axis and insulated sides elsewhere."""

    def exact(t, *x):
        decay = math.exp(-(math.pi**2) * CONDUCTIVITY_M2_S * t)
        return WARM_K + (COLD_K - WARM_K) * x[0] + decay * np.sin(np.pi * x[0]) + 0.0 * sum(x[1:])

    sides = (("dirichlet", "dirichlet"), *((("neumann", "neumann"),) * (ndim - 1)))
    values = ((WARM_K, COLD_K), *(((0.0, 0.0),) * (ndim - 1)))
    return HeatProblem((1.0,) * ndim, sides, CONDUCTIVITY_M2_S, exact, side_values=values)
