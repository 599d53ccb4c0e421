"""A file's suffix chooses its reader, and every reader refuses what is not there."""

import pytest

from mpsolve import lookup
from mpsolve.errors import FileError
from mpsolve.models.matrix_files.base import FOLDER, first_line, reader_of, suffixes

READERS = [lookup.find(FOLDER, name) for name in lookup.names(FOLDER)]
SUFFIXES = sorted(suffixes())


def test_every_reader_keeps_the_contract():
    for reader in READERS:
        assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in reader.SUFFIXES)
        assert isinstance(reader.SHARED, bool)
        assert callable(reader.open_matrix)
        assert callable(reader.read_vectors)


def test_no_suffix_has_two_readers():
    assert len(SUFFIXES) == sum(len(reader.SUFFIXES) for reader in READERS)
    assert {".npy", ".h5", ".hdf5", ".mtx", ".mtx.gz"} <= set(SUFFIXES)


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".NPY"])
def test_the_suffix_in_any_case_chooses_the_reader(tmp_path, suffix):
    path = tmp_path / f"A.of.points{suffix}"
    path.touch()
    assert suffix.lower() in reader_of(path).SUFFIXES


@pytest.mark.parametrize("name", ["A.txt", "A", "A.gz", "npy", "A.npz"])
def test_another_suffix_is_refused_with_those_that_there_are(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(FileError, match=r"its suffix must be one of \.h5, \.hdf5, \.mtx, \.mtx\.gz, \.npy"):
        reader_of(tmp_path / name)


def test_a_file_that_is_not_there_and_a_folder_are_refused_by_name(tmp_path):
    with pytest.raises(FileError, match=r"cannot read .*A\.npy: there is no such file"):
        reader_of(tmp_path / "A.npy")
    (tmp_path / "B.npy").mkdir()
    with pytest.raises(FileError, match=r"cannot read .*B\.npy: it is a directory"):
        reader_of(tmp_path / "B.npy")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "content", [b"", b"\0", b"\x80\x04K\x01.", bytes(range(256)) * 16], ids=["empty", "a zero", "a pickle", "noise"]
)
@pytest.mark.parametrize("function", ["open_matrix", "read_vectors"])
def test_what_is_no_such_file_at_all_is_one_line_that_names_it(tmp_path, suffix, content, function):
    if suffix.startswith(".mtx"):
        pytest.importorskip("scipy", reason="reads Matrix Market files")
    path = tmp_path / f"A{suffix}"
    path.write_bytes(content)
    with pytest.raises(FileError) as caught:
        getattr(reader_of(path), function)(path, "")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_message_without_text_is_named_by_its_kind():
    assert first_line(MemoryError()) == "MemoryError"
    assert first_line(ValueError("one\ntwo")) == "one"
