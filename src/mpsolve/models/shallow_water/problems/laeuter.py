"""An unsteady flow with an exact answer (Läuter, Handorf and Dethloff, J. Comput. Phys. 210, 2005, example 3).

Seen from space the water turns as a solid body about an axis that is tilted against the planet's; seen from the planet
that axis goes round once a day. The ground is the one over which the depth then follows the surface.
"""

from __future__ import annotations

import numpy as np

from mpsolve.models.shallow_water.geometry import sphere
from mpsolve.models.shallow_water.problems.base import DAY_S, GRAVITY_M_S2, RADIUS_M, ROTATION_PER_S, Problem

#: Speed at the equator of the tilted flow, and the constant of the surface.
SPEED_M_S, CONSTANT_M2_S2 = 2 * np.pi * RADIUS_M / (12 * DAY_S), 133681.0
TILT_RAD = np.pi / 4


def create(shape: tuple[int, int], angle_rad: float) -> Problem:
    """Return the problem on a grid; the tilt is that of the paper if the angle is 0."""
    tilt = angle_rad or TILT_RAD

    def planet(y):
        return RADIUS_M * ROTATION_PER_S * np.sin(y)

    def height(y, x, time_s):
        along = SPEED_M_S * (np.cos(tilt) * np.sin(y) + np.sin(tilt) * np.cos(y) * np.cos(x + ROTATION_PER_S * time_s))
        return (CONSTANT_M2_S2 + planet(y) ** 2 / 2 - (along + planet(y)) ** 2 / 2) / GRAVITY_M_S2

    return Problem(
        sphere(shape, RADIUS_M, ROTATION_PER_S),
        GRAVITY_M_S2,
        lambda y, x: height(y, x, 0.0),
        lambda y, x: SPEED_M_S * (np.cos(tilt) * np.cos(y) - np.sin(tilt) * np.sin(y) * np.cos(x)),
        lambda y, x: SPEED_M_S * np.sin(tilt) * np.sin(x) + 0 * y,
        bottom=lambda y, x: planet(y) ** 2 / (2 * GRAVITY_M_S2) + 0 * x,
        answer=height,
        days=5.0,
        tilts=True,
    )
