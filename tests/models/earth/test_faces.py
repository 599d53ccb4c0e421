"""The finite-volume diffusion operator: symmetric, conservative, and second order in space."""

import numpy as np
import pytest

from mpsolve.models.earth.faces import face_coefficients
from mpsolve.models.earth.grid import SphereGrid

GRIDS = [SphereGrid.cells(16, 32), SphereGrid.cells(15, 20), SphereGrid.nodes(17, 32)]


def _apply(faces, field):
    """Flow of heat into every cell: the sum of its four faces."""
    south, north = faces.north_south[:-1], faces.north_south[1:]
    west, east = faces.east_west[:, :-1], faces.east_west[:, 1:]
    padded = np.concatenate([field[:1], field, field[-1:]])
    flow = south * (padded[:-2] - field) + north * (padded[2:] - field)
    return flow + west * (np.roll(field, 1, 1) - field) + east * (np.roll(field, -1, 1) - field)


def _random(grid, seed):
    """A positive random field."""
    return np.random.default_rng(seed).uniform(0.2, 0.7, size=grid.shape)


@pytest.mark.parametrize("grid", GRIDS, ids=lambda grid: f"{grid.kind}{grid.shape}")
def test_the_operator_is_symmetric(grid):
    faces, u, v = face_coefficients(grid, _random(grid, 1)), _random(grid, 2), _random(grid, 3)
    forth, back = (v * _apply(faces, u)).sum(), (u * _apply(faces, v)).sum()
    scale = np.abs(v * _apply(faces, u)).sum()
    assert abs(forth - back) <= 8 * u.size * np.finfo(float).eps * scale


@pytest.mark.parametrize("grid", GRIDS, ids=lambda grid: f"{grid.kind}{grid.shape}")
def test_diffusion_neither_makes_nor_loses_heat(grid):
    flow = _apply(face_coefficients(grid, _random(grid, 1)), _random(grid, 2))
    assert abs(flow.sum()) <= 8 * flow.size * np.finfo(float).eps * np.abs(flow).max()


@pytest.mark.parametrize("grid", GRIDS, ids=lambda grid: f"{grid.kind}{grid.shape}")
def test_no_heat_flows_through_the_poles(grid):
    faces = face_coefficients(grid, _random(grid, 1))
    assert not faces.north_south[[0, -1]].any()


@pytest.mark.parametrize("grid", GRIDS, ids=lambda grid: f"{grid.kind}{grid.shape}")
def test_the_last_meridian_face_is_the_first(grid):
    faces = face_coefficients(grid, _random(grid, 1))
    assert np.array_equal(faces.east_west[:, 0], faces.east_west[:, -1])


def _matrix(faces):
    """The operator as a dense matrix."""
    rows, columns = faces.east_west.shape[0], faces.east_west.shape[1] - 1
    units = np.eye(rows * columns).reshape(-1, rows, columns)
    return np.array([_apply(faces, unit).ravel() for unit in units])


def _solution_error(grid, harmonic):
    """Area-weighted error of u in u - div grad u = 7 Y, whose solution is Y if its eigenvalue is -6."""
    exact = harmonic(grid.lat_rad[:, None], np.deg2rad(grid.lon))
    area = np.broadcast_to(grid.area[:, None], grid.shape)
    matrix = np.diag(area.ravel()) - _matrix(face_coefficients(grid, np.ones(grid.shape)))
    solution = np.linalg.solve(matrix, (7 * exact * area).ravel()).reshape(grid.shape)
    return np.sqrt(((solution - exact) ** 2 * grid.weights[:, None]).sum())


@pytest.mark.parametrize(
    "harmonic",
    [lambda lat, lon: 1.5 * np.sin(lat) ** 2 - 0.5 + 0 * lon, lambda lat, lon: np.cos(lat) ** 2 * np.cos(2 * lon)],
    ids=["zonal", "sectoral"],
)
@pytest.mark.parametrize(
    ("coarse", "fine"),
    [(SphereGrid.cells(16, 32), SphereGrid.cells(32, 64)), (SphereGrid.nodes(17, 32), SphereGrid.nodes(33, 64))],
    ids=["cells", "nodes"],
)
def test_spherical_harmonics_are_solved_to_second_order(coarse, fine, harmonic):
    order = np.log2(_solution_error(coarse, harmonic) / _solution_error(fine, harmonic))
    # Order 2, less the few rows next to the poles, where the scheme is of a lower order on a vanishing area.
    assert 1.8 < order < 2.2


@pytest.mark.parametrize(
    ("coarse", "fine"),
    [(SphereGrid.cells(16, 32), SphereGrid.cells(32, 64)), (SphereGrid.nodes(17, 32), SphereGrid.nodes(33, 64))],
    ids=["cells", "nodes"],
)
def test_a_flow_across_the_pole_is_solved_to_second_order(coarse, fine):
    # A combination of degree 2 and order 1 that is tilted over the pole: sin(lat) cos(lat) cos(lon).
    def tilted(lat, lon):
        return np.sin(lat) * np.cos(lat) * np.cos(lon)

    assert 1.8 < np.log2(_solution_error(coarse, tilted) / _solution_error(fine, tilted)) < 2.2


def test_the_flow_across_a_coast_is_that_of_two_slabs_in_series():
    grid = SphereGrid.cells(8, 16)
    diffusion = np.full(grid.shape, 0.2)
    diffusion[:, 8:] = 0.6
    faces, smooth = face_coefficients(grid, diffusion), face_coefficients(grid, np.ones(grid.shape))
    # Half a cell of 0.2 and half a cell of 0.6: 1 / (0.5 / 0.2 + 0.5 / 0.6) = 0.3.
    assert faces.east_west[3, 8] / smooth.east_west[3, 8] == pytest.approx(0.3, rel=1e-14)
