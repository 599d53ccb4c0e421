"""Coefficients of the energy balance model: heat capacity, diffusion, albedo and outgoing radiation, with sources.

The constants are those of Zhuang, North and Stevens, SoftwareX 6 (2017), after North, Mengel and Short, J. Geophys.
Res. 88 (1983), unless a comment says otherwise.
"""

import math
from dataclasses import dataclass

import numpy as np

from mpsolve.errors import ConfigError
from mpsolve.models.earth.faces import FaceCoefficients, face_coefficients
from mpsolve.models.earth.grid import SphereGrid
from mpsolve.models.earth.surface import Surface, SurfaceFractions, surface_albedo, surface_fractions

SECONDS_PER_YEAR = 3.15576e7  # s

# Outgoing radiation A + B T, T in degrees C; A falls with CO2 by the logarithmic law of Myhre et al. (1998).
OUTGOING_AT_REFERENCE = 210.3  # W m-2
OUTGOING_SLOPE = 2.15  # W m-2 K-1, "B"
CO2_FORCING = 5.35  # W m-2 per factor e of CO2
REFERENCE_CO2_PPM = 315.0  # ppm, about the year 1958

# The column of air: ten layers with an exponential density profile.
AIR_HEAT = 1005.0  # J kg-1 K-1
AIR_DENSITY = 1.293  # kg m-3 at the surface
AIR_SCALE_HEIGHT_M = 7600.0  # m
AIR_LAYER_M = 500.0  # m
AIR_LAYERS = 10

# Heat of each surface layer per area: depth (m) x density (kg m-3) x specific heat (J kg-1 K-1) = J m-2 K-1.
OCEAN_HEAT = 70.0 * 1000.0 * 4186.0  # the mixed layer
SURFACE_HEAT = {
    "land": 2.0 * 1100.0 * 850.0,
    "sea_ice": 2.5 * 917.0 * 2106.0,
    "ice_sheet": 2.0 * 400.0 * 1900.0,
    "lake": OCEAN_HEAT / 3.0,
    "ocean": OCEAN_HEAT,
}

# Diffusion D = D_pole + (D_equator - D_pole) cos(latitude)^5 in W m-2 K-1, the Earth's radius scaled in.
DIFFUSION_EQUATOR = 0.65
DIFFUSION_POLE_OCEAN = 0.40
DIFFUSION_POLE_LAND_NORTH = 0.28  # land, ice and inland water of the northern half
DIFFUSION_POLE_LAND_SOUTH = 0.20
DIFFUSION_POWER = 5

# Albedo; the second Legendre polynomial P2 of the sine of latitude stands for the height of the sun and clouds.
ALBEDO_LAND = 0.30
ALBEDO_OCEAN = 0.29  # lakes, which the sources leave open, are water and take it too
ALBEDO_P2 = 0.12
ALBEDO_SEA_ICE = 0.60
ALBEDO_ICE_SHEET = 0.75


@dataclass(frozen=True, eq=False)
class EarthCoefficients:
    """Everything constant in time of C dT/dt = div(D grad T) - (A + B T) + S (1 - a), on a grid of shape (n, m).

    Parameters
    ----------
    heat_capacity : ndarray
        C in W yr m-2 K-1, shape (n, m).
    diffusion : ndarray
        D of the cells in W m-2 K-1, shape (n, m).
    albedo : ndarray
        a, between 0 and 1, shape (n, m).
    faces : FaceCoefficients
        D of the faces times their length over the distance across them, in W m-2 K-1.
    area : ndarray
        Area of one cell of each row on the unit sphere, shape (n,); it multiplies C, A + B T and S (1 - a).
    outgoing : float
        A in W m-2.
    outgoing_slope : float
        B in W m-2 K-1.
    """

    heat_capacity: np.ndarray
    diffusion: np.ndarray
    albedo: np.ndarray
    faces: FaceCoefficients
    area: np.ndarray
    outgoing: float
    outgoing_slope: float


def earth_coefficients(surface: Surface, grid: SphereGrid, co2_ppm: float = REFERENCE_CO2_PPM) -> EarthCoefficients:
    """Compute all coefficients of the model for a surface map, a grid and an amount of CO2.

    Parameters
    ----------
    surface : Surface
        The map of the surface; its own albedo, if it has one, replaces the formula.
    grid : SphereGrid
        The global grid.
    co2_ppm : float
        CO2 in parts per million by volume.

    Returns
    -------
    EarthCoefficients
        New float64 arrays of the global grid. Local: every rank that calls it with the same input gets the same bits.

    Raises
    ------
    ConfigError
        If `co2_ppm` is not a positive number.
    """
    fractions = surface_fractions(surface, grid)
    diffusion_cells = diffusion(fractions, grid.lat_rad)
    prescribed = surface_albedo(surface, grid)
    return EarthCoefficients(
        heat_capacity(fractions),
        diffusion_cells,
        albedo(fractions, grid.lat_rad) if prescribed is None else prescribed,
        face_coefficients(grid, diffusion_cells),
        grid.area,
        outgoing_radiation(co2_ppm),
        OUTGOING_SLOPE,
    )


def outgoing_radiation(co2_ppm: float = REFERENCE_CO2_PPM) -> float:
    """Return A, the radiation to space at 0 degrees C in W m-2.

    Parameters
    ----------
    co2_ppm : float
        CO2 in parts per million by volume.

    Raises
    ------
    ConfigError
        If `co2_ppm` is not a positive number.

    Examples
    --------
    >>> outgoing_radiation(315.0)
    210.3
    """
    if not 0.0 < co2_ppm < math.inf:
        raise ConfigError(f"co2_ppm is {co2_ppm}; allowed: a positive number of parts per million, for instance 315")
    return OUTGOING_AT_REFERENCE - CO2_FORCING * math.log(co2_ppm / REFERENCE_CO2_PPM)


def air_heat_capacity() -> float:
    """Return the heat capacity of the column of air in W yr m-2 K-1, its layers taken at their mid-heights."""
    heights = (AIR_LAYER_M * (layer + 0.5) for layer in range(AIR_LAYERS))
    mass = AIR_DENSITY * AIR_LAYER_M * sum(math.exp(-height / AIR_SCALE_HEIGHT_M) for height in heights)
    return AIR_HEAT * mass / SECONDS_PER_YEAR


def column_heat_capacity(kind: str) -> float:
    """Return the heat capacity of the air and the surface layer of one kind of surface in W yr m-2 K-1.

    Parameters
    ----------
    kind : str
        One of `mpsolve.models.earth.surface.KINDS`.

    Examples
    --------
    >>> round(365.2422 * column_heat_capacity("land") / OUTGOING_SLOPE, 2)  # days, as the published code prints it
    35.69
    """
    return air_heat_capacity() + SURFACE_HEAT[kind] / SECONDS_PER_YEAR


def heat_capacity(fractions: SurfaceFractions) -> np.ndarray:
    """Return C in W yr m-2 K-1, blended by the fractions: new array, shape (n, m)."""
    return fractions.blend(**{kind: column_heat_capacity(kind) for kind in SURFACE_HEAT})


def diffusion(fractions: SurfaceFractions, lat_rad: np.ndarray) -> np.ndarray:
    """Return D of the cells in W m-2 K-1, blended by the fractions.

    Parameters
    ----------
    fractions : SurfaceFractions
        Shape (n, m).
    lat_rad : ndarray
        Latitude of the rows in radians, shape (n,).

    Returns
    -------
    ndarray
        New array, shape (n, m).
    """
    land_pole = np.where(lat_rad >= 0.0, DIFFUSION_POLE_LAND_NORTH, DIFFUSION_POLE_LAND_SOUTH)
    land = _diffusion_profile(land_pole, lat_rad)
    ocean = _diffusion_profile(np.full_like(lat_rad, DIFFUSION_POLE_OCEAN), lat_rad)
    return fractions.blend(land=land, sea_ice=land, ice_sheet=land, lake=land, ocean=ocean)


def albedo(fractions: SurfaceFractions, lat_rad: np.ndarray) -> np.ndarray:
    """Return the albedo of the cells, blended by the fractions.

    Parameters
    ----------
    fractions : SurfaceFractions
        Shape (n, m).
    lat_rad : ndarray
        Latitude of the rows in radians, shape (n,).

    Returns
    -------
    ndarray
        New array, shape (n, m).
    """
    second_legendre = (3.0 * np.sin(lat_rad) ** 2 - 1.0) / 2.0
    land = (ALBEDO_LAND + ALBEDO_P2 * second_legendre)[:, None]
    ocean = (ALBEDO_OCEAN + ALBEDO_P2 * second_legendre)[:, None]
    return fractions.blend(land=land, sea_ice=ALBEDO_SEA_ICE, ice_sheet=ALBEDO_ICE_SHEET, lake=ocean, ocean=ocean)


def _diffusion_profile(pole: np.ndarray, lat_rad: np.ndarray) -> np.ndarray:
    """Return D along a meridian, as a column that broadcasts with (n, m)."""
    # At the poles the cosine in floating point is 6e-17 or -6e-17: neither may reach an odd power's sign.
    shape = np.abs(np.cos(lat_rad)) ** DIFFUSION_POWER
    return (pole + (DIFFUSION_EQUATOR - pole) * shape)[:, None]
