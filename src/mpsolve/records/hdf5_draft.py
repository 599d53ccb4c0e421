"""An HDF5 file that is being written, on a disk that may fail at any moment."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any

from mpsolve.records.disk import rename


class HDF5Draft:
    """A new HDF5 file under a temporary name, until it is finished.

    Parameters
    ----------
    path : Path
        The name that it gets.
    **options
        Those of ``h5py.File``.

    Attributes
    ----------
    file : h5py.File
        Open for writing.

    Raises
    ------
    OSError
        If the file cannot be made; `finish` raises what the disk refused later.
    """

    def __init__(self, path: Path, **options: Any) -> None:
        import h5py

        self._path = path
        self._temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        self._sink = _Sink(self._temporary)
        self.file: Any = h5py.File(self._sink, "w", **options)

    def finish(self) -> None:
        """Bring it to the disk and give it its name.

        Raises
        ------
        OSError
            The first that was met since the file was made; nothing of it is left then.
        """
        try:
            self.file.close()
            self._sink.close()
            rename(self._temporary, self._path)
        except BaseException:
            self.discard()
            raise

    def check(self) -> None:
        """Raise what the disk has refused so far, if anything."""
        if self._sink.problem is not None:
            raise self._sink.problem

    def discard(self) -> None:
        """Leave nothing of it."""
        with suppress(OSError, RuntimeError):
            self.file.close()
        with suppress(OSError):
            self._sink.close()
        self._temporary.unlink(missing_ok=True)


class _Sink:
    """Where HDF5 writes: it is never told of a failure, because the library crashes at its end after one.

    The first failure is kept, and what is written after it is lost; so is the file.
    """

    def __init__(self, path: Path) -> None:
        self._raw = path.open("x+b", buffering=0)
        self.problem: BaseException | None = None

    def seek(self, place: int, whence: int = os.SEEK_SET) -> int:
        return self._raw.seek(place, whence)

    def tell(self) -> int:
        return self._raw.tell()

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        done = 0
        try:
            while done < len(view) and self.problem is None:
                done += self._raw.write(view[done:]) or 0
        except BaseException as problem:
            self.problem = problem
        return len(view)

    def read(self, size: int) -> bytes:
        return self._raw.read(size) or b""

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        held = self._raw.readinto(view) or 0
        view[held:] = bytes(len(view) - held)
        return len(view)

    def truncate(self, size: int) -> int:
        try:
            return self._raw.truncate(size)
        except BaseException as problem:
            self.problem = self.problem or problem
            return size

    def flush(self) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        """Bring what was written to the disk; raise the first failure."""
        if self._raw.closed:
            return
        try:
            if self.problem is not None:
                raise self.problem
            os.fsync(self._raw.fileno())
        finally:
            self._raw.close()
