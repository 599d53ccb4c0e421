"""Test 5 of Williamson et al. (1992): a zonal flow over an isolated mountain."""

from __future__ import annotations

import numpy as np

from mpsolve.models.shallow_water.geometry import sphere
from mpsolve.models.shallow_water.problems.base import GRAVITY_M_S2, RADIUS_M, ROTATION_PER_S, Problem, nothing

SPEED_M_S, HEIGHT_M, MOUNTAIN_M = 20.0, 5960.0, 2000.0
#: Half width and place of the cone, rad.
WIDTH, LATITUDE, LONGITUDE = np.pi / 9, np.pi / 6, 3 * np.pi / 2


def _mountain(y, x):
    distance = np.minimum(WIDTH, np.sqrt((x - LONGITUDE) ** 2 + (y - LATITUDE) ** 2))
    return MOUNTAIN_M * (1 - distance / WIDTH)


def create(shape: tuple[int, int], angle_rad: float) -> Problem:
    """Return the problem on a grid; the flow is not tilted."""
    slope = RADIUS_M * ROTATION_PER_S * SPEED_M_S + SPEED_M_S**2 / 2
    return Problem(
        sphere(shape, RADIUS_M, ROTATION_PER_S),
        GRAVITY_M_S2,
        lambda y, x: HEIGHT_M - slope * np.sin(y) ** 2 / GRAVITY_M_S2 + 0 * x,
        lambda y, x: SPEED_M_S * np.cos(y) + 0 * x,
        nothing,
        bottom=_mountain,
        days=15.0,
    )
