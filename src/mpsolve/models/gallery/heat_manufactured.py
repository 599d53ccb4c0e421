"""A manufactured solution with a conductivity that varies in space, a reaction and a source."""

import math

import numpy as np

from mpsolve.models.gallery.base import HeatProblem, product

#: Amplitude of the variation of the conductivity around 1 m2/s.
VARIATION = 0.5
REACTION_PER_S = 1.0


def _conductivity(*x):
    return 1.0 + VARIATION * product([np.cos(np.pi * axis) for axis in x])


def _exact(t, *x):
    return math.exp(-t) * product([np.sin(np.pi * axis) for axis in x])


def _source(t, *x):
    """du/dt - div(k grad u) + reaction u, from the product rule: grad k . grad u + k laplacian u."""
    sines, cosines = [np.sin(np.pi * axis) for axis in x], [np.cos(np.pi * axis) for axis in x]
    gradients = 0.0
    for axis in range(len(x)):
        slope_u = product([cosines[n] if n == axis else sines[n] for n in range(len(x))])
        slope_k = product([sines[n] if n == axis else cosines[n] for n in range(len(x))])
        gradients = gradients - VARIATION * np.pi**2 * slope_u * slope_k
    u = product(sines)
    diffusion = gradients - len(x) * np.pi**2 * _conductivity(*x) * u
    return math.exp(-t) * (-u - diffusion + REACTION_PER_S * u)


def create(ndim: int) -> HeatProblem:
    """Return the unit box with zero walls and ``u = exp(-t) product of sin(pi x)``."""
    sides = (("dirichlet", "dirichlet"),) * ndim
    return HeatProblem((1.0,) * ndim, sides, _conductivity, _exact, REACTION_PER_S, _source)
