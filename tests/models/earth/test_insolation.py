"""Insolation: the orbit closes, the energy of a year is right, and the poles have their day and night."""

import math

import numpy as np
import pytest

from mpsolve.errors import ConfigError
from mpsolve.models.earth.insolation import Orbit, daily_mean_insolation, insolation_year, solar_longitudes

SOLSTICES = np.array([math.pi / 2, 3 * math.pi / 2])
ECCENTRICITIES = [0.0, 0.016740, 0.06, 0.5]


@pytest.mark.parametrize("eccentricity", ECCENTRICITIES)
@pytest.mark.parametrize("steps", [1, 12, 48, 365])
def test_the_year_closes(eccentricity, steps):
    assert abs(solar_longitudes(Orbit(eccentricity), steps)[-1] - 2 * math.pi) <= 1e-10


def test_a_circular_orbit_is_uniform():
    expected = np.linspace(0, 2 * math.pi, 49)
    assert np.abs(solar_longitudes(Orbit(eccentricity=0.0)) - expected).max() <= 1e-10


def test_northern_summer_half_is_longer_than_winter_half():
    # From the vernal to the autumnal equinox it takes 186 days, back 179 days.
    longitudes = solar_longitudes(Orbit(), 3652)
    days = np.searchsorted(longitudes, math.pi) / 3652 * 365.2422
    assert abs(days - 186.4) <= 0.2


@pytest.mark.parametrize("eccentricity", ECCENTRICITIES[:3])
def test_the_annual_global_mean_is_that_of_the_orbit(eccentricity):
    orbit = Orbit(eccentricity)
    edges = np.linspace(-1, 1, 721)
    # Rows of equal area: the mean over them is the mean over the sphere.
    year = insolation_year(orbit, np.arcsin((edges[1:] + edges[:-1]) / 2), 480)
    expected = orbit.solar_constant / 4 / math.sqrt(1 - eccentricity**2)
    assert abs(year.mean() / expected - 1) <= 1e-4


def test_the_polar_night_is_dark():
    orbit = Orbit()
    beyond = np.deg2rad([-90.0, -80.0, -67.0])
    assert not daily_mean_insolation(orbit, beyond, SOLSTICES[:1]).any()


def test_the_pole_at_its_solstice_has_sun_all_day():
    orbit = Orbit()
    rho = ((1 - orbit.eccentricity * math.cos(math.pi / 2 - orbit.perihelion_rad)) / (1 - orbit.eccentricity**2)) ** 2
    expected = rho * orbit.solar_constant * math.sin(orbit.obliquity_rad)
    pole = daily_mean_insolation(orbit, np.array([math.pi / 2]), SOLSTICES[:1])
    assert pole[0, 0] == pytest.approx(expected, rel=1e-14)


def test_the_pole_at_its_solstice_gets_more_than_the_equator():
    summer = daily_mean_insolation(Orbit(), np.array([0.0, math.pi / 2]), SOLSTICES[:1])[0]
    assert summer[1] > summer[0]


def test_the_equator_at_an_equinox_gets_the_solar_constant_over_pi():
    orbit = Orbit(eccentricity=0.0)
    noon = daily_mean_insolation(orbit, np.array([0.0]), np.array([0.0]))
    assert noon[0, 0] == pytest.approx(orbit.solar_constant / math.pi, rel=1e-14)


def test_january_is_nearer_to_the_sun_than_july():
    south, north = np.deg2rad([-23.4, 23.4])
    december = daily_mean_insolation(Orbit(), np.array([south]), SOLSTICES[1:])[0, 0]
    june = daily_mean_insolation(Orbit(), np.array([north]), SOLSTICES[:1])[0, 0]
    # The ratio of the distances squared, ((1 + e) / (1 - e))^2 = 1.069, less the 12 degrees from the apsides.
    assert 1.06 < december / june < 1.07


def test_a_circular_orbit_treats_the_hemispheres_alike():
    lat = np.deg2rad(np.arange(-87.5, 90, 5))
    year = insolation_year(Orbit(eccentricity=0.0), lat, 48)
    assert np.abs(year - np.roll(year, 24, axis=0)[:, ::-1]).max() <= 1e-6


def test_without_obliquity_there_are_no_seasons():
    year = insolation_year(Orbit(eccentricity=0.0, obliquity_rad=0.0), np.deg2rad([-60.0, 10.0]), 12)
    assert np.ptp(year, axis=0).max() <= 1e-9


def test_insolation_is_finite_and_never_negative_at_the_poles():
    year = insolation_year(Orbit(), np.array([-math.pi / 2, math.pi / 2]), 48)
    assert np.all(np.isfinite(year))
    assert year.min() == 0.0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("eccentricity", -0.1),
        ("eccentricity", 0.9),
        ("eccentricity", float("nan")),
        ("obliquity_rad", 23.4),
        ("perihelion_rad", 102.0),
        ("solar_constant", -1.0),
    ],
)
def test_an_impossible_orbit_is_refused(name, value):
    with pytest.raises(ConfigError, match=f"{name} is {value}; allowed: a number from"):
        Orbit(**{name: value})
