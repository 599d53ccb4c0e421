"""Test 6 of Williamson et al. (1992): a Rossby-Haurwitz wave of wavenumber 4."""

from __future__ import annotations

import numpy as np

from mpsolve.models.shallow_water.geometry import sphere
from mpsolve.models.shallow_water.problems.base import GRAVITY_M_S2, RADIUS_M, ROTATION_PER_S, Problem

#: Angular velocities (1/s), wavenumber and height at the poles (m).
OMEGA, K, R, HEIGHT_M = 7.848e-6, 7.848e-6, 4, 8000.0


def _height(y, x):
    c, two = np.cos(y), c_squared(y)
    a = OMEGA / 2 * (2 * ROTATION_PER_S + OMEGA) * two
    a = a + K**2 / 4 * c ** (2 * R) * ((R + 1) * two + (2 * R**2 - R - 2) - 2 * R**2 * _safe_inverse(two))
    b = 2 * (ROTATION_PER_S + OMEGA) * K / ((R + 1) * (R + 2)) * c**R * ((R**2 + 2 * R + 2) - (R + 1) ** 2 * two)
    third = K**2 / 4 * c ** (2 * R) * ((R + 1) * two - (R + 2))
    gh = GRAVITY_M_S2 * HEIGHT_M + RADIUS_M**2 * (a + b * np.cos(R * x) + third * np.cos(2 * R * x))
    return gh / GRAVITY_M_S2


def c_squared(y):
    """Return the square of the cosine of the latitude."""
    return np.cos(y) ** 2


def _safe_inverse(values):
    """Return 1 / values, 0 at the poles, where the power that it is multiplied by vanishes."""
    return np.where(values > 1e-12, 1 / np.where(values > 1e-12, values, 1.0), 0.0)


def _eastward(y, x):
    c, s = np.cos(y), np.sin(y)
    return RADIUS_M * (OMEGA * c + K * c ** (R - 1) * (R * s**2 - c**2) * np.cos(R * x))


def _northward(y, x):
    return -RADIUS_M * K * R * np.cos(y) ** (R - 1) * np.sin(y) * np.sin(R * x)


def create(shape: tuple[int, int], angle_rad: float) -> Problem:
    """Return the problem on a grid; the wave is not tilted."""
    geometry = sphere(shape, RADIUS_M, ROTATION_PER_S)
    return Problem(geometry, GRAVITY_M_S2, _height, _eastward, _northward, days=14.0)
