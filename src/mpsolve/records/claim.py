"""One owner for a run directory: two runs that write into the same one would each spoil the other's."""

import errno
import os
import socket
import time
from contextlib import suppress
from pathlib import Path

from mpsolve.errors import FileError
from mpsolve.records.disk import reason

FILE_NAME = ".lock"
#: A rank that was killed may need so long until its files are closed.
PATIENCE_S = 5.0
_ADVICE = "choose another directory with --out"
# Some network file systems have no locks: there, nobody keeps two runs apart.
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP)


class Claim:
    """The claim on a run directory, by a lock that the system takes back when the process ends, however it ends.

    Parameters
    ----------
    directory : Path
        Is there, and can be written.
    patience_s : float
        How long to wait for an owner that may be about to end.

    Raises
    ------
    FileError
        If another process, here or on another node of a file system with locks, still has it.
    """

    def __init__(self, directory: Path, patience_s: float = PATIENCE_S) -> None:
        self._path = directory / FILE_NAME
        self._handle: int | None = None
        end = time.monotonic() + patience_s
        while not self._taken():
            if time.monotonic() > end:
                raise FileError(f"{directory} is in use by {self._owner()}; wait until it ends, or {_ADVICE}")
            time.sleep(0.05)

    def release(self) -> None:
        """Give the directory back; the file goes with the claim."""
        if self._handle is None:
            return
        with suppress(OSError):
            self._path.unlink()
        os.close(self._handle)
        self._handle = None

    def _taken(self) -> bool:
        """Try to take the lock; a file that its owner has deleted meanwhile does not count."""
        import fcntl

        try:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as problem:
            raise FileError(
                f"cannot write {self._path}: {reason(problem)}; choose another directory with --out"
            ) from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            own, there = os.fstat(handle), os.stat(self._path)
            if (own.st_dev, own.st_ino) == (there.st_dev, there.st_ino):
                self._handle = handle
        except OSError as problem:
            if problem.errno in _NO_LOCKS:
                self._handle = handle
        if self._handle is None:
            os.close(handle)
            return False
        with suppress(OSError):
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
        return True

    def _owner(self) -> str:
        with suppress(OSError):
            if words := self._path.read_text("utf-8", "replace")[:200].strip():
                return words
        return "another run"
