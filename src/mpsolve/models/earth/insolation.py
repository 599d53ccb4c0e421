"""Daily mean insolation at the top of the atmosphere through the year, for any orbit of the Earth."""

import math
from dataclasses import dataclass

import numpy as np

from mpsolve.errors import ConfigError

SOLAR_CONSTANT = 1371.685  # W m-2, Zhuang, North and Stevens (2017)
ECCENTRICITY_1950 = 0.016740  # Berger, J. Atmos. Sci. 35 (1978), as are the next two
OBLIQUITY_1950_RAD = 0.409253  # rad
PERIHELION_1950_RAD = 1.783037  # rad

# Runge-Kutta steps a year: the year then closes to about 1e-12 for every eccentricity that is allowed.
ORBIT_STEPS = 20_000
LARGEST_ECCENTRICITY = 0.5


@dataclass(frozen=True)
class Orbit:
    """The orbit of the Earth and the strength of the sun.

    Parameters
    ----------
    eccentricity : float
        Between 0 and 0.5.
    obliquity_rad : float
        Tilt of the axis in radians, between 0 and pi / 2.
    perihelion_rad : float
        Longitude of the perihelion in radians as Berger (1978) counts it: the Earth is farthest from the sun when
        the solar longitude, counted from the vernal equinox, equals it (in 1950: in early July).
    solar_constant : float
        In W m-2 at the semi-major axis, positive.

    Raises
    ------
    ConfigError
        If a value is outside its range.
    """

    eccentricity: float = ECCENTRICITY_1950
    obliquity_rad: float = OBLIQUITY_1950_RAD
    perihelion_rad: float = PERIHELION_1950_RAD
    solar_constant: float = SOLAR_CONSTANT

    def __post_init__(self) -> None:
        for name, low, high in (
            ("eccentricity", 0.0, LARGEST_ECCENTRICITY),
            ("obliquity_rad", 0.0, math.pi / 2),
            ("perihelion_rad", -2 * math.pi, 2 * math.pi),
            ("solar_constant", 0.0, 1e6),
        ):
            value = getattr(self, name)
            # Written so that NaN fails.
            if not low <= value <= high:
                raise ConfigError(f"{name} is {value}; allowed: a number from {low:g} to {high:g}")


def solar_longitudes(orbit: Orbit, steps: int = 48) -> np.ndarray:
    """Integrate the orbit through a year: d lambda / dt = 2 pi (1 - e cos(lambda - p))^2 / (1 - e^2)^1.5.

    Parameters
    ----------
    orbit : Orbit
        The orbit.
    steps : int
        Time steps a year, at least 1.

    Returns
    -------
    ndarray
        Solar longitude in radians at the times k / steps of a year since the vernal equinox, shape (steps + 1,);
        0 at the first and 2 pi, to 1e-10, at the last.
    """
    speed = 2.0 * math.pi / (1.0 - orbit.eccentricity**2) ** 1.5
    substeps = math.ceil(ORBIT_STEPS / steps)
    step = 1.0 / (steps * substeps)

    def rate(angle: float) -> float:
        return speed * (1.0 - orbit.eccentricity * math.cos(angle - orbit.perihelion_rad)) ** 2

    angles = [0.0]
    for _ in range(steps):
        angle = angles[-1]
        for _ in range(substeps):
            # The classical Runge-Kutta method of order 4.
            first = rate(angle)
            second = rate(angle + step / 2 * first)
            third = rate(angle + step / 2 * second)
            fourth = rate(angle + step * third)
            angle += step / 6 * (first + 2 * second + 2 * third + fourth)
        angles.append(angle)
    return np.array(angles)


def daily_mean_insolation(orbit: Orbit, lat_rad: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Compute the insolation on a horizontal plane, averaged over a day (Berger 1978).

    Parameters
    ----------
    orbit : Orbit
        The orbit.
    lat_rad : ndarray
        Latitudes in radians, shape (n,); the poles are allowed.
    longitude : ndarray
        Solar longitudes in radians, shape (steps,).

    Returns
    -------
    ndarray
        New array in W m-2, shape (steps, n); zero in the polar night.
    """
    eccentricity = orbit.eccentricity
    nearness = (1.0 - eccentricity * np.cos(longitude - orbit.perihelion_rad)) / (1.0 - eccentricity**2)
    sin_declination = np.sin(orbit.obliquity_rad) * np.sin(longitude)
    cos_declination = np.sqrt(1.0 - sin_declination**2)
    # At the poles tan(latitude) is about 1e16: the clipping makes it polar day, polar night or, at zero, half a day.
    cos_hour = -np.tan(lat_rad) * (sin_declination / cos_declination)[:, None]
    half_day = np.arccos(np.clip(cos_hour, -1.0, 1.0))
    height = half_day * np.sin(lat_rad) * sin_declination[:, None]
    height += np.cos(lat_rad) * cos_declination[:, None] * np.sin(half_day)
    # Rounding at the edge of the polar night would leave -1e-17 there.
    return np.maximum(orbit.solar_constant / math.pi * (nearness**2)[:, None] * height, 0.0)


def insolation_year(orbit: Orbit, lat_rad: np.ndarray, steps: int = 48) -> np.ndarray:
    """Compute the insolation at every step of a year.

    Parameters
    ----------
    orbit : Orbit
        The orbit.
    lat_rad : ndarray
        Latitudes in radians, shape (n,).
    steps : int
        Time steps a year.

    Returns
    -------
    ndarray
        New array in W m-2, shape (steps, n); row k is at the time k / steps of a year since the vernal equinox, and
        row 0 follows the last.
    """
    return daily_mean_insolation(orbit, lat_rad, solar_longitudes(orbit, steps)[:-1])
