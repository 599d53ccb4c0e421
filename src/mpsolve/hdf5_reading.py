"""Open HDF5 files that may be damaged or made to harm, without the one loop of the library that never ends."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import TYPE_CHECKING

from mpsolve.errors import FileError

if TYPE_CHECKING:
    import h5py

# A global heap, where strings of any length lie (HDF5 File Format Specification, section III.E): signature and version,
# three bytes, its size, and then objects: index, references, four bytes, size, and the bytes themselves, to a multiple
# of eight. Index 0 is the free space, whose size counts its own header.
_HEAP = b"GCOL\x01"
_HEAD = struct.Struct("<8xQ")
_OBJECT = struct.Struct("<HH4xQ")


def open_to_read(path: Path) -> h5py.File:
    """Open a file whose strings can be read.

    The library reads the objects of a heap one after the other, and never ends if one of them claims to be free space
    of no size, which a single damaged byte can make.

    Parameters
    ----------
    path : Path
        An HDF5 file.

    Returns
    -------
    h5py.File

    Raises
    ------
    FileError
        If a heap is damaged so.
    OSError
        If it is missing or no HDF5 file.
    """
    import h5py

    with path.open("rb") as raw:
        try:
            content = mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:
            raise OSError(f"{path} is empty") from None
        with content:
            start = content.find(_HEAP)
            while start >= 0:
                if not _ends(content, start):
                    raise FileError(f"{path} is damaged: its heap of strings at byte {start} has no end")
                start = content.find(_HEAP, start + 1)
    return h5py.File(path, "r")


def dataset_of(file: h5py.File, name: str) -> h5py.Dataset:
    """Return an array of an open file.

    Raises
    ------
    KeyError
        If there is none of that name, or it is something else, as a damaged link makes it.
    """
    import h5py

    found = file[name]
    if not isinstance(found, h5py.Dataset):
        raise KeyError(f"{name!r} is no dataset")
    return found


def _ends(content: mmap.mmap, start: int) -> bool:
    """Tell whether the objects of a heap come to an end."""
    if start + _HEAD.size > len(content):
        return True
    end = min(start + _HEAD.unpack_from(content, start)[0], len(content))
    place = start + _HEAD.size
    while place + _OBJECT.size <= end:
        index, _, size = _OBJECT.unpack_from(content, place)
        step = size if index == 0 else _OBJECT.size + (size + 7) // 8 * 8
        if step % 2**64 == 0:
            return False
        place += step
    return True
