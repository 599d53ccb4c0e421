"""HDF5 files are read in hyperslabs, and what only a header claims is refused."""

import h5py
import numpy as np
import pytest

from mpsolve.errors import FileError, FormatError, MpsolveError, ShapeError, UnknownNameError
from mpsolve.models.matrix_files import hdf5

A = np.arange(49.0).reshape(7, 7) - 20
B = np.arange(7.0)


def written(tmp_path, **datasets):
    path = tmp_path / "system.h5"
    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            file[name.replace("__", "/")] = values
    return path


def made(tmp_path, **options):
    """Write a file with one dataset, made with options of h5py."""
    path = tmp_path / "system.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("A", **options)
    return path


@pytest.mark.parametrize(
    "options",
    [{}, {"chunks": (2, 3)}, {"compression": "gzip"}, {"dtype": "f4"}, {"dtype": ">f8"}, {"dtype": "i2"}],
    ids=["contiguous", "chunks", "compressed", "float32", "big-endian", "integers"],
)
def test_blocks_are_read_from_every_layout_and_type(tmp_path, options):
    matrix = hdf5.open_matrix(made(tmp_path, data=A, **options))
    assert matrix.n == 7
    block = matrix.block(slice(2, 5), slice(1, 7))
    assert block.dtype == np.float64
    assert np.array_equal(block, A[2:5, 1:7])
    assert matrix.block(slice(2, 2), slice(1, 7)).shape == (0, 6)


@pytest.mark.parametrize("dataset", ["", "groups/stiffness", "/groups/stiffness"])
def test_the_only_matrix_need_not_be_named(tmp_path, dataset):
    path = written(tmp_path, groups__stiffness=A, x=B)
    assert hdf5.open_matrix(path, dataset).n == 7


@pytest.mark.parametrize("name", hdf5.MATRIX_NAMES)
def test_a_usual_name_is_taken_for_the_matrix(tmp_path, name):
    path = written(tmp_path, **{name: A, "other": np.eye(3)})
    assert hdf5.open_matrix(path).n == 7
    assert hdf5.open_matrix(path, "other").n == 3


@pytest.mark.parametrize("name", hdf5.VECTOR_NAMES)
def test_a_usual_name_is_taken_for_the_right_hand_side(tmp_path, name):
    path = written(tmp_path, A=A, **{name: B})
    assert hdf5.holds_vectors(path)
    assert np.array_equal(hdf5.read_vectors(path), B)


def test_right_hand_sides_are_read_in_their_shape(tmp_path):
    path = written(tmp_path, A=A, loads=np.arange(14, dtype="i4").reshape(7, 2))
    assert not hdf5.holds_vectors(path)
    found = hdf5.read_vectors(path, "loads")
    assert found.dtype == np.float64
    assert found.shape == (7, 2)


def test_a_choice_that_is_open_is_refused_with_the_names_there_are(tmp_path):
    path = written(tmp_path, P=A, Q=A)
    for function in (hdf5.open_matrix, hdf5.read_vectors):
        with pytest.raises(FileError, match="holds the datasets P, Q; name the one that is meant"):
            function(path)
    with pytest.raises(FileError, match="holds no dataset"):
        hdf5.open_matrix(written(tmp_path))


@pytest.mark.parametrize("name", ["b", "group", "dangling", "group/none", "A/below"])
def test_a_name_that_is_no_dataset_is_refused_with_those_that_are(tmp_path, name):
    path = written(tmp_path, A=A, group__inner=A)
    with h5py.File(path, "a") as file:
        file["dangling"] = h5py.SoftLink("/nowhere")
    for function in (hdf5.open_matrix, hdf5.read_vectors):
        with pytest.raises(UnknownNameError, match=f"'{name}'; there are: A, group/inner"):
            function(path, name)


@pytest.mark.parametrize("shape", [(2, 3), (4,), (0, 0), (2, 2, 2), ()])
def test_a_matrix_that_is_not_square_is_refused(tmp_path, shape):
    with pytest.raises(ShapeError, match="it must be square, with at least one row"):
        hdf5.open_matrix(written(tmp_path, A=np.zeros(shape)))


def test_a_dataset_without_a_shape_is_refused(tmp_path):
    with pytest.raises(MpsolveError):
        hdf5.open_matrix(written(tmp_path, A=h5py.Empty("f8")), "A")


@pytest.mark.parametrize("values", [A + 1j, A.astype(np.longdouble), np.full((2, 2), b"text"), [["a", "b"]] * 2])
def test_what_fp64_does_not_hold_is_refused(tmp_path, values):
    path = written(tmp_path, A=values)
    for function in (hdf5.open_matrix, hdf5.read_vectors):
        with pytest.raises(FormatError, match="it must hold real numbers of at most 64 bits"):
            function(path, "A")


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(tmp_path, fraction):
    path = written(tmp_path, A=np.random.default_rng(1).random((50, 50)))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * fraction)])
    for function in (hdf5.open_matrix, hdf5.read_vectors):
        with pytest.raises(FileError, match=r"system\.h5 is damaged or no HDF5 file"):
            function(path)


def test_a_dataset_of_which_only_the_header_was_written_is_refused(tmp_path):
    # HDF5 would read zeros.
    path = made(tmp_path, shape=(7, 7), dtype="f8")
    for function in (hdf5.open_matrix, hdf5.read_vectors):
        with pytest.raises(FileError, match="claims 392 bytes in '/A', but holds 0"):
            function(path, "A")


def test_numbers_in_other_files_are_not_followed(tmp_path):
    (tmp_path / "secret").write_bytes(b"\0" * 392)
    path = made(tmp_path, shape=(7, 7), dtype="f8", external=[(str(tmp_path / "secret"), 0, 392)])
    with pytest.raises(FileError, match="keeps '/A' in other files"):
        hdf5.open_matrix(path)
    layout = h5py.VirtualLayout((7, 7), "f8")
    layout[:] = h5py.VirtualSource(str(tmp_path / "none.h5"), "A", (7, 7))
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("A", layout)
    with pytest.raises(FileError, match="keeps '/A' in other files"):
        hdf5.open_matrix(path)


def test_right_hand_sides_larger_than_the_memory_are_refused_before_it_is_taken(tmp_path):
    path = made(tmp_path, shape=(10**14,), dtype="f8", chunks=(10**4,))
    with pytest.raises(ShapeError, match=r"what .*system\.h5 claims to hold needs .* GiB"):
        hdf5.read_vectors(path, "A")


def test_a_damaged_chunk_is_found_when_it_is_read(tmp_path):
    values = np.random.default_rng(1).random((64, 64))
    path = made(tmp_path, data=values, chunks=(64, 64), compression="gzip", fletcher32=True)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))
    matrix = hdf5.open_matrix(path)
    with pytest.raises(FileError, match=r"system\.h5 is damaged in 'A'"):
        matrix.block(slice(0, 64), slice(0, 64))
