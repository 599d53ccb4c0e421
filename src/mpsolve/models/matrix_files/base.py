"""The contract of a reader of matrix files, and the choice of a reader by the suffix of a file.

A reader is a module with ``SUFFIXES``, ``SHARED`` (whether every rank can read its own blocks from the file), and two
functions: ``open_matrix(path, dataset)`` returns a `Matrix`, ``read_vectors(path, dataset)`` an array of shape (n,) or
(n, k), in FP64. ``dataset`` names what to read in files that hold several things, and is empty otherwise. Both check
what the header claims against the file before memory is taken, and raise `FileError`, `ShapeError`, `FormatError` or
`UnknownNameError`. Where a matrix and its right-hand side may lie in one file, ``holds_vectors(path)`` tells whether
they do. NaN and infinity are read as they are; who uses the numbers checks them.
"""

import math
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from mpsolve import lookup
from mpsolve.errors import FileError, FormatError, ShapeError
from mpsolve.parallel.alone import Alone
from mpsolve.parallel.memory import check_memory

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm

FOLDER = "models.matrix_files"


def suffixes() -> dict[str, str]:
    """Return the name of the reader of each suffix."""
    readers = {name: lookup.find(FOLDER, name) for name in lookup.names(FOLDER)}
    return {suffix: name for name, reader in readers.items() for suffix in reader.SUFFIXES}


def reader_of(path: Path) -> ModuleType:
    """Return the reader of a file.

    Raises
    ------
    FileError
        If there is no such file, or no reader for its suffix.
    """
    known = suffixes()
    for suffix in sorted(known, key=len, reverse=True):
        if path.name.lower().endswith(suffix):
            if not path.is_file():
                raise FileError(
                    f"cannot read {path}: {'it is a directory' if path.is_dir() else 'there is no such file'}"
                )
            return lookup.find(FOLDER, known[suffix])
    raise FileError(f"cannot read {path}: its suffix must be one of {', '.join(sorted(known))}")


def check_kind(path: Path, dtype: np.dtype) -> None:
    """Refuse numbers that FP64 does not hold."""
    if dtype.kind not in "fiub" or dtype.itemsize > 8:
        raise FormatError(f"{path} holds {dtype} values; it must hold real numbers of at most 64 bits")


def check_square(path: Path, shape: tuple[int, ...]) -> int:
    """Return the size of a square matrix; refuse any other shape."""
    if len(shape) != 2 or shape[0] != shape[1] or shape[0] < 1:
        raise ShapeError(f"the matrix in {path} has shape {tuple(shape)}; it must be square, with at least one row")
    return int(shape[0])


def check_vectors(path: Path, shape: tuple[int, ...]) -> None:
    """Refuse what is neither a vector nor a few of them side by side."""
    if len(shape) not in (1, 2) or min(shape) < 1:
        raise ShapeError(f"the right-hand side in {path} has shape {tuple(shape)}; it must be (n,) or (n, k)")


def check_room(path: Path, shape: tuple[int, ...]) -> None:
    """Refuse numbers that do not fit into memory in FP64: a small file may claim very many (local)."""
    check_memory(cast("Intracomm", Alone()), 8 * math.prod(map(int, shape)), f"what {path} claims to hold")


def first_line(problem: Exception) -> str:
    """Return the first line of what another library says about a file."""
    return next(iter(str(problem).splitlines()), type(problem).__name__)


def as_vectors(values: NDArray) -> NDArray[np.float64]:
    """Return vectors in FP64."""
    return np.asarray(values, np.float64)
