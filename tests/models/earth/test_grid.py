"""Grids of the sphere: they cover it once, and their polar rows are what they claim to be."""

import numpy as np
import pytest

from mpsolve.errors import ShapeError
from mpsolve.models.earth.grid import SphereGrid

GRIDS = [
    SphereGrid.cells(32, 64),
    SphereGrid.cells(45, 100),
    SphereGrid.cells(720, 1440),
    SphereGrid.nodes(65, 128),
    SphereGrid.nodes(34, 63),
]
EPSILON = np.finfo(np.float64).eps


@pytest.mark.parametrize("grid", GRIDS, ids=lambda grid: f"{grid.kind}{grid.shape}")
def test_weights_sum_to_one(grid):
    rows, columns = grid.shape
    assert abs(grid.weights.sum() * columns - 1.0) <= 4 * rows * EPSILON


@pytest.mark.parametrize("grid", GRIDS, ids=lambda grid: f"{grid.kind}{grid.shape}")
def test_areas_sum_to_the_sphere(grid):
    rows, columns = grid.shape
    assert abs(grid.area.sum() * columns / (4 * np.pi) - 1.0) <= 4 * rows * EPSILON


@pytest.mark.parametrize("grid", GRIDS, ids=lambda grid: f"{grid.kind}{grid.shape}")
def test_rows_lie_within_their_edges(grid):
    lat = np.rad2deg(grid.lat_edges)
    assert np.all(lat[:-1] - 90 * EPSILON <= grid.lat)
    assert np.all(grid.lat <= lat[1:] + 90 * EPSILON)


@pytest.mark.parametrize("grid", GRIDS, ids=lambda grid: f"{grid.kind}{grid.shape}")
def test_columns_go_round_once(grid):
    assert grid.lon_edges[-1] - grid.lon_edges[0] == pytest.approx(360.0, abs=360 * 2 * EPSILON)


def test_nodes_have_both_poles_and_half_height_caps():
    grid = SphereGrid.nodes(65, 128)
    heights = np.diff(grid.lat_edges)
    assert (grid.lat[0], grid.lat[-1]) == (-90.0, 90.0)
    assert heights[0] == pytest.approx(heights[1] / 2, rel=1e-13)


def test_cells_have_no_row_at_the_poles():
    assert SphereGrid.cells(32, 64).lat[0] == -90.0 + 180.0 / 64


def test_single_poles_keep_the_global_integral():
    grid = SphereGrid.nodes(9, 16)
    field = np.random.default_rng(1).normal(size=grid.shape)
    merged = grid.with_single_poles(field)
    assert np.ptp(merged[0]) == 0.0
    weights = grid.weights[:, None]
    assert (merged * weights).sum() == pytest.approx((field * weights).sum(), abs=field.size * EPSILON)


def test_single_poles_leave_cells_alone():
    grid = SphereGrid.cells(8, 16)
    field = np.random.default_rng(1).normal(size=grid.shape)
    assert np.array_equal(grid.with_single_poles(field), field)


@pytest.mark.parametrize(("make", "n_lat", "n_lon"), [(SphereGrid.cells, 1, 8), (SphereGrid.nodes, 2, 8)])
def test_a_grid_that_does_not_cover_the_sphere_is_refused(make, n_lat, n_lon):
    with pytest.raises(ShapeError, match=f"{n_lon} longitudes and {n_lat} latitudes"):
        make(n_lat, n_lon)
