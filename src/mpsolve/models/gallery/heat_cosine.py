"""Decaying cosines between insulated walls, on top of a mean that must not change."""

import math

import numpy as np

from mpsolve.models.gallery.base import HeatProblem, product

CONDUCTIVITY_M2_S = 1.0
MEAN_K = 2.0


def create(ndim: int) -> HeatProblem:
    """Return the unit box with Neumann sides and ``u = 2 + exp(-ndim pi^2 k t) product of cos(pi x)``."""

    def exact(t, *x):
        decay = math.exp(-ndim * math.pi**2 * CONDUCTIVITY_M2_S * t)
        return MEAN_K + decay * product([np.cos(np.pi * axis) for axis in x])

    return HeatProblem((1.0,) * ndim, (("neumann", "neumann"),) * ndim, CONDUCTIVITY_M2_S, exact)
