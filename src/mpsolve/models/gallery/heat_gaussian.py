"""A spreading Gaussian in a periodic box."""

import math

import numpy as np

from mpsolve.models.gallery.base import HeatProblem, product

CONDUCTIVITY_M2_S = 1.0
#: Standard deviation at time 0, in metres.
WIDTH_M = 0.05
#: Images on each side: the next one is beyond 30 standard deviations until the Gaussian fills the box.
IMAGES = 4


def create(ndim: int) -> HeatProblem:
    """Return the periodic unit box with a Gaussian of height 1 at its centre; its images are summed."""

    def exact(t, *x):
        variance = WIDTH_M**2 + 2 * CONDUCTIVITY_M2_S * t
        height = WIDTH_M / math.sqrt(variance)
        centres = [0.5 + n for n in range(-IMAGES, IMAGES + 1)]
        return product(height * np.add.reduce([np.exp(-((y - n) ** 2) / (2 * variance)) for n in centres]) for y in x)

    return HeatProblem((1.0,) * ndim, (("periodic", "periodic"),) * ndim, CONDUCTIVITY_M2_S, exact)
