"""HDF5 files whose heap of strings was damaged are refused: the library would read them for ever."""

import struct

import h5py
import pytest

from mpsolve.errors import FileError
from mpsolve.hdf5_reading import open_to_read


@pytest.fixture
def path(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = 1.0
        file["x"].attrs["units"] = "kelvin"
        file["x"].attrs["long_name"] = "temperature"
    return tmp_path / "a.h5"


def test_strings_of_a_whole_file_are_read(path):
    with open_to_read(path) as file:
        assert file["x"].attrs["units"] == "kelvin"


@pytest.mark.parametrize("header", [struct.pack("<HHIQ", 0, 0, 0, 0), struct.pack("<HHIQ", 1, 0, 0, 2**64 - 16)])
def test_a_heap_without_an_end_is_refused(path, header):
    content = bytearray(path.read_bytes())
    heap = content.find(b"GCOL")
    content[heap + 16 : heap + 32] = header
    path.write_bytes(content)
    with pytest.raises(FileError, match=f"damaged: its heap of strings at byte {heap} has no end"):
        open_to_read(path)


@pytest.mark.parametrize("content", [b"", b"GCOL\x01", b"GCOL\x01" + b"\xff" * 40])
def test_what_is_no_hdf5_is_an_error_of_the_system(path, content):
    path.write_bytes(content)
    with pytest.raises(OSError):
        open_to_read(path)
