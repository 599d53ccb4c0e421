"""A westerly flow over the continents: a smooth mountain wherever the land map has land."""

from __future__ import annotations

import numpy as np

from mpsolve.models.earth.grid import SphereGrid
from mpsolve.models.earth.surface import surface_fractions
from mpsolve.models.earth.surface_file import default_surface_path, read_surface
from mpsolve.models.shallow_water.geometry import sphere
from mpsolve.models.shallow_water.problems.base import GRAVITY_M_S2, RADIUS_M, ROTATION_PER_S, Problem, nothing

#: Speed and height of test 5 of Williamson et al. (1992), and the height of a ground that is land far around.
SPEED_M_S, HEIGHT_M, LAND_M = 20.0, 5960.0, 1500.0
#: Cells of the map, and how often each is averaged with its neighbours: what is left is smooth over ten degrees.
MAP, ROUNDS = (45, 90), 6


def _ground() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return latitudes, longitudes and heights of a coarse map; longitude 0 comes again at the end."""
    grid = SphereGrid.cells(*MAP)
    fractions = surface_fractions(read_surface(default_surface_path()), grid)
    # The map begins at the date line, the grid of the core at Greenwich.
    land = np.roll(fractions.land + fractions.ice_sheet, -(MAP[1] // 2), axis=1)
    for _ in range(ROUNDS):
        south, north = np.vstack([land[:1], land[:-1]]), np.vstack([land[1:], land[-1:]])
        land = (2 * land + south + north) / 4
        land = (2 * land + np.roll(land, 1, axis=1) + np.roll(land, -1, axis=1)) / 4
    lon = (np.arange(-1, MAP[1] + 1) + 0.5) * (2 * np.pi / MAP[1])
    return grid.lat_rad, lon, LAND_M * np.hstack([land[:, -1:], land, land[:, :1]])


def create(shape: tuple[int, int], angle_rad: float) -> Problem:
    """Return the problem on a grid; the flow is not tilted."""
    lat, lon, heights = _ground()

    def bottom(y, x):
        rows = np.stack([np.interp(np.asarray(x).ravel(), lon, row) for row in heights])
        return np.stack([np.interp(np.asarray(y).ravel(), lat, column) for column in rows.T], axis=1)

    slope = RADIUS_M * ROTATION_PER_S * SPEED_M_S + SPEED_M_S**2 / 2
    return Problem(
        sphere(shape, RADIUS_M, ROTATION_PER_S),
        GRAVITY_M_S2,
        lambda y, x: HEIGHT_M - slope * np.sin(y) ** 2 / GRAVITY_M_S2 + 0 * x,
        lambda y, x: SPEED_M_S * np.cos(y) + 0 * x,
        nothing,
        bottom=bottom,
        days=15.0,
    )
