"""Matrix Market files: every kind that is real, and one line for everything that is not."""

import gzip
import sys

import numpy as np
import pytest

from mpsolve.errors import BackendUnavailable, FileError, FormatError, ShapeError
from mpsolve.models.matrix_files import matrix_market

pytest.importorskip("scipy", reason="reads Matrix Market files")

BANNER = "%%MatrixMarket matrix "
DENSE = BANNER + "array real general\n2 2\n1.5\n-2\n3\n4\n"

MANY = f"{BANNER}array real general\n20 20\n" + "".join(f"{1.37 * i}\n" for i in range(400))


def written(tmp_path, text, name="A.mtx"):
    path, content = tmp_path / name, text.encode()
    path.write_bytes(gzip.compress(content) if name.lower().endswith(".gz") else content)
    return path


def whole(tmp_path, text, name="A.mtx"):
    matrix = matrix_market.open_matrix(written(tmp_path, text, name))
    return matrix.block(slice(0, matrix.n), slice(0, matrix.n)).tolist()


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("coordinate real general", "2 2 3\n1 1 1.5\n2 1 -2\n2 2 1e300\n", [[1.5, 0], [-2, 1e300]]),
        ("coordinate integer general", "2 2 2\n1 2 7\n2 2 -4\n", [[0, 7], [0, -4]]),
        ("coordinate pattern general", "2 2 2\n1 2\n2 2\n", [[0, 1], [0, 1]]),
        ("coordinate real symmetric", "2 2 2\n1 1 5\n2 1 3\n", [[5, 3], [3, 0]]),
        ("coordinate pattern symmetric", "2 2 2\n1 1\n2 1\n", [[1, 1], [1, 0]]),
        ("coordinate real skew-symmetric", "2 2 1\n2 1 3\n", [[0, -3], [3, 0]]),
        ("coordinate real general", "2 2 0\n", [[0, 0], [0, 0]]),
        ("coordinate real general", "% a comment\n%\n2 2 1\n1 1 2", [[2, 0], [0, 0]]),
        ("array real general", "2 2\n1\n2\n3\n4\n", [[1, 3], [2, 4]]),
        ("array integer general", "1 1\n5", [[5]]),
        ("array real symmetric", "2 2\n1\n2\n3\n", [[1, 2], [2, 3]]),
        ("array real skew-symmetric", "2 2\n2\n", [[0, -2], [2, 0]]),
    ],
)
def test_every_real_kind_is_read(tmp_path, kind, text, expected):
    assert whole(tmp_path, f"{BANNER}{kind}\n{text}") == expected


@pytest.mark.parametrize("name", ["A.mtx.gz", "A.MTX", "A.MTX.GZ"])
def test_compressed_files_and_capital_suffixes_are_read(tmp_path, name):
    assert whole(tmp_path, DENSE, name) == [[1.5, 3], [-2, 4]]


@pytest.mark.parametrize("name", ["A.mtx", "A.mtx.gz"])
def test_a_file_of_many_entries_is_read_whole(tmp_path, name):
    values = np.random.default_rng(1).integers(-99, 99, (300, 300))
    text = f"{BANNER}array integer general\n300 300\n" + "\n".join(map(str, values.T.reshape(-1)))
    assert whole(tmp_path, text, name) == values.tolist()


def test_the_shortest_file_that_a_kind_allows_is_not_called_truncated(tmp_path):
    # A skew-symmetric matrix of single digits has fewest characters; here they are far fewer than its entries.
    text = f"{BANNER}array integer skew-symmetric\n200 200\n" + "\n".join(["1"] * (200 * 199 // 2))
    assert whole(tmp_path, text)[199][:2] == [1, 1]


def test_right_hand_sides_are_read_as_columns(tmp_path):
    column = written(tmp_path, BANNER + "array real general\n3 1\n1\n2\n3\n")
    assert matrix_market.read_vectors(column).tolist() == [1, 2, 3]
    sparse = written(tmp_path, BANNER + "coordinate real general\n3 2 1\n3 2 8\n")
    assert matrix_market.read_vectors(sparse).tolist() == [[0, 0], [0, 0], [0, 8]]


@pytest.mark.parametrize("size", ["2 3", "3 2", "0 0", "0 2"])
def test_a_matrix_that_is_not_square_is_refused(tmp_path, size):
    with pytest.raises(ShapeError, match="it must be square, with at least one row"):
        matrix_market.open_matrix(written(tmp_path, f"{BANNER}coordinate real general\n{size} 0\n"))


def test_complex_numbers_are_refused(tmp_path):
    with pytest.raises(FormatError, match="holds complex numbers; it must hold real ones"):
        matrix_market.open_matrix(written(tmp_path, BANNER + "coordinate complex general\n2 2 1\n1 1 1 2\n"))


@pytest.mark.parametrize("name", ["A.mtx", "A.mtx.gz"])
@pytest.mark.parametrize(
    "claim", ["coordinate real general\n2 2 200000", "array real general\n10000000000 10000000000",
              "array real symmetric\n4000000000 4000000000"]
)  # fmt: skip
@pytest.mark.parametrize("function", [matrix_market.open_matrix, matrix_market.read_vectors])
def test_a_header_that_claims_more_than_the_file_can_hold_is_refused(tmp_path, name, claim, function):
    with pytest.raises(FileError, match="is truncated: its header claims [0-9]+ entries, more than the file can hold"):
        function(written(tmp_path, f"{BANNER}{claim}\n1 1 1\n", name))


@pytest.mark.parametrize("size", ["10000000 10000000", "1000000000 1000000000"])
@pytest.mark.parametrize("function", [matrix_market.open_matrix, matrix_market.read_vectors])
def test_a_sparse_matrix_that_would_not_fit_into_memory_is_refused_before_it_is_taken(tmp_path, size, function):
    with pytest.raises(ShapeError, match=r"what .*A\.mtx claims to hold needs .* GiB"):
        function(written(tmp_path, f"{BANNER}coordinate real general\n{size} 1\n1 1 1\n"))


@pytest.mark.parametrize(
    "text",
    [
        "1 2 3\n",
        BANNER,
        BANNER + "coordinate real general\n",
        BANNER + "coordinate quaternion general\n2 2 1\n1 1 1\n",
        BANNER + "coordinate real general\n-2 -2 1\n1 1 1\n",
        BANNER + "coordinate real general\n1000000000000000000000000 1 1\n1 1 1\n",
        BANNER + "coordinate real general\n2 2 2\n1 1 1\n",
        BANNER + "coordinate real general\n2 2 1\n1 1 1\n2 2 2\n",
        BANNER + "coordinate real general\n2 2 1\n3 1 1\n",
        BANNER + "coordinate real general\n2 2 1\n0 1 1\n",
        BANNER + "array real general\n2 2\n1\n2\n3\n",
        BANNER + "array real general\n1 1\nhello\n",
        BANNER + "array integer general\n1 1\n99999999999999999999999999\n",
    ],
)
def test_a_text_that_makes_no_sense_is_one_line_that_names_the_file(tmp_path, text):
    path = written(tmp_path, text)
    with pytest.raises(FileError) as caught:
        matrix_market.open_matrix(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_compressed_file_that_was_cut_off_is_refused(tmp_path):
    path = written(tmp_path, MANY, "A.mtx.gz")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(FileError, match=r"A\.mtx\.gz"):
        matrix_market.open_matrix(path)


@pytest.mark.parametrize("place", [15, 25, 200, -6])
def test_a_changed_byte_in_a_compressed_file_is_found(tmp_path, place):
    path = written(tmp_path, MANY, "A.mtx.gz")
    content = bytearray(path.read_bytes())
    content[place] ^= 0xFF
    path.write_bytes(bytes(content))
    with pytest.raises(FileError, match=r"A\.mtx\.gz"):
        matrix_market.open_matrix(path)


def test_a_plain_file_with_the_suffix_of_a_compressed_one_is_refused(tmp_path):
    (tmp_path / "A.mtx.gz").write_text(DENSE)
    with pytest.raises(FileError, match="[Nn]ot a gzipped file"):
        matrix_market.open_matrix(tmp_path / "A.mtx.gz")


def test_without_scipy_the_error_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(BackendUnavailable, match=r"pip install 'mpsolve\[files\]'"):
        matrix_market.open_matrix(written(tmp_path, DENSE))
