"""Test 1 of Williamson et al. (1992): a cosine bell that a fixed flow carries once around the sphere."""

from __future__ import annotations

import numpy as np

from mpsolve.models.shallow_water.geometry import sphere
from mpsolve.models.shallow_water.problems.base import DAY_S, GRAVITY_M_S2, RADIUS_M, ROTATION_PER_S, Problem

HEIGHT_M, DAYS = 1000.0, 12.0
SPEED_M_S = 2 * np.pi * RADIUS_M / (DAYS * DAY_S)
#: Radius of the bell, rad; it begins on the equator at this longitude.
WIDTH, LONGITUDE = 1 / 3, 3 * np.pi / 2


def _place(angle_rad: float, time_s: float) -> tuple[float, float, float]:
    """Return the middle of the bell as a unit vector: its first place, turned about the axis of the flow."""
    axis = np.array([-np.sin(angle_rad), 0.0, np.cos(angle_rad)])
    first = np.array([np.cos(LONGITUDE), np.sin(LONGITUDE), 0.0])
    turned = 2 * np.pi * time_s / (DAYS * DAY_S)
    # Rodrigues' formula.
    along = np.cos(turned) * first + np.sin(turned) * np.cross(axis, first)
    x, y, z = along + (1 - np.cos(turned)) * np.dot(axis, first) * axis
    return float(x), float(y), float(z)


def create(shape: tuple[int, int], angle_rad: float) -> Problem:
    """Return the problem on a grid; velocities are means over faces, so that the flow has no divergence on any grid."""
    rows, columns = shape
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    along, across = (np.sinc(0.5 * step / np.pi) for step in (np.pi / rows, 2 * np.pi / columns))

    def height(y, x, time_s):
        east, north, up = _place(angle_rad, time_s)
        cosine = np.cos(y) * (np.cos(x) * east + np.sin(x) * north) + np.sin(y) * up
        distance = np.arccos(np.clip(cosine, -1.0, 1.0))
        return np.where(distance < WIDTH, HEIGHT_M / 2 * (1 + np.cos(np.pi * distance / WIDTH)), 0.0)

    return Problem(
        sphere(shape, RADIUS_M, ROTATION_PER_S, angle_rad),
        GRAVITY_M_S2,
        lambda y, x: height(y, x, 0.0),
        lambda y, x: along * SPEED_M_S * (np.cos(y) * cos + np.cos(x) * np.sin(y) * sin),
        lambda y, x: -across * SPEED_M_S * np.sin(x) * sin + 0 * y,
        answer=height,
        days=DAYS,
        advection=True,
        tilts=True,
    )
