"""Reading a surface map: every layout that is allowed, and one line for everything that is not."""

import h5py
import numpy as np
import pytest

from mpsolve.errors import FileError
from mpsolve.models.earth.grid import SphereGrid
from mpsolve.models.earth.surface import surface_fractions
from mpsolve.models.earth.surface_file import default_surface_path, read_surface

LAT = np.arange(-87.5, 90, 5.0)
LON = np.arange(-177.5, 180, 5.0)


def _land():
    """A land map with a different value in every cell."""
    return np.linspace(0, 100, LAT.size * LON.size).reshape(LAT.size, LON.size)


def _write(path, **datasets):
    """Write datasets to an HDF5 file; the coordinates and the land map are there unless replaced or set to None."""
    content = {"lat": LAT, "lon": LON, "land_fraction": _land()} | datasets
    with h5py.File(path, "w") as file:
        for name, values in content.items():
            if values is not None:
                file[name] = values
    return path


def _fractions(path):
    """Land on a grid other than that of the file."""
    return surface_fractions(read_surface(path), SphereGrid.cells(16, 32)).land


def test_the_shipped_map_is_the_whole_earth_at_a_quarter_degree():
    surface = read_surface(default_surface_path())
    assert surface.land_percent.shape == (720, 1440)


@pytest.mark.parametrize(
    "layout",
    [
        {"lat": LAT[::-1], "land_fraction": _land()[::-1]},
        {"lon": LON[::-1], "land_fraction": _land()[:, ::-1]},
        {"lon": LON + 180, "land_fraction": np.roll(_land(), 36, axis=1)},
        {"lat": LAT.astype(">f4"), "lon": LON.astype("f4"), "land_fraction": _land().astype(">f8")},
    ],
    ids=["north first", "east first", "0 to 360", "single precision and big-endian"],
)
def test_every_layout_gives_the_same_surface(tmp_path, layout):
    plain = _fractions(_write(tmp_path / "plain.h5"))
    # These coordinates are exact in single precision, so only the order of the sums differs.
    assert np.abs(_fractions(_write(tmp_path / "other.h5", **layout)) - plain).max() <= 1e-12


def test_nodes_with_poles_are_read_with_half_height_caps(tmp_path):
    lat, lon = np.linspace(90, -90, 65), np.arange(128) * 2.8125 - 180
    path = _write(tmp_path / "nodes.h5", lat=lat, lon=lon, land_fraction=None, surface_class=np.full((65, 128), 3))
    edges = np.rad2deg(read_surface(path).lat_edges)
    assert edges[1] - edges[0] == pytest.approx(180 / 128)


def test_a_meridian_given_twice_counts_once(tmp_path):
    lon = np.linspace(0, 360, 73)
    path = _write(tmp_path / "twice.h5", lon=lon, land_fraction=np.zeros((36, 73)))
    assert read_surface(path).land_percent.shape == (36, 72)


def test_albedo_is_read(tmp_path):
    path = _write(tmp_path / "albedo.h5", albedo=np.full((36, 72), 0.3))
    assert read_surface(path).albedo[0, 0] == 0.3


def test_classes_are_used_when_both_are_there(tmp_path):
    path = _write(tmp_path / "both.h5", surface_class=np.full((36, 72), 6))
    assert read_surface(path).land_percent is None


def _replaced(value):
    """The land map with one value replaced."""
    land = _land()
    land[3, 4] = value
    return land


BAD = {
    "no map": ({"land_fraction": None}, r"neither 'land_fraction' nor 'surface_class' but 'lat', 'lon'"),
    "no lat": ({"lat": None}, r"'lat' is missing; the file has 'land_fraction', 'lon'"),
    "no lon": ({"lon": None}, r"'lon' is missing"),
    "wrong shape": ({"land_fraction": np.zeros((36, 71))}, r"'land_fraction' has shape \(36, 71\).*\(36, 72\)"),
    "transposed": ({"land_fraction": _land().T}, r"shape \(72, 36\).*\(lat, lon\) = \(36, 72\)"),
    "three axes": ({"land_fraction": _land()[None]}, r"shape \(1, 36, 72\)"),
    "scalar": ({"land_fraction": 3.0}, r"shape \(\)"),
    "NaN": ({"land_fraction": _replaced(np.nan)}, r"'land_fraction' has nan at lat -72.5, lon -157.5.*0 to 100"),
    "infinite": ({"land_fraction": _replaced(np.inf)}, r"has inf at"),
    "above 100": ({"land_fraction": _replaced(100.5)}, r"has 100.5 at lat -72.5.*percent from 0 to 100"),
    "negative": ({"land_fraction": _replaced(-1)}, r"has -1.0 at"),
    "fraction, not percent": ({"land_fraction": _land() / 100}, r"no value above 1; allowed: percent"),
    "class 9": ({"surface_class": np.full((36, 72), 9)}, r"'surface_class' has 9 at.*codes 1 to 8"),
    "class 1.5": ({"surface_class": np.full((36, 72), 1.5)}, r"'surface_class' has 1.5 at"),
    "albedo above 1": ({"albedo": np.full((36, 72), 30.0)}, r"'albedo' has 30.0 at.*0 to 1"),
    "albedo NaN": ({"albedo": np.full((36, 72), np.nan)}, r"'albedo' has nan"),
    "text": ({"land_fraction": b"land"}, r"'land_fraction' is of type object; .*integers or floating-point"),
    "lat not monotonic": ({"lat": np.roll(LAT, 1)}, r"'lat' is not monotonic"),
    "lon not monotonic": ({"lon": np.roll(LON, 36)}, r"'lon' is not monotonic"),
    "lat NaN": ({"lat": np.where(LAT > 80, np.nan, LAT)}, r"'lat' has nan; allowed: degrees from -90 to 90"),
    "lat beyond the pole": ({"lat": LAT + 10}, r"'lat' has 92.5"),
    "lon beyond 360": ({"lon": LON + 400}, r"'lon' has 362.5"),
    "half the globe": ({"lat": LAT / 2}, r"'lat' runs from -43.75 to 43.75; allowed: a map of the globe"),
    "half the circle": ({"lon": LON / 2}, r"'lon' runs from -88.75 to 88.75; allowed: a map of the globe"),
    "more than a turn": ({"lon": np.linspace(-180, 355, 72)}, r"'lon' runs from -180 to 355"),
    "two rows": ({"lat": np.array([-45.0, 45.0]), "land_fraction": np.zeros((2, 72))}, r"'lat' has shape \(2,\)"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_content_is_refused_in_one_line(tmp_path, case):
    datasets, message = BAD[case]
    path = _write(tmp_path / "bad.h5", **datasets)
    with pytest.raises(FileError, match=message) as caught:
        read_surface(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileError, match=r"nowhere\.h5: no such file"):
        read_surface(tmp_path / "nowhere.h5")


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(FileError, match="not a file"):
        read_surface(tmp_path)


@pytest.mark.parametrize("content", [b"", b"lat,lon,land\n", bytes(5000)], ids=["empty", "csv", "zeros"])
def test_another_kind_of_file_is_refused(tmp_path, content):
    path = tmp_path / "not.h5"
    path.write_bytes(content)
    with pytest.raises(FileError, match="cannot be read as HDF5"):
        read_surface(path)


@pytest.mark.parametrize("kept", [0.02, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(tmp_path, kept):
    path = tmp_path / "truncated.h5"
    whole = default_surface_path().read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(FileError, match="cannot be read as HDF5"):
        read_surface(path)


def test_damaged_data_are_refused(tmp_path):
    path = tmp_path / "damaged.h5"
    with h5py.File(path, "w") as file:
        file["lat"], file["lon"] = LAT, LON
        file.create_dataset("land_fraction", data=_land(), compression="gzip", chunks=(36, 72))
        offset = file["land_fraction"].id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    content[offset : offset + 200] = bytes(200)
    path.write_bytes(content)
    with pytest.raises(FileError, match="cannot be read as HDF5"):
        read_surface(path)


@pytest.mark.parametrize("name", ["lat", "land_fraction"])
def test_a_huge_dataset_is_refused_before_it_takes_memory(tmp_path, name):
    path = _write(tmp_path / "huge.h5", **{name: None})
    with h5py.File(path, "a") as file:
        shape = (10**6,) if name == "lat" else (10**6, 10**6)
        file.create_dataset(name, shape=shape, dtype="f8", chunks=(1000,) * len(shape))
    # Memory of 8 TB for the map is not there: any attempt to read it would fail in another way than this.
    with pytest.raises(FileError, match=rf"'{name}' has shape \(1000000,.*(2161|\(2161, 4321\))"):
        read_surface(path)


def test_a_group_in_place_of_a_dataset_is_refused(tmp_path):
    path = _write(tmp_path / "group.h5", lat=None)
    with h5py.File(path, "a") as file:
        file.create_group("lat")
    with pytest.raises(FileError, match="'lat' is a group"):
        read_surface(path)
