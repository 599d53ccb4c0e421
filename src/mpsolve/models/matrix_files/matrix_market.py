"""Matrix Market files, by SciPy: text that one rank reads whole."""

import gzip
import io
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpsolve.errors import BackendUnavailable, FileError, FormatError
from mpsolve.models.array_matrix import ArrayMatrix
from mpsolve.models.matrices.base import Matrix
from mpsolve.models.matrix_files.base import as_vectors, check_room, check_square, check_vectors, first_line

SUFFIXES = (".mtx", ".mtx.gz")
SHARED = False

#: What SciPy raises on a text that it cannot read, and the decompression on bytes.
BAD_TEXT = (ValueError, EOFError, OverflowError, zlib.error)

#: Fewest characters that an entry takes in a file: of a dense matrix a digit and a line end, of a sparse one two
#: indices, a space and a line end. A compressed file may be smaller by the largest factor that the format reaches
#: (Deutsch, RFC 1951: 258 characters for 2 bits).
DENSE_CHARACTERS, SPARSE_CHARACTERS, COMPRESSION = 2, 4, 1032


def open_matrix(path: Path, dataset: str = "") -> Matrix:
    """Read a matrix; see `mpsolve.models.matrix_files.base`."""
    shape = _header(path)
    check_square(path, shape)
    # A sparse matrix becomes a dense one, which may be very much larger than the file.
    check_room(path, shape)
    return ArrayMatrix(_read(path))


def read_vectors(path: Path, dataset: str = "") -> NDArray[np.float64]:
    """Read right-hand sides; see `mpsolve.models.matrix_files.base`."""
    shape = _header(path)
    check_vectors(path, shape)
    check_room(path, shape)
    values = as_vectors(_read(path))
    return values[:, 0] if values.shape[1] == 1 else values


def _header(path: Path) -> tuple[int, int]:
    """Return the shape, after a look whether the file is long enough for what its header claims."""
    try:
        rows, columns, entries, kind, field, symmetry = _ask("mminfo", path)
    except OSError as problem:
        raise FileError(f"cannot read {path}: {problem.strerror or problem}") from None
    except BAD_TEXT as problem:
        raise FileError(f"{path} is no Matrix Market file: {first_line(problem)}") from None
    if field == "complex":
        raise FormatError(f"{path} holds complex numbers; it must hold real ones")
    rows, columns, characters = int(rows), int(columns), SPARSE_CHARACTERS
    if kind == "array":
        # A skew-symmetric one is shortest: only what is below the diagonal is written.
        entries, characters = rows * columns if symmetry == "general" else rows * (rows - 1) // 2, DENSE_CHARACTERS
    most = path.stat().st_size * (COMPRESSION if _compressed(path) else 1)
    # The last line end may be missing.
    if int(entries) * characters - 1 > most:
        raise FileError(f"{path} is truncated: its header claims {entries} entries, more than the file can hold")
    return rows, columns


def _read(path: Path) -> NDArray[np.float64]:
    try:
        values = _ask("mmread", path)
    except (OSError, *BAD_TEXT) as problem:
        raise FileError(f"{path} is damaged: {first_line(problem)}") from None
    dense = values.toarray() if hasattr(values, "toarray") else values
    return np.asarray(dense, np.float64)


def _compressed(path: Path) -> bool:
    return path.name.lower().endswith(".gz")


def _ask(function: str, path: Path) -> Any:
    """Call a function of SciPy on the text of a file."""
    try:
        import scipy.io
    except ImportError:
        raise BackendUnavailable("Matrix Market files need SciPy: pip install 'mpsolve[files]'") from None
    # SciPy itself knows a compressed file by its suffix in lower case alone.
    with gzip.open(path) if _compressed(path) else path.open("rb") as text:
        return getattr(scipy.io, function)(_Ended(text))


class _Ended(io.RawIOBase):
    """A text with a line end behind it and no zero byte: SciPy's reader may crash on a number that ends with either."""

    def __init__(self, text: Any) -> None:
        self._text, self._over = text, False

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        given = self._text.read(size)
        if b"\0" in given:
            raise ValueError("it holds a zero byte, which no text does")
        if given or self._over:
            return given
        self._over = True
        return b"\n"
