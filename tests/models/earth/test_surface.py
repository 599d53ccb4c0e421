"""The surface of the Earth: classification and fractions on model grids."""

import numpy as np
import pytest

from mpsolve.models.earth.grid import SphereGrid
from mpsolve.models.earth.surface import KINDS, Surface, surface_albedo, surface_fractions
from mpsolve.models.earth.surface_file import default_surface_path, read_surface

EPSILON = np.finfo(np.float64).eps


@pytest.fixture(scope="module")
def earth():
    """The shipped land map."""
    return read_surface(default_surface_path())


def _surface(grid, **maps):
    """A surface map on the cells of a model grid."""
    return Surface("made up", grid.lat, grid.lon, grid.lat_edges, grid.lon_edges, **maps)


def _nearest(grid, lat, lon):
    """Row and column of the cell nearest to a place."""
    return int(np.abs(grid.lat - lat).argmin()), int(np.abs(grid.lon - lon).argmin())


@pytest.mark.parametrize(
    "grid",
    [
        SphereGrid.cells(32, 64),
        SphereGrid.nodes(65, 128),
        SphereGrid.cells(50, 99),
        SphereGrid.cells(720, 1440),
    ],
    ids=lambda grid: f"{grid.kind}{grid.shape}",
)
def test_fractions_sum_to_one_everywhere(earth, grid):
    fractions = surface_fractions(earth, grid)
    assert np.abs(sum(getattr(fractions, kind) for kind in KINDS) - 1.0).max() <= 8 * EPSILON


@pytest.mark.parametrize("kind", KINDS)
def test_the_global_share_of_a_kind_does_not_depend_on_the_grid(earth, kind):
    shares = []
    for grid in (SphereGrid.cells(32, 64), SphereGrid.nodes(65, 128), SphereGrid.cells(47, 91)):
        field = getattr(surface_fractions(earth, grid), kind)
        shares.append((field * grid.weights[:, None]).sum())
    # The polar rows of the map are 1e-5 of sine wide, so each carries an error of eps / 1e-5.
    assert np.ptp(shares) <= 1e-10


def test_land_covers_29_percent_of_the_earth(earth):
    grid = SphereGrid.cells(32, 64)
    dry = surface_fractions(earth, grid)
    share = ((dry.land + dry.ice_sheet) * grid.weights[:, None]).sum()
    # The textbook value is 29.2 %; the map counts lakes as land and leaves out some of the ice shelves.
    assert 0.28 < share < 0.30


@pytest.mark.parametrize(
    ("lat", "lon", "kind"),
    [
        (-85.0, 100.0, "ice_sheet"),  # East Antarctica
        (72.0, -40.0, "ice_sheet"),  # Greenland
        (60.0, 100.0, "land"),  # Siberia
        (-10.0, -55.0, "land"),  # Amazon
        (85.0, 170.0, "sea_ice"),  # Arctic Ocean
        (-75.0, -170.0, "sea_ice"),  # Ross Sea
        (0.0, -150.0, "ocean"),  # Pacific
        (-65.0, -120.0, "ocean"),  # Southern Ocean, north of the perennial ice
    ],
)
def test_known_places_are_what_they_are(earth, lat, lon, kind):
    grid = SphereGrid.cells(90, 180)
    assert getattr(surface_fractions(earth, grid), kind)[_nearest(grid, lat, lon)] > 0.99


def test_a_land_map_has_no_lakes(earth):
    assert not surface_fractions(earth, SphereGrid.cells(32, 64)).lake.any()


@pytest.mark.parametrize(
    ("code", "kind"),
    [(1, "land"), (2, "sea_ice"), (3, "ice_sheet"), (4, "lake")] + [(n, "ocean") for n in (5, 6, 7, 8)],
)
def test_every_class_code_becomes_its_kind(code, kind):
    grid = SphereGrid.cells(8, 16)
    surface = _surface(grid, surface_class=np.full(grid.shape, code, dtype=np.uint8))
    assert getattr(surface_fractions(surface, grid), kind).min() == 1.0


def test_classes_go_before_the_land_fraction():
    grid = SphereGrid.cells(8, 16)
    maps = {"surface_class": np.full(grid.shape, 5), "land_percent": np.full(grid.shape, 100.0)}
    assert surface_fractions(_surface(grid, **maps), grid).ocean.min() == 1.0


def test_a_half_covered_cell_is_half_land_and_half_ocean():
    grid = SphereGrid.cells(18, 36)
    fractions = surface_fractions(_surface(grid, land_percent=np.full(grid.shape, 50.0)), grid)
    place = _nearest(grid, 5.0, 5.0)
    assert (fractions.land[place], fractions.ocean[place]) == pytest.approx((0.5, 0.5), abs=8 * EPSILON)


def test_longitudes_beyond_180_find_greenland_too():
    grid = SphereGrid.cells(36, 72)
    west = Surface(
        "0 to 360", grid.lat, grid.lon + 180, grid.lat_edges, grid.lon_edges + 180, np.full(grid.shape, 100.0)
    )
    assert surface_fractions(west, grid).ice_sheet[_nearest(grid, 72.0, -40.0)] == pytest.approx(1.0)


def test_albedo_is_averaged_by_area():
    fine, coarse = SphereGrid.cells(16, 32), SphereGrid.cells(8, 16)
    albedo = np.random.default_rng(5).uniform(size=fine.shape)
    mean = surface_albedo(_surface(fine, surface_class=np.full(fine.shape, 5), albedo=albedo), coarse)
    parts = albedo[6:8, 4:6] * np.diff(np.sin(fine.lat_edges))[6:8, None]
    assert mean[3, 2] == pytest.approx(parts.sum() / (2 * np.diff(np.sin(fine.lat_edges))[6:8].sum()), rel=1e-13)


def test_a_map_without_albedo_gives_none(earth):
    assert surface_albedo(earth, SphereGrid.cells(8, 16)) is None
