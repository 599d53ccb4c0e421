"""fields.h5: what was written is read back, other tools find coordinates, damage is an error."""

import os

import h5py
import numpy as np
import pytest

from mpsolve.errors import FileError, ShapeError, UnknownNameError
from mpsolve.records.fields import list_fields, read_fields, read_plane, write_fields

LAT = np.linspace(-60.0, 60.0, 3)
LON = np.arange(4) * 90.0
TEMPERATURE = np.arange(12.0).reshape(3, 4) - 5


def earth():
    return {
        "temperature": (TEMPERATURE, "K", {"dimensions": ("lat", "lon"), "long_name": "annual mean"}),
        "lat": (LAT, "degrees_north", {"long_name": "latitude"}),
        "lon": (LON, "degrees_east", {}),
    }


@pytest.fixture
def path(tmp_path):
    write_fields(tmp_path / "fields.h5", earth(), {"app": "climate", "config": {"grid": [3, 4]}})
    return tmp_path / "fields.h5"


def test_fields_come_back_bit_for_bit_with_units_and_names(path):
    fields, _ = read_fields(path)
    array, units, attributes = fields["temperature"]
    assert array.dtype == TEMPERATURE.dtype
    assert array.tobytes() == TEMPERATURE.tobytes()
    assert (units, attributes) == ("K", {"dimensions": ("lat", "lon"), "long_name": "annual mean"})


def test_the_long_name_is_the_name_unless_given(path):
    assert read_fields(path, ["lon"])[0]["lon"][2]["long_name"] == "lon"


def test_attributes_of_the_file_come_back_and_nested_ones_as_json(path):
    assert read_fields(path, [])[1] == {"app": "climate", "config": '{"grid": [3, 4]}'}


def test_fields_keep_the_order_in_which_they_were_written(tmp_path):
    names = ["zeta", "beta", "alpha"]
    write_fields(tmp_path / "f.h5", {name: (np.zeros(2), "1", {}) for name in names}, {})
    assert list(list_fields(tmp_path / "f.h5")) == names


def test_coordinates_are_dimension_scales_for_other_tools(path):
    with h5py.File(path) as file:
        assert [axis[0].name for axis in file["temperature"].dims] == ["/lat", "/lon"]
        assert file["lat"].is_scale


def test_the_file_can_be_read_by_hdf5_1_10(path):
    # Versions of the superblock up to 3 are known to HDF5 1.10 (HDF5 file format specification, section II.A).
    assert path.read_bytes()[8] <= 3


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64, np.float32, np.float16])
def test_storage_types_survive(tmp_path, dtype):
    values = np.arange(6).astype(dtype)
    write_fields(tmp_path / "f.h5", {"values": (values, "1", {})}, {})
    assert read_fields(tmp_path / "f.h5")[0]["values"][0].dtype == dtype


@pytest.mark.parametrize("dimensions", [("lat", "depth"), ("lon", "lat"), ("lat",)])
def test_dimensions_that_do_not_fit_are_an_error(tmp_path, dimensions):
    fields = earth()
    fields["temperature"][2]["dimensions"] = dimensions
    with pytest.raises(ShapeError, match="field 'temperature' has shape"):
        write_fields(tmp_path / "f.h5", fields, {})
    assert os.listdir(tmp_path) == []


def test_a_directory_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileError, match=r"cannot write .*f\.h5: No such file or directory"):
        write_fields(tmp_path / "gone" / "f.h5", earth(), {})


def test_a_failing_write_leaves_the_old_file_and_nothing_else(path, monkeypatch):
    before = path.read_bytes()

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(FileError, match="No space left"):
        write_fields(path, earth(), {})
    assert os.listdir(path.parent) == ["fields.h5"]
    assert path.read_bytes() == before


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(FileError, match="there is no such file"):
        read_fields(tmp_path / "f.h5")


@pytest.mark.parametrize("keep", [0, 4, 100, 2000])
def test_a_truncated_file_is_an_error(path, keep):
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(FileError, match="damaged or no HDF5 file"):
        read_fields(path)


def test_an_unknown_field_lists_those_that_are_there(path):
    with pytest.raises(UnknownNameError, match="unknown field 'temprature'; there are: temperature, lat, lon"):
        read_fields(path, ["temprature"])


def test_a_file_that_claims_more_than_allowed_is_refused_before_memory_is_taken(tmp_path):
    # A dataset without allocated storage takes no room on disk but 8 TiB when read.
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file.create_dataset("bomb", shape=(2**40,), dtype="f8", chunks=(2**20,))
    with pytest.raises(FileError, match="more than the 8589934592 allowed"):
        read_fields(tmp_path / "f.h5")


def test_what_is_no_field_is_passed_over(tmp_path):
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file["text"] = "hello"
        file["empty"] = h5py.Empty("f8")
        file.create_group("group")
        file["lost"] = h5py.SoftLink("/nowhere")
        file["values"] = np.ones(2)
    assert list(list_fields(tmp_path / "f.h5")) == ["values"]


def test_the_plane_of_a_2d_field_is_the_field(path):
    array, units, attributes = read_plane(path, "temperature")
    assert array.tolist() == TEMPERATURE.tolist()
    assert (units, attributes["dimensions"], attributes["plane"]) == ("K", ("lat", "lon"), "")


def test_the_plane_of_a_3d_field_is_the_middle_one(tmp_path):
    values = np.arange(5 * 2 * 3).reshape(5, 2, 3)
    write_fields(tmp_path / "f.h5", {"u": (values, "K", {})}, {})
    array, _, attributes = read_plane(tmp_path / "f.h5", "u")
    assert array.tolist() == values[2].tolist()
    assert attributes["plane"] == "axis 0 index 2"
