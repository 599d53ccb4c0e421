"""Test 2 of Williamson et al. (1992): a steady flow along circles that are tilted against the grid."""

from __future__ import annotations

import numpy as np

from mpsolve.models.shallow_water.geometry import sphere
from mpsolve.models.shallow_water.problems.base import DAY_S, GRAVITY_M_S2, RADIUS_M, ROTATION_PER_S, Problem

SPEED_M_S = 2 * np.pi * RADIUS_M / (12 * DAY_S)
#: Gravity times the largest height.
GH0_M2_S2 = 2.94e4


def create(shape: tuple[int, int], angle_rad: float) -> Problem:
    """Return the problem on a grid; the answer is the initial state."""
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)

    def height(y, x):
        slope = RADIUS_M * ROTATION_PER_S * SPEED_M_S + SPEED_M_S**2 / 2
        axis = np.sin(y) * cos - np.cos(x) * np.cos(y) * sin
        return (GH0_M2_S2 - slope * axis**2) / GRAVITY_M_S2

    return Problem(
        sphere(shape, RADIUS_M, ROTATION_PER_S, angle_rad),
        GRAVITY_M_S2,
        height,
        lambda y, x: SPEED_M_S * (np.cos(y) * cos + np.cos(x) * np.sin(y) * sin),
        lambda y, x: -SPEED_M_S * np.sin(x) * sin + 0 * y,
        steady=True,
        tilts=True,
    )
