"""Checkpoints: what a run needs to go on, in one HDF5 file with a checksum for each block; local, for rank 0."""

from __future__ import annotations

import json
import os
import re
import secrets
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpsolve.errors import HDF5_DAMAGE, FileError

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
    """

    path: Path
    step: int
    arrays: dict[str, NDArray[Any]]
    numbers: dict[str, Any]


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
    import h5py

    path = directory / f"checkpoint-{step:012d}.h5"
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with h5py.File(temporary, "x", libver=("earliest", "v110")) as file:
            text = json.dumps(numbers, default=_plain_number)
            file.attrs.update({"version": VERSION, "step": step, "crc32": zlib.crc32(text.encode())})
            file.create_dataset("numbers", data=np.frombuffer(text.encode(), np.uint8))
            for name, values in arrays.items():
                held = np.ascontiguousarray(values)
                file.create_dataset(f"arrays/{name}", data=held)
                file.create_dataset(f"checksums/{name}", data=_checksums(held))
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
        _flush_folder(directory)
    except (OSError, RuntimeError) as problem:
        temporary.unlink(missing_ok=True)
        reason = getattr(problem, "strerror", None) or str(problem).splitlines()[0]
        raise FileError(f"cannot write {path}: {reason}; the checkpoints before it are kept") from None
    for old in _files(directory)[KEPT:]:
        old.unlink(missing_ok=True)
    return path


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
    import h5py

    try:
        size = path.stat().st_size
        with h5py.File(path, "r") as file:
            return _read(path, file, size)
    except FileError:
        raise
    except HDF5_DAMAGE as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FileError(f"{path} cannot be read as a checkpoint: {reason}") from None


def _read(path: Path, file: Any, size: int) -> Checkpoint:
    import h5py

    if int(file.attrs.get("version", 0)) != VERSION:
        raise FileError(f"{path} is no checkpoint of this version of mpsolve")
    numbers = file["numbers"]
    if numbers.dtype != np.uint8 or numbers.ndim != 1 or numbers.size > min(LARGEST_TEXT, size):
        raise FileError(f"{path} is damaged: its numbers are no text")
    text = bytes(numbers[()])
    if zlib.crc32(text) != int(file.attrs["crc32"]):
        raise FileError(f"{path} is damaged: the checksum of its numbers differs")
    arrays = {}
    for name, dataset in file["arrays"].items():
        if not isinstance(dataset, h5py.Dataset):
            raise FileError(f"{path} is damaged: array {name!r} is none")
        # What a file claims to hold must be in it, so that a damaged one takes no memory.
        if dataset.chunks is not None or dataset.size * dataset.dtype.itemsize > min(size, LARGEST_BYTES):
            raise FileError(f"{path} is damaged: array {name!r} is larger than the file")
        values, wanted = dataset[()], file[f"checksums/{name}"][()]
        if not np.array_equal(_checksums(values), wanted):
            raise FileError(f"{path} is damaged: a checksum of array {name!r} differs")
        arrays[name] = values
    return Checkpoint(path, int(file.attrs["step"]), arrays, json.loads(text))


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
