"""Pictures: written whole, for every layout of grid and surface, or refused in one line."""

import sys

import numpy as np
import pytest

from mpsolve.errors import BackendUnavailable, FileError
from mpsolve.models.earth.grid import SphereGrid
from mpsolve.models.earth.map_picture import draw_map, draw_seasonal_cycle
from mpsolve.models.earth.surface import Surface
from mpsolve.models.earth.surface_file import default_surface_path, read_surface

PNG = b"\x89PNG"


def _temperature(grid):
    """A plausible climate: 30 degrees C at the equator, -25 at the poles."""
    return np.broadcast_to(30 - 55 * np.sin(grid.lat_rad)[:, None] ** 2, grid.shape)


@pytest.mark.parametrize("grid", [SphereGrid.cells(16, 32), SphereGrid.nodes(17, 32)], ids=lambda grid: grid.kind)
def test_a_map_with_coasts_is_drawn(tmp_path, grid):
    path = draw_map(tmp_path / "map.png", _temperature(grid), grid, read_surface(default_surface_path()), "A map")
    assert path.read_bytes().startswith(PNG)


def test_the_coasts_are_on_the_map(tmp_path):
    grid = SphereGrid.cells(16, 32)
    surface = read_surface(default_surface_path())
    bare = draw_map(tmp_path / "bare.png", _temperature(grid), grid).read_bytes()
    assert draw_map(tmp_path / "coast.png", _temperature(grid), grid, surface).read_bytes() != bare


def test_a_surface_from_0_to_360_draws_both_hemispheres(tmp_path):
    grid = SphereGrid.cells(16, 32)
    land = np.zeros(grid.shape)
    land[8:10, 24:28] = 100.0  # 90 to 135 east of the map's western rim at 0: in the western hemisphere
    east = Surface("east", grid.lat, grid.lon + 180, grid.lat_edges, grid.lon_edges + 180, land)
    bare = draw_map(tmp_path / "bare.png", _temperature(grid), grid).read_bytes()
    assert draw_map(tmp_path / "map.png", _temperature(grid), grid, east).read_bytes() != bare


@pytest.mark.parametrize("value", [-3.0, 0.0, 7.0])
def test_a_uniform_field_is_drawn(tmp_path, value):
    grid = SphereGrid.cells(8, 16)
    assert draw_map(tmp_path / "map.png", np.full(grid.shape, value), grid).exists()


@pytest.mark.parametrize("grid", [SphereGrid.cells(16, 32), SphereGrid.nodes(17, 32)], ids=lambda grid: grid.kind)
def test_the_seasonal_cycle_is_drawn(tmp_path, grid):
    season = np.cos(2 * np.pi * (np.arange(12) - 6) / 12)[:, None] * grid.lat / 5
    path = draw_seasonal_cycle(tmp_path / "cycle.png", _temperature(grid)[:, 0] + season, grid)
    assert path.read_bytes().startswith(PNG)


def test_nothing_but_the_picture_is_left(tmp_path):
    grid = SphereGrid.cells(8, 16)
    draw_map(tmp_path / "map.png", _temperature(grid), grid)
    assert [path.name for path in tmp_path.iterdir()] == ["map.png"]


@pytest.mark.parametrize("name", ["missing/map.png", "map.nonsense"])
def test_a_path_that_cannot_be_written_is_refused(tmp_path, name):
    grid = SphereGrid.cells(8, 16)
    with pytest.raises(FileError, match="cannot be written"):
        draw_map(tmp_path / name, _temperature(grid), grid)
    assert not list(tmp_path.iterdir())


def test_without_matplotlib_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    grid = SphereGrid.cells(8, 16)
    with pytest.raises(BackendUnavailable, match=r"mpsolve\[report\]"):
        draw_map(tmp_path / "map.png", _temperature(grid), grid)


def test_importing_the_module_does_not_import_matplotlib():
    import subprocess

    code = "import sys, mpsolve.models.earth.map_picture; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
