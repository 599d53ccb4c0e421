"""Matrix Market files, by SciPy: text that one rank reads whole."""

import gzip
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from mpsolve.errors import BackendUnavailable, FileError, FormatError, ShapeError
from mpsolve.models.array_matrix import ArrayMatrix
from mpsolve.models.matrices.base import Matrix
from mpsolve.models.matrix_files.base import as_vectors, check_square, check_vectors
from mpsolve.parallel.alone import Alone
from mpsolve.parallel.memory import check_memory

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm

SUFFIXES = (".mtx", ".mtx.gz")
SHARED = False

#: Fewest characters that an entry takes in a file: of a dense matrix a digit and a line end, of a sparse one two
#: indices too. A compressed file may be smaller by the largest factor that the format reaches.
DENSE_CHARACTERS, SPARSE_CHARACTERS, COMPRESSION = 2, 4, 1032


def open_matrix(path: Path, dataset: str = "") -> Matrix:
    """Read a matrix; see `mpsolve.models.matrix_files.base`."""
    rows, columns = _header(path)
    n = check_square(path, (rows, columns))
    # A sparse matrix becomes a dense one, which may be very much larger than the file.
    check_memory(cast("Intracomm", Alone()), 8 * n * n, f"the matrix in {path}")
    return ArrayMatrix(_read(path))


def read_vectors(path: Path, dataset: str = "") -> NDArray[np.float64]:
    """Read right-hand sides; see `mpsolve.models.matrix_files.base`."""
    check_vectors(path, _header(path))
    values = as_vectors(_read(path))
    return values[:, 0] if values.shape[1] == 1 else values


def _scipy_io() -> Any:
    try:
        import scipy.io
    except ImportError:
        raise BackendUnavailable("Matrix Market files need SciPy: pip install 'mpsolve[files]'") from None
    return scipy.io


def _header(path: Path) -> tuple[int, int]:
    """Return the shape, after a look whether the file is long enough for what its header claims."""
    io = _scipy_io()
    try:
        rows, columns, entries, kind, field, _ = io.mminfo(path)
    except OSError as problem:
        raise FileError(f"cannot read {path}: {problem.strerror or problem}") from None
    except (ValueError, EOFError, gzip.BadGzipFile) as problem:
        raise FileError(f"{path} is no Matrix Market file: {str(problem).splitlines()[0]}") from None
    if field == "complex":
        raise FormatError(f"{path} holds complex numbers; it must hold real ones")
    characters = DENSE_CHARACTERS if kind == "array" else SPARSE_CHARACTERS
    most = path.stat().st_size * (COMPRESSION if path.suffix == ".gz" else 1)
    if int(entries) * characters // 2 > most:
        raise FileError(f"{path} is truncated: its header claims {entries} entries, more than the file can hold")
    if kind != "array" and int(rows) != int(columns) and min(rows, columns) < 1:
        raise ShapeError(f"the matrix in {path} has shape {(rows, columns)}")
    return int(rows), int(columns)


def _read(path: Path) -> NDArray[np.float64]:
    try:
        values = _scipy_io().mmread(path)
    except (ValueError, OSError, EOFError, OverflowError, gzip.BadGzipFile) as problem:
        raise FileError(f"{path} is damaged: {str(problem).splitlines()[0]}") from None
    dense = values.toarray() if hasattr(values, "toarray") else values
    return np.asarray(dense, np.float64)
