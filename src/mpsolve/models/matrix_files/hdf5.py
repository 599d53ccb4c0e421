"""HDF5 files: a rank reads its blocks as hyperslabs."""

from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from mpsolve.errors import HDF5_DAMAGE, FileError, UnknownNameError
from mpsolve.models.matrices.base import Matrix
from mpsolve.models.matrix_files.base import as_vectors, check_kind, check_room, check_square, check_vectors, first_line

SUFFIXES = (".h5", ".hdf5")
SHARED = True

#: Names that are taken for the matrix, and for the right-hand side, where no name is given.
MATRIX_NAMES, VECTOR_NAMES = ("A", "matrix"), ("b", "rhs")


class Hdf5Matrix(Matrix):
    """A dataset of an open file.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        The dataset.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.path, self.name = path, name
        self._file = h5py.File(path, "r")
        self._dataset = dataset = _dataset(path, self._file, name)
        check_kind(path, dataset.dtype)
        self.n = check_square(path, dataset.shape)
        _check_storage(path, dataset)

    def block(self, rows: slice, columns: slice) -> NDArray[np.float64]:
        """Read a hyperslab; see `Matrix.block`.

        Raises
        ------
        FileError
            If the file is damaged there.
        """
        try:
            return self._dataset[rows, columns].astype(np.float64, copy=False)
        except HDF5_DAMAGE as problem:
            raise FileError(f"{self.path} is damaged in {self.name!r}: {first_line(problem)}") from None


def open_matrix(path: Path, dataset: str = "") -> Matrix:
    """Open a matrix; see `mpsolve.models.matrix_files.base`."""
    try:
        return Hdf5Matrix(path, dataset or _guess(path, MATRIX_NAMES, 2))
    except HDF5_DAMAGE as problem:
        raise _damaged(path, problem) from None


def read_vectors(path: Path, dataset: str = "") -> NDArray[np.float64]:
    """Read right-hand sides; see `mpsolve.models.matrix_files.base`."""
    try:
        with h5py.File(path, "r") as file:
            found = _dataset(path, file, dataset or _guess(path, VECTOR_NAMES, 0))
            check_kind(path, found.dtype)
            check_vectors(path, found.shape)
            _check_storage(path, found)
            check_room(path, found.shape)
            return as_vectors(found[()])
    except HDF5_DAMAGE as problem:
        raise _damaged(path, problem) from None


def holds_vectors(path: Path) -> bool:
    """Tell whether the file of a matrix holds its right-hand side too."""
    return any(name in VECTOR_NAMES for name in _names(path))


def _names(path: Path) -> dict[str, int]:
    """Return the datasets of a file, and how many dimensions each has."""
    found: dict[str, int] = {}

    def visit(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and item.shape is not None:
            found[name] = len(item.shape)

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    return found


def _guess(path: Path, names: tuple[str, ...], dimensions: int) -> str:
    """Return the dataset that is meant where none was named: by its name, or as the only one that can be meant."""
    found = _names(path)
    for name in names:
        if name in found:
            return name
    fitting = [name for name, count in found.items() if count == dimensions or not dimensions]
    if len(fitting) == 1:
        return fitting[0]
    raise FileError(
        f"{path} holds {'the datasets ' + ', '.join(found) if found else 'no dataset'}; name the one that is meant"
    )


def _dataset(path: Path, file: h5py.File, name: str) -> h5py.Dataset:
    """Return a dataset by its name."""
    try:
        found = file[name]
    except (KeyError, ValueError):
        found = None
    if not isinstance(found, h5py.Dataset) or found.shape is None:
        raise UnknownNameError(f"dataset in {path}", name, _names(path))
    return found


def _check_storage(path: Path, dataset: h5py.Dataset) -> None:
    """Refuse a dataset of which only the header is there: HDF5 would read zeros."""
    if dataset.is_virtual or dataset.external:
        raise FileError(f"{path} keeps {dataset.name!r} in other files, which are not followed; copy it into one file")
    if dataset.chunks is None and dataset.id.get_storage_size() < dataset.nbytes:
        raise FileError(
            f"{path} claims {dataset.nbytes} bytes in {dataset.name!r}, but holds {dataset.id.get_storage_size()}"
        )


def _damaged(path: Path, problem: Exception) -> FileError:
    return FileError(f"{path} is damaged or no HDF5 file: {first_line(problem)}")
