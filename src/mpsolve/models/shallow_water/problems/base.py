"""What a shallow-water problem is: a geometry, physical constants, an initial state, and the answer if it is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpsolve.models.shallow_water.geometry import Geometry

#: Constants of Williamson et al. (J. Comput. Phys. 102, 1992).
RADIUS_M, ROTATION_PER_S, GRAVITY_M_S2 = 6.37122e6, 7.292e-5, 9.80616
DAY_S = 86400.0

Array = NDArray[Any]
#: A function of y (or latitude) and x (or longitude), open meshes.
Function = Callable[[Array, Array], Array]


@dataclass(frozen=True)
class Problem:
    """A shallow-water problem.

    Attributes
    ----------
    geometry : Geometry
        Where it is.
    gravity_m_s2 : float
        Gravity.
    height, eastward, northward : callable
        Initial height of the surface over the ground's zero in m and velocities in m/s.
    bottom : callable or None
        Height of the ground in m; None: flat.
    steady : bool
        Whether the initial state is the answer at all times.
    answer : callable or None
        Height of the surface at y, x and a time in s, where it is known and changes.
    viscosity_m2_s : float
        Of the momentum equation.
    days : float
        Usual length.
    advection : bool
        Whether the velocities are fixed, so that the height is only carried along.
    tilts : bool
        Whether the problem has an angle.
    """

    geometry: Geometry
    gravity_m_s2: float
    height: Function
    eastward: Function
    northward: Function
    bottom: Function | None = None
    steady: bool = False
    answer: Callable[[Array, Array, float], Array] | None = None
    viscosity_m2_s: float = 0.0
    days: float = 5.0
    advection: bool = False
    tilts: bool = False


def nothing(y: Array, x: Array) -> Array:
    """Return zero everywhere."""
    return np.zeros(np.broadcast_shapes(y.shape, x.shape))
