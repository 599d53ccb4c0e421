"""Coefficients of the energy balance model against the published figures and the formulas' limits."""

import numpy as np
import pytest

from mpsolve.errors import ConfigError
from mpsolve.models.earth import coefficients
from mpsolve.models.earth.grid import SphereGrid
from mpsolve.models.earth.surface import KINDS, Surface, SurfaceFractions

DAYS = 365.2422


def _fractions(grid, **shares):
    """The same fractions in every cell."""
    return SurfaceFractions(**{kind: np.full(grid.shape, shares.get(kind, 0.0)) for kind in KINDS})


@pytest.mark.parametrize(("kind", "days"), [("sea_ice", 51.61), ("ice_sheet", 33.81), ("land", 35.69)])
def test_relaxation_times_are_those_printed_by_the_published_code(kind, days):
    relaxation = coefficients.column_heat_capacity(kind) / coefficients.OUTGOING_SLOPE * DAYS
    assert abs(relaxation - days) <= 0.005  # half a unit of the last printed digit


def test_the_ocean_relaxes_in_the_published_time():
    relaxation = coefficients.column_heat_capacity("ocean") / coefficients.OUTGOING_SLOPE
    assert abs(relaxation - 4.39) <= 0.005


def test_a_lake_holds_a_third_of_the_ocean_layer():
    air = coefficients.air_heat_capacity()
    lake, ocean = (coefficients.column_heat_capacity(kind) - air for kind in ("lake", "ocean"))
    assert lake == pytest.approx(ocean / 3, rel=1e-14)


def test_heat_capacity_is_blended_by_the_fractions():
    blended = coefficients.heat_capacity(_fractions(SphereGrid.cells(4, 8), land=0.25, ocean=0.75))
    parts = [coefficients.column_heat_capacity(kind) for kind in ("land", "ocean")]
    assert blended[0, 0] == pytest.approx(0.25 * parts[0] + 0.75 * parts[1], rel=1e-14)


def test_doubled_co2_warms_by_its_forcing_over_b():
    forcing = coefficients.outgoing_radiation(315.0) - coefficients.outgoing_radiation(630.0)
    assert forcing == pytest.approx(5.35 * np.log(2), rel=1e-12)


@pytest.mark.parametrize("co2_ppm", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_co2_is_refused(co2_ppm):
    with pytest.raises(ConfigError, match="co2_ppm is .*allowed: a positive number"):
        coefficients.outgoing_radiation(co2_ppm)


@pytest.mark.parametrize(
    ("kind", "row", "expected"),
    [("ocean", 0, 0.40), ("ocean", -1, 0.40), ("land", 0, 0.20), ("land", -1, 0.28), ("lake", -1, 0.28)],
)
def test_diffusion_at_the_poles(kind, row, expected):
    grid = SphereGrid.nodes(9, 16)
    assert coefficients.diffusion(_fractions(grid, **{kind: 1.0}), grid.lat_rad)[row, 0] == pytest.approx(expected)


@pytest.mark.parametrize("kind", KINDS)
def test_diffusion_at_the_equator_does_not_depend_on_the_surface(kind):
    grid = SphereGrid.nodes(9, 16)
    assert coefficients.diffusion(_fractions(grid, **{kind: 1.0}), grid.lat_rad)[4, 0] == pytest.approx(0.65)


@pytest.mark.parametrize(
    ("kind", "equator", "pole"),
    [("land", 0.24, 0.42), ("ocean", 0.23, 0.41), ("sea_ice", 0.60, 0.60), ("ice_sheet", 0.75, 0.75)],
)
def test_albedo_at_the_equator_and_the_poles(kind, equator, pole):
    grid = SphereGrid.nodes(9, 16)
    albedo = coefficients.albedo(_fractions(grid, **{kind: 1.0}), grid.lat_rad)
    assert (albedo[4, 0], albedo[-1, 0]) == pytest.approx((equator, pole))


def test_the_albedo_of_the_file_replaces_the_formula():
    grid = SphereGrid.cells(8, 16)
    maps = {"surface_class": np.full(grid.shape, 5), "albedo": np.full(grid.shape, 0.123)}
    surface = Surface("made up", grid.lat, grid.lon, grid.lat_edges, grid.lon_edges, **maps)
    assert np.abs(coefficients.earth_coefficients(surface, grid).albedo - 0.123).max() <= 1e-15
