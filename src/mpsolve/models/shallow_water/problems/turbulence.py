"""Decaying geostrophic turbulence on a doubly periodic plane."""

from __future__ import annotations

import numpy as np

from mpsolve.models.shallow_water.geometry import plane
from mpsolve.models.shallow_water.problems.base import Problem

LENGTH_M, CORIOLIS_PER_S, GRAVITY_M_S2, DEPTH_M, SPEED_M_S = 4.0e6, 1.0e-4, 9.81, 1000.0, 5.0
#: Waves of the initial streamfunction: wavenumbers from and to, and how many.
LOWEST, HIGHEST, WAVES, SEED = 4, 8, 40, 3


def _waves():
    rng = np.random.default_rng(SEED)
    size, direction = rng.uniform(LOWEST, HIGHEST, WAVES), rng.uniform(0, 2 * np.pi, WAVES)
    k = np.rint(size * np.cos(direction)) * 2 * np.pi / LENGTH_M
    m = np.rint(size * np.sin(direction)) * 2 * np.pi / LENGTH_M
    return k, m, rng.uniform(0, 2 * np.pi, WAVES)


def _sum(y, x, part):
    """Add up a part of each wave: 0 the streamfunction, 1 and 2 its derivatives along y and x; of unit mean speed."""
    k, m, phase = _waves()
    norm = SPEED_M_S / np.sqrt(np.sum(k**2 + m**2) / 2)
    total = 0.0
    for wave in range(WAVES):
        argument = k[wave] * x + m[wave] * y + phase[wave]
        total = total + (np.sin(argument) if part == 0 else np.cos(argument) * (m[wave] if part == 1 else k[wave]))
    return norm * total


def create(shape: tuple[int, int], angle_rad: float) -> Problem:
    """Return the problem on a grid; the height is in geostrophic balance."""
    geometry = plane(shape, (LENGTH_M, LENGTH_M), CORIOLIS_PER_S, 0.0, walls=False)
    return Problem(
        geometry,
        GRAVITY_M_S2,
        lambda y, x: DEPTH_M + CORIOLIS_PER_S / GRAVITY_M_S2 * _sum(y, x, 0),
        lambda y, x: -_sum(y, x, 1),
        lambda y, x: _sum(y, x, 2),
        days=20.0,
    )
