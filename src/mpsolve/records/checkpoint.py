"""Checkpoints: what a run needs to go on, in one HDF5 file with a checksum for each block; local, for rank 0."""

from __future__ import annotations

import json
import os
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpsolve.errors import HDF5_DAMAGE, FileError
from mpsolve.hdf5_reading import dataset_of, open_to_read
from mpsolve.records.disk import reason
from mpsolve.records.hdf5_draft import HDF5Draft

#: Checkpoints of a run that are kept: the newest, and one before it in case that is damaged.
KEPT = 2
#: Bytes that share a checksum.
BLOCK_BYTES = 1 << 20
#: The largest checkpoint that is read, and the largest text with numbers; a damaged file may claim anything.
LARGEST_BYTES, LARGEST_TEXT = 1 << 44, 1 << 24
VERSION = 1
_NAME = re.compile(r"checkpoint-(\d{1,18})\.h5")


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What was saved.

    Attributes
    ----------
    path : Path
        The file.
    step : int
        Steps that were done.
    arrays : dict
        Global arrays by name.
    numbers : dict
        Everything else, as JSON holds it; floats are exact.
    matrices : dict
        Of matrices that are read block by block: the number of their blocks along each axis, the side of a block, and
        the type, by name.
    """

    path: Path
    step: int
    arrays: dict[str, NDArray[Any]]
    numbers: dict[str, Any]
    matrices: dict[str, tuple[tuple[int, int], int, np.dtype[Any]]] = field(default_factory=dict)

    @contextmanager
    def blocks(self, name: str) -> Iterator[Callable[[int, int], NDArray[Any]]]:
        """Open a matrix; what is given reads the block of a row and a column of blocks.

        Raises
        ------
        FileError
            If it can no longer be read.
        """
        try:
            with open_to_read(self.path) as file:
                dataset = dataset_of(file, f"blocks/{name}")
                yield lambda row, column: dataset[row, column]
        except HDF5_DAMAGE as error:
            raise FileError(f"{self.path} cannot be read any more: {error}") from None


def save(directory: Path, step: int, arrays: Mapping[str, NDArray[Any]], numbers: Mapping[str, Any]) -> Path:
    """Write a checkpoint, and delete those before the last but one; a reader sees a whole file or none.

    Parameters
    ----------
    directory : Path
        The run directory.
    step : int
        Steps that are done; names the file.
    arrays : mapping
        Arrays of numbers by name.
    numbers : mapping
        What JSON can hold.

    Raises
    ------
    FileError
        If it cannot be written; the checkpoints before it are still there.
    """
    return Draft(directory, step, arrays, numbers).finish()


class Draft:
    """A checkpoint that is being written, under a temporary name, until it is finished.

    Parameters as those of `save`. After an error nothing of it is left, and the checkpoints before it are still there.

    Raises
    ------
    FileError
        If it cannot be written.
    """

    def __init__(
        self, directory: Path, step: int, arrays: Mapping[str, NDArray[Any]], numbers: Mapping[str, Any]
    ) -> None:
        self.path = directory / f"checkpoint-{step:012d}.h5"
        self._draft: HDF5Draft | None = None
        self._sums: dict[str, NDArray[np.uint32]] = {}
        with self._careful():
            self._draft = HDF5Draft(self.path, libver=("earliest", "v110"))
            self._file = self._draft.file
            text = json.dumps(numbers, default=_plain_number)
            self._file.attrs.update({"version": VERSION, "step": step, "crc32": zlib.crc32(text.encode())})
            self._file.create_dataset("numbers", data=np.frombuffer(text.encode(), np.uint8))
            self._file.create_group("arrays")
            for name, values in arrays.items():
                held = np.ascontiguousarray(values)
                self._file.create_dataset(f"arrays/{name}", data=held)
                self._file.create_dataset(f"checksums/{name}", data=_checksums(held))

    def block_matrix(self, name: str, shape: tuple[int, int], side: int, dtype: np.dtype[Any]) -> None:
        """Make room for a matrix that comes in ``shape`` square blocks of a side, one by one."""
        with self._careful():
            self._file.create_dataset(f"blocks/{name}", (*shape, side, side), dtype)
        self._sums[name] = np.zeros(shape, np.uint32)

    def write_block(self, name: str, row: int, column: int, block: NDArray[Any]) -> None:
        """Write a block; one that is smaller than the others is filled up with zeros."""
        with self._careful():
            target = self._file[f"blocks/{name}"]
            whole = np.zeros(target.shape[2:], target.dtype)
            whole[: block.shape[0], : block.shape[1]] = block
            target[row, column] = whole
        self._sums[name][row, column] = zlib.crc32(whole.data)

    def finish(self) -> Path:
        """Bring it to the disk under its name, and delete those before the last but one."""
        with self._careful():
            for name, sums in self._sums.items():
                self._file.create_dataset(f"checksums/{name}", data=sums)
            assert self._draft is not None
            self._draft.finish()
            _flush_folder(self.path.parent)
        for old in _files(self.path.parent)[KEPT:]:
            old.unlink(missing_ok=True)
        return self.path

    def discard(self) -> None:
        """Leave nothing of it."""
        if self._draft is not None:
            self._draft.discard()

    @contextmanager
    def _careful(self) -> Iterator[None]:
        try:
            yield
            if self._draft is not None:
                self._draft.check()
        except (OSError, RuntimeError) as problem:
            self.discard()
            raise FileError(
                f"cannot write {self.path}: {reason(problem)}; the checkpoints before it are kept"
            ) from None


def newest(directory: Path, say: Callable[[str], None]) -> Checkpoint | None:
    """Return the newest checkpoint of a run directory that is whole, None if there is none.

    Parameters
    ----------
    directory : Path
        The run directory.
    say : callable
        Told of each damaged one that was skipped.
    """
    for path in _files(directory):
        try:
            return load(path)
        except FileError as problem:
            say(f"skipped a damaged checkpoint: {problem}")
    return None


def load(path: Path) -> Checkpoint:
    """Read a checkpoint and check every block of it.

    Raises
    ------
    FileError
        If it is missing, damaged, or not one of ours.
    """
    try:
        size = path.stat().st_size
        with open_to_read(path) as file:
            return _read(path, file, size)
    except FileError:
        raise
    except HDF5_DAMAGE as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FileError(f"{path} cannot be read as a checkpoint: {reason}") from None


def numbers_of(path: Path) -> dict[str, Any]:
    """Return the numbers of a checkpoint, or of the newest of a run directory that has them; empty if there are none.

    Nothing else of the file is read.
    """
    for one in [path] if path.is_file() else _files(path):
        with suppress(FileError, *HDF5_DAMAGE), open_to_read(one) as file:
            return _numbers(one, file, one.stat().st_size)
    return {}


def _numbers(path: Path, file: Any, size: int) -> dict[str, Any]:
    if int(file.attrs.get("version", 0)) != VERSION:
        raise FileError(f"{path} is no checkpoint of this version of mpsolve")
    numbers: Any = dataset_of(file, "numbers")
    if numbers.dtype != np.uint8 or numbers.ndim != 1 or numbers.size > min(LARGEST_TEXT, size):
        raise FileError(f"{path} is damaged: its numbers are no text")
    text = bytes(numbers[()])
    if zlib.crc32(text) != int(file.attrs["crc32"]):
        raise FileError(f"{path} is damaged: the checksum of its numbers differs")
    return json.loads(text)


def _read(path: Path, file: Any, size: int) -> Checkpoint:
    numbers, arrays = _numbers(path, file, size), {}
    names, blocked = _members(file["arrays"]), _members(file["blocks"]) if "blocks" in file else []
    if {*names, *blocked} != set(_members(file["checksums"]) if "checksums" in file else ()):
        raise FileError(f"{path} is damaged: its arrays are not those that have checksums")
    for name in names:
        values, wanted = (_sized(path, file, f"{kind}/{name}", size)[()] for kind in ("arrays", "checksums"))
        if not np.array_equal(_checksums(values), wanted):
            raise FileError(f"{path} is damaged: a checksum of array {name!r} differs")
        arrays[name] = values
    matrices = {name: _checked_blocks(path, file, name, size) for name in blocked}
    return Checkpoint(path, int(file.attrs["step"]), arrays, numbers, matrices)


def _members(group: Any) -> list[str]:
    """Return the names in a group."""
    if not hasattr(group, "keys"):
        raise KeyError(f"{group.name!r} is no group")
    return list(group.keys())


def _sized(path: Path, file: Any, name: str, size: int) -> Any:
    """Return an array that is not larger than the file: what a file claims to hold must be in it."""
    dataset = dataset_of(file, name)
    if dataset.chunks is not None or dataset.size * dataset.dtype.itemsize > min(size, LARGEST_BYTES):
        raise FileError(f"{path} is damaged: array {name!r} is larger than the file")
    return dataset


def _checked_blocks(path: Path, file: Any, name: str, size: int) -> tuple[tuple[int, int], int, np.dtype[Any]]:
    """Check every block of a matrix, one by one; return how many there are, their side and type."""
    dataset, wanted = _sized(path, file, f"blocks/{name}", size), _sized(path, file, f"checksums/{name}", size)[()]
    if dataset.ndim != 4 or dataset.shape[2] != dataset.shape[3] or wanted.shape != dataset.shape[:2]:
        raise FileError(f"{path} is damaged: {name!r} is no matrix of blocks")
    for row, column in np.ndindex(wanted.shape):
        if zlib.crc32(np.ascontiguousarray(dataset[row, column]).data) != wanted[row, column]:
            raise FileError(f"{path} is damaged: the checksum of block ({row}, {column}) of {name!r} differs")
    return (dataset.shape[0], dataset.shape[1]), dataset.shape[2], dataset.dtype


def _plain_number(value: Any) -> Any:
    """Return a NumPy number as Python's."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a checkpoint cannot hold {type(value).__name__}")


def _checksums(values: NDArray[Any]) -> NDArray[np.uint32]:
    """Return the CRC-32 of each block of the bytes of an array."""
    held = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
    blocks = range(0, held.size, BLOCK_BYTES)
    return np.array([zlib.crc32(held[start : start + BLOCK_BYTES].data) for start in blocks], np.uint32)


def _files(directory: Path) -> list[Path]:
    """Return the checkpoints of a folder, the newest first."""
    try:
        found = [path for path in directory.iterdir() if _NAME.fullmatch(path.name)]
    except OSError:
        return []
    return sorted(found, key=lambda path: int(path.name[11:-3]), reverse=True)


def _flush_folder(directory: Path) -> None:
    """Bring the new name to the disk, where the system lets a folder be opened."""
    try:
        handle = os.open(directory, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)
