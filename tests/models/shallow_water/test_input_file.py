"""Files with CF names, as xarray writes them: read in any orientation, and refused with what is wrong."""

import h5py
import numpy as np
import pytest

from mpsolve.errors import FileError
from mpsolve.models.shallow_water.geometry import plane, sphere
from mpsolve.models.shallow_water.input_file import read_ground, read_state
from mpsolve.models.shallow_water.problems.base import RADIUS_M, ROTATION_PER_S

SHAPE = (12, 24)
GLOBE = sphere(SHAPE, RADIUS_M, ROTATION_PER_S)
VALUES = np.random.default_rng(0).uniform(0, 1000, SHAPE)


def written(path, *, flip=False, turn=0, names=("topo", "surface_altitude"), units="m", **changes):
    """Write a map of the globe, from north to south or from another meridian on."""
    lat, lon = np.degrees(GLOBE.y), np.degrees(np.roll(GLOBE.x, turn))
    lon = np.where(lon > 180, lon - 360, lon) if turn else lon
    values = np.roll(changes.get("values", VALUES), turn, axis=1)
    with h5py.File(path, "w") as file:
        file["lat"], file["lon"] = (lat[::-1] if flip else lat), lon + changes.get("shift", 0.0)
        file["lat"].attrs["units"], file["lon"].attrs["units"] = "degrees_north", changes.get("degrees", "degrees_east")
        file[names[0]] = (values[::-1] if flip else values)[None]
        file[names[0]].attrs["standard_name"] = np.bytes_(names[1])
        file[names[0]].attrs["units"] = units
    return path


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("turn", [0, 12, 5])
def test_the_orientation_of_a_map_does_not_matter(tmp_path, flip, turn):
    found = read_ground(written(tmp_path / "a.nc", flip=flip, turn=turn), GLOBE)
    assert np.array_equal(found, VALUES)


def test_a_state_is_found_by_its_names(tmp_path):
    path = written(tmp_path / "a.nc", names=("ssh", "sea_surface_height"))
    with h5py.File(path, "a") as file:
        for name, factor in (("u", 2.0), ("v", 3.0)):
            file[name] = factor * VALUES
            file[name].attrs["units"] = "m s-1"
    height, east, north = read_state(path, GLOBE)
    assert np.array_equal(height, VALUES) and np.array_equal(east, 2 * VALUES) and np.array_equal(north, 3 * VALUES)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"names": ("topo", "air_temperature")}, "has no variable with standard name or name surface_altitude"),
        ({"units": "km"}, "'topo' has units 'km'; it must be in m"),
        ({"degrees": "m"}, "'lon' has units 'm'; it must be in degrees"),
        ({"shift": 4.0}, "the columns are not those of the grid"),
        ({"values": np.where(VALUES[3, 4] == VALUES, np.nan, VALUES)}, "no number in row 3, column 4"),
        ({"values": VALUES.astype("S8")}, "must hold numbers"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, changes, said):
    with pytest.raises(FileError, match=said):
        read_ground(written(tmp_path / "a.nc", **changes), GLOBE)


def test_another_grid_is_refused_with_both_shapes(tmp_path):
    with pytest.raises(FileError, match=r"'lat' has shape \(12,\); the grid has \(6,\)"):
        read_ground(written(tmp_path / "a.nc"), sphere((6, 24), RADIUS_M, ROTATION_PER_S))
    with pytest.raises(FileError, match="it must be in m"):
        read_ground(written(tmp_path / "a.nc"), plane(SHAPE, (1e6, 1e6), 1e-4, 0.0, walls=False))


def test_packed_numbers_are_unpacked_and_missing_ones_seen(tmp_path):
    path = written(tmp_path / "a.nc", values=np.rint(VALUES).astype(np.int16))
    with h5py.File(path, "a") as file:
        file["topo"].attrs.update({"scale_factor": 0.5, "add_offset": 100.0})
    assert np.array_equal(read_ground(path, GLOBE), np.rint(VALUES) * 0.5 + 100.0)
    with h5py.File(path, "a") as file:
        file["topo"].attrs["_FillValue"] = np.int16(np.rint(VALUES[2, 3]))
    with pytest.raises(FileError, match="no number in row"):
        read_ground(path, GLOBE)


def test_variables_at_other_places_or_with_axes_in_turn_are_refused(tmp_path):
    path = written(tmp_path / "a.nc")
    with h5py.File(path, "a") as file:
        file["lon_edge"] = file["lon"][()] - 7.5
        for name in ("lat", "lon", "lon_edge"):
            file[name].make_scale(name)
        file["topo"].dims[1].attach_scale(file["lat"])
        file["topo"].dims[2].attach_scale(file["lon_edge"])
    with pytest.raises(FileError, match="the columns of 'topo' lie at 'lon_edge'; they must lie at 'lon'"):
        read_ground(path, GLOBE)
    with h5py.File(path, "a") as file:
        file["topo"].dims[2].detach_scale(file["lon_edge"])
        file["topo"].dims[2].attach_scale(file["lon"])
    assert np.array_equal(read_ground(path, GLOBE), VALUES)


def test_no_file_and_no_hdf5_are_named(tmp_path):
    with pytest.raises(FileError, match="no such file"):
        read_ground(tmp_path / "none.nc", GLOBE)
    (tmp_path / "text.nc").write_text("CDF")
    with pytest.raises(FileError, match="cannot be read as HDF5"):
        read_ground(tmp_path / "text.nc", GLOBE)
