"""Conservative regridding: integrals are kept, constants stay constant, and the identity is the identity."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpsolve.models.earth.grid import SphereGrid
from mpsolve.models.earth.regrid import to_grid

EPSILON = np.finfo(np.float64).eps


def _mean(values, lat_edges):
    """Area mean of a field on evenly spaced columns."""
    return (values * np.diff(np.sin(lat_edges))[:, None]).sum() / (2 * values.shape[1])


def _source(n_lat, n_lon, first_lon=-180.0):
    """Random cell means with edges, columns starting anywhere."""
    edges = np.deg2rad(np.linspace(-90, 90, n_lat + 1))
    lon_edges = first_lon + np.arange(n_lon + 1) * 360.0 / n_lon
    return np.random.default_rng(n_lat * n_lon).uniform(size=(n_lat, n_lon)), edges, lon_edges


@settings(max_examples=40, deadline=None)
@given(
    st.integers(4, 40),
    st.integers(4, 40),
    st.integers(4, 40),
    st.integers(4, 40),
    st.floats(-360, 360),
    st.sampled_from([SphereGrid.cells, SphereGrid.nodes]),
)
def test_the_global_mean_is_kept_on_any_pair_of_grids(p, q, n, m, first_lon, make):
    values, lat_edges, lon_edges = _source(p, q, first_lon)
    grid = make(n, m)
    regridded = to_grid(values, lat_edges, lon_edges, grid)
    # Edges in degrees carry an error of up to 720 eps, against cells of at least 360 / 40 degrees.
    tolerance = 8 * (p + q + n + m) * 720 * EPSILON
    assert abs(_mean(regridded, grid.lat_edges) - _mean(values, lat_edges)) <= tolerance


def test_a_constant_stays_the_constant():
    values, lat_edges, lon_edges = _source(19, 37)
    regridded = to_grid(np.full_like(values, 0.7), lat_edges, lon_edges, SphereGrid.cells(32, 64))
    assert np.abs(regridded - 0.7).max() <= 40 * EPSILON


def test_the_same_grid_gives_the_field_back():
    grid = SphereGrid.cells(24, 48)
    values = np.random.default_rng(3).uniform(size=grid.shape)
    regridded = to_grid(values, grid.lat_edges, grid.lon_edges, grid)
    # A sine next to the pole is off by eps, against a row of 1 - sin(82.5 degrees) = 0.0086.
    assert np.abs(regridded - values).max() <= 8 * EPSILON / 0.0086


def test_longitudes_from_0_to_360_give_the_same_map():
    values, lat_edges, lon_edges = _source(18, 36)
    grid = SphereGrid.cells(16, 32)
    shifted = to_grid(np.roll(values, 18, axis=1), lat_edges, lon_edges + 180.0, grid)
    assert np.abs(shifted - to_grid(values, lat_edges, lon_edges, grid)).max() <= 1e4 * EPSILON


def test_a_single_cell_lands_where_it_belongs():
    values, lat_edges, lon_edges = _source(4, 8)
    values[:] = 0.0
    values[3, 1] = 1.0  # 45 to 90 north, 135 to 90 west
    regridded = to_grid(values, lat_edges, lon_edges, SphereGrid.cells(8, 16))
    assert np.argwhere(regridded > 0.5).tolist() == [[6, 2], [6, 3], [7, 2], [7, 3]]


def test_the_polar_rows_of_nodes_hold_one_value():
    values, lat_edges, lon_edges = _source(36, 72)
    regridded = to_grid(values, lat_edges, lon_edges, SphereGrid.nodes(19, 36))
    assert np.ptp(regridded[0]) == 0.0
    assert np.ptp(regridded[-1]) == 0.0


@pytest.mark.parametrize("shape", [(32, 64), (33, 100), (720, 1440)])
def test_averages_stay_within_the_range_of_the_source(shape):
    values, lat_edges, lon_edges = _source(90, 180)
    regridded = to_grid(values, lat_edges, lon_edges, SphereGrid.cells(*shape))
    assert values.min() - 200 * EPSILON <= regridded.min()
    assert regridded.max() <= values.max() + 200 * EPSILON
