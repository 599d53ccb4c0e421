"""NumPy's own files: mapped into memory, so that a rank reads its blocks and no more."""

import math
from pathlib import Path
from tokenize import TokenError
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from mpsolve.errors import FileError
from mpsolve.models.array_matrix import ArrayMatrix
from mpsolve.models.matrices.base import Matrix
from mpsolve.models.matrix_files.base import as_vectors, check_kind, check_square, check_vectors, first_line

SUFFIXES = (".npy",)
SHARED = True

#: What NumPy raises on a header that it cannot read; the last two, on brackets in brackets in brackets.
BAD_HEADER = (ValueError, TypeError, KeyError, SyntaxError, EOFError, TokenError, RecursionError, MemoryError)


def open_matrix(path: Path, dataset: str = "") -> Matrix:
    """Open a matrix; see `mpsolve.models.matrix_files.base`."""
    shape, order, dtype, start = _header(path)
    check_kind(path, dtype)
    check_square(path, shape)
    return ArrayMatrix(_mapped(path, dtype, start, shape, order))


def read_vectors(path: Path, dataset: str = "") -> NDArray[np.float64]:
    """Read right-hand sides; see `mpsolve.models.matrix_files.base`."""
    shape, order, dtype, start = _header(path)
    check_kind(path, dtype)
    check_vectors(path, shape)
    return as_vectors(_mapped(path, dtype, start, shape, order))


def _mapped(path: Path, dtype: np.dtype, start: int, shape: tuple[int, ...], order: Any) -> NDArray[Any]:
    try:
        return np.memmap(path, dtype, "r", start, shape, order)
    except (OSError, ValueError) as problem:
        raise FileError(f"cannot map {path} into memory: {first_line(problem)}") from None


def _header(path: Path) -> tuple[tuple[int, ...], Any, np.dtype, int]:
    """Return shape, order, type and start of the numbers, after a look whether they are all there."""
    try:
        with path.open("rb") as file:
            claim, fortran, dtype = _parse(file)
            shape = tuple(map(int, claim))
            start, size = file.tell(), path.stat().st_size
    except OSError as problem:
        raise FileError(f"cannot read {path}: {problem.strerror}") from None
    except BAD_HEADER as problem:
        raise FileError(f"{path} is damaged or no .npy file: {first_line(problem)}") from None
    if dtype.hasobject:
        raise FileError(f"{path} holds Python objects, which are never read; save numbers with numpy.save")
    claimed = dtype.itemsize * math.prod(shape)
    if start + claimed > size:
        raise FileError(
            f"{path} is truncated: shape {shape} of {dtype} needs {claimed} bytes, {size - start} are there"
        )
    return shape, "F" if fortran else "C", dtype, start


def _parse(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = npy_format.read_magic(file)
    if version == (1, 0):
        return npy_format.read_array_header_1_0(file)
    if version == (2, 0):
        return npy_format.read_array_header_2_0(file)
    raise ValueError(f"version {version[0]}.{version[1]} of the format is not known")
