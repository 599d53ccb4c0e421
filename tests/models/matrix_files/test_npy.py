"""NumPy's files are mapped, and a header is believed only as far as the file goes."""

import pickle
import struct

import numpy as np
import pytest

from mpsolve.errors import FileError, FormatError, ShapeError
from mpsolve.models.matrix_files import npy

HEADER = "{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}\n"


def saved(tmp_path, values):
    path = tmp_path / "A.npy"
    np.save(path, values)
    return path


def written(tmp_path, header, body=b"", version=1):
    """Write a file with any header."""
    path, text = tmp_path / "A.npy", header.encode("latin1")
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    path.write_bytes(b"\x93NUMPY" + bytes([version, 0]) + length + text + body)
    return path


@pytest.mark.parametrize("kind", ["float64", "float32", "float16", ">f8", "int32", "uint8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_matrix_of_real_numbers_is_read_block_by_block(tmp_path, kind, order):
    values = np.asarray(np.arange(49).reshape(7, 7), kind, order)
    matrix = npy.open_matrix(saved(tmp_path, values))
    assert matrix.n == 7
    block = matrix.block(slice(2, 5), slice(1, 7))
    assert block.dtype == np.float64
    assert np.array_equal(block, values[2:5, 1:7])


def test_fp64_is_mapped_and_not_read(tmp_path):
    # The file has 80 GB of holes, which no rank could take.
    n = 10**5
    path = written(tmp_path, HEADER.format("<f8", (n, n)))
    with path.open("r+b") as file:
        try:
            file.truncate(path.stat().st_size + 8 * n * n)
        except OSError:
            pytest.skip("the file system has no files with holes")
    assert not npy.open_matrix(path).block(slice(n - 2, n), slice(n - 2, n)).any()


def test_the_file_cannot_be_changed_through_the_matrix(tmp_path):
    block = npy.open_matrix(saved(tmp_path, np.eye(2))).block(slice(0, 2), slice(0, 2))
    with pytest.raises(ValueError, match="read-only"):
        block[0, 0] = 5


@pytest.mark.parametrize("shape", [(5,), (5, 1), (5, 3)])
@pytest.mark.parametrize("kind", ["float64", "float32", "int64"])
def test_right_hand_sides_are_read_in_their_shape(tmp_path, shape, kind):
    values = np.arange(np.prod(shape)).reshape(shape).astype(kind)
    found = npy.read_vectors(saved(tmp_path, values))
    assert found.dtype == np.float64
    assert found.shape == shape
    assert np.array_equal(found, values)


@pytest.mark.parametrize("shape", [(2, 3), (4,), (0, 0), (2, 2, 2), ()])
def test_a_matrix_that_is_not_square_is_refused(tmp_path, shape):
    with pytest.raises(ShapeError, match="it must be square, with at least one row"):
        npy.open_matrix(saved(tmp_path, np.zeros(shape)))


@pytest.mark.parametrize("shape", [(0,), (3, 0), (2, 2, 2), ()])
def test_what_is_no_right_hand_side_is_refused(tmp_path, shape):
    with pytest.raises(ShapeError, match=r"it must be \(n,\) or \(n, k\)"):
        npy.read_vectors(saved(tmp_path, np.zeros(shape)))


@pytest.mark.parametrize("kind", ["complex128", "<U4", "longdouble", "datetime64[s]", [("a", "f8")]])
@pytest.mark.parametrize("function", [npy.open_matrix, npy.read_vectors])
def test_what_fp64_does_not_hold_is_refused(tmp_path, kind, function):
    with pytest.raises(FormatError, match=r"A\.npy holds .*; it must hold real numbers of at most 64 bits"):
        function(saved(tmp_path, np.zeros((2, 2), kind)))


class Trap:
    """Notes that it was unpickled."""

    def __reduce__(self):
        return pytest.fail, ("the pickle was read",)


@pytest.mark.parametrize("function", [npy.open_matrix, npy.read_vectors])
def test_objects_are_never_unpickled(tmp_path, function):
    body = pickle.dumps(np.array([[Trap()]], object))
    with pytest.raises(FileError, match="holds Python objects, which are never read"):
        function(written(tmp_path, HEADER.format("|O", (1, 1)), body))
    (tmp_path / "A.npy").write_bytes(body)
    with pytest.raises(FileError, match=r"damaged or no \.npy file"):
        function(tmp_path / "A.npy")


@pytest.mark.parametrize("shape", [(2, 2), (10**11, 10**11), (3, 3)])
@pytest.mark.parametrize("function", [npy.open_matrix, npy.read_vectors])
def test_a_header_that_claims_more_than_the_file_has_is_refused(tmp_path, shape, function):
    path = written(tmp_path, HEADER.format("<f8", shape), b"\0" * 31)
    with pytest.raises(FileError, match=f"truncated: .* needs {8 * shape[0] * shape[1]} bytes, 31 are there"):
        function(path)


@pytest.mark.parametrize("length", range(0, 150, 7))
def test_a_file_cut_off_anywhere_is_refused(tmp_path, length):
    path = saved(tmp_path, np.eye(3))
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(FileError, match=r"A\.npy is (truncated|damaged)"):
        npy.open_matrix(path)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "{",
        "\0\0\0",
        "(" * 9000,
        "-" * 9000 + "1",
        "[" * 60000,
        "__import__('os').abort()",
        "{'descr': '<f8', 'fortran_order': False}",
        "{'descr': '<f8', 'fortran_order': 3, 'shape': (2, 2)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2.0, 2.0)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': 4}",
        "{'descr': 'nonsense', 'fortran_order': False, 'shape': (2, 2)}",
        "{'descr': ['<f8'], 'fortran_order': False, 'shape': (2, 2)}",
    ],
    ids=lambda header: header[:40].replace("\0", "0") or "empty",
)
def test_a_header_that_makes_no_sense_is_one_line(tmp_path, header):
    with pytest.raises(FileError, match=r"A\.npy is damaged or no \.npy file") as caught:
        npy.open_matrix(written(tmp_path, header, b"\0" * 32))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("shape", ["(-2, -2)", "(True, -1)"])
def test_negative_extents_are_refused(tmp_path, shape):
    with pytest.raises(ShapeError, match="it must be square"):
        npy.open_matrix(written(tmp_path, HEADER.format("<f8", shape), b"\0" * 32))


def test_the_second_version_of_the_format_is_read_and_later_ones_are_not(tmp_path):
    text = HEADER.format("<f8", (2, 2))
    assert npy.open_matrix(written(tmp_path, text, b"\0" * 32, version=2)).n == 2
    with pytest.raises(FileError, match=r"version 3\.0 of the format is not known"):
        npy.open_matrix(written(tmp_path, text, b"\0" * 32, version=3))
