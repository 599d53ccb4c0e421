"""What the files of a run ask of a disk: that a name changes in one go, and a reason in words where it fails."""

import os
import re
import time
from pathlib import Path

# Over a network a server may say that it is busy, or that it has lost a handle, and mean it only for a moment.
_TRIES, _PAUSE_S = 5, 0.2
_HDF5_CAUSE = re.compile(r"error message = '([^']+)'")


def rename(temporary: Path, path: Path) -> None:
    """Give a file that is written its name; a reader sees the old file or the new one, never a part.

    On a network file system the answer of a rename may get lost: the client asks again, and is told that there is no
    such file. Then the file has its name already, which is not an error.

    Parameters
    ----------
    temporary : Path
        The file, in the folder of `path`.
    path : Path
        Its name.

    Raises
    ------
    OSError
        If it could not be renamed; `temporary` may still be there.
    """
    written = os.stat(temporary)
    for number in range(_TRIES):
        try:
            os.replace(temporary, path)
            return
        except OSError:
            if _is(path, written):
                return
            if number == _TRIES - 1 or not temporary.exists():
                raise
            time.sleep(_PAUSE_S)


def reason(problem: BaseException) -> str:
    """Return why the disk refused, in a few words.

    Examples
    --------
    >>> reason(OSError(28, "No space left on device"))
    'No space left on device'
    """
    text = str(problem)
    if found := _HDF5_CAUSE.search(text):
        return found[1]
    return getattr(problem, "strerror", None) or text.partition("\n")[0] or type(problem).__name__


def _is(path: Path, written: os.stat_result) -> bool:
    """Tell whether a name leads to the file that was written."""
    try:
        found = os.stat(path)
    except OSError:
        return False
    return (found.st_dev, found.st_ino, found.st_size) == (written.st_dev, written.st_ino, written.st_size)
