"""steps.jsonl: one line per step or refinement, written as it happens."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from mpsolve.errors import FileError
from mpsolve.records.plain import to_line, without_gaps

FILE_NAME = "steps.jsonl"

# No row is longer: it has a few numbers and names.
LONGEST_LINE = 1 << 20


class StepLog:
    """Appends rows to ``steps.jsonl``; each is on disk when `append` returns, so that a kill loses none.

    Parameters
    ----------
    path : Path or None
        The file, created now or added to; None on ranks other than 0, where every call does nothing.

    Raises
    ------
    FileError
        If the file cannot be created, or later written.
    """

    def __init__(self, path: Path | None):
        self.path = path
        #: Gives the joules of the counters that rank 0 reads since the work began, by scope; None if there are none.
        self.joules_so_far: Callable[[], dict[str, float] | None] = lambda: None
        self._start = time.perf_counter()
        self._file: TextIO | None = None
        if path is not None:
            try:
                self._file = path.open("a", encoding="utf-8")
            except OSError as problem:
                raise _cannot_write(path, problem) from None

    def append(
        self,
        *,
        step: int,
        time: float | None = None,
        wall_s: float | None = None,
        residual: float | None = None,
        format: str | None = None,
        escalations: int = 0,
        joules: dict[str, float] | None = None,
        kind: str = "step",
        **more: Any,
    ) -> None:
        """Write one row; local, does nothing on ranks other than 0.

        Parameters
        ----------
        step : int
            Number of the time step or solve.
        time : float, optional
            Time in the model, in the model's unit.
        wall_s : float, optional
            Seconds since the log was opened; measured here if left out.
        residual : float, optional
            Relative FP64 residual. NaN and infinities are written as null with the reason in ``reasons``.
        format : str, optional
            Name of the format in use.
        escalations : int
            Escalations along the ladder so far.
        joules : dict, optional
            Joules so far by scope; asked of `joules_so_far` if left out.
        kind : str
            ``"step"``, or ``"refinement"`` for one outer iteration of a solve.
        **more
            Anything else the row should hold.
        """
        if self._file is None or self.path is None:
            return
        joules = self.joules_so_far() if joules is None else joules
        row = {"kind": kind, "step": step, "time": time, "wall_s": self._elapsed() if wall_s is None else wall_s}
        row |= {"residual": residual, "format": format, "escalations": escalations, "joules": joules, **more}
        values, reasons = without_gaps(row, {})
        try:
            self._file.write(to_line(values | ({"reasons": reasons} if reasons else {})) + "\n")
            self._file.flush()
        except OSError as problem:
            raise _cannot_write(self.path, problem) from None

    def close(self) -> None:
        """Close the file; further rows are dropped."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _elapsed(self) -> float:
        return round(time.perf_counter() - self._start, 6)


def read_steps(path: Path) -> list[dict[str, Any]]:
    """Read the rows of a ``steps.jsonl``.

    Parameters
    ----------
    path : Path
        The file; one that does not exist has no rows.

    Returns
    -------
    list of dict
        One per line. A last line that a kill has torn is left out.

    Raises
    ------
    FileError
        If the file cannot be read, or a line before the last is no JSON object.
    """
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    except OSError as problem:
        raise FileError(f"cannot read {path}: {problem.strerror}") from None
    rows = [_row(line) for line in lines]
    if rows and rows[-1] is None:
        rows.pop()
    if None in rows:
        raise FileError(f"{path}, line {rows.index(None) + 1}: not a JSON object; the file is damaged")
    return [row for row in rows if row is not None]


def torn(path: Path) -> str:
    """Return in words that the last line of a ``steps.jsonl`` is torn, as a kill leaves it; empty if it is whole.

    Raises
    ------
    FileError
        If the file is there and cannot be read.
    """
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LONGEST_LINE))
            lines = file.read().splitlines()
    except FileNotFoundError:
        return ""
    except OSError as problem:
        raise FileError(f"cannot read {path}: {problem.strerror}") from None
    return f"the last line of {path.name} is torn, and left out" if lines and _row(lines[-1]) is None else ""


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _cannot_write(path: Path, problem: OSError) -> FileError:
    return FileError(f"cannot write {path}: {problem.strerror}; choose another directory with --out")
