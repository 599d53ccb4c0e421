"""The unstable jet of Galewsky, Scott and Polvani (Tellus A 56, 2004), with their viscosity."""

from __future__ import annotations

import numpy as np

from mpsolve.models.shallow_water.geometry import sphere
from mpsolve.models.shallow_water.problems.base import GRAVITY_M_S2, RADIUS_M, ROTATION_PER_S, Problem, nothing

SPEED_M_S, MEAN_HEIGHT_M, BUMP_M, VISCOSITY_M2_S = 80.0, 10_000.0, 120.0, 1e5
#: Southern and northern edge of the jet, rad.
SOUTH, NORTH = np.pi / 7, np.pi / 2 - np.pi / 7
#: Widths of the bump along longitude and latitude, and its latitude.
ALPHA, BETA, BUMP_LATITUDE = 1 / 3, 1 / 15, np.pi / 4
#: Points of the integral of the balance.
POINTS = 20_001


def _speed(y):
    inside = (y > SOUTH) & (y < NORTH)
    product = np.where(inside, (y - SOUTH) * (y - NORTH), -1.0)
    return np.where(inside, SPEED_M_S / np.exp(-4 / (NORTH - SOUTH) ** 2) * np.exp(1 / product), 0.0)


def _balanced(y):
    """Return the height that balances the jet, of the wanted mean over the sphere."""
    points = np.linspace(-np.pi / 2, np.pi / 2, POINTS)
    u = _speed(points)
    slope = RADIUS_M * u * (2 * ROTATION_PER_S * np.sin(points) + np.tan(points) * u / RADIUS_M) / GRAVITY_M_S2
    step = points[1] - points[0]
    drop = np.concatenate([[0.0], np.cumsum((slope[1:] + slope[:-1]) / 2 * step)])
    cos = np.cos(points)
    mean = np.sum(drop * cos) / np.sum(cos)
    return np.interp(y, points, MEAN_HEIGHT_M + mean - drop)


def _height(y, x):
    # The bump is centred on longitude 0, which is the edge of the grid.
    longitude = np.where(x > np.pi, x - 2 * np.pi, x)
    bump = np.cos(y) * np.exp(-((longitude / ALPHA) ** 2)) * np.exp(-(((BUMP_LATITUDE - y) / BETA) ** 2))
    return _balanced(y) + BUMP_M * bump


def create(shape: tuple[int, int], angle_rad: float) -> Problem:
    """Return the problem on a grid; the jet is not tilted."""
    return Problem(
        sphere(shape, RADIUS_M, ROTATION_PER_S),
        GRAVITY_M_S2,
        _height,
        lambda y, x: _speed(y) + 0 * x,
        nothing,
        viscosity_m2_s=VISCOSITY_M2_S,
        days=6.0,
    )
