"""A live line on a terminal, or a log line now and then with the time that is left."""

import sys
import time
from typing import TextIO


class Progress:
    """Reports how far a run has come; on one rank only.

    Parameters
    ----------
    active : bool
        False on ranks that keep silent.
    total : int
        Steps of the run; 0 if that is not known beforehand.
    label : str
        What is counted.
    seconds : float
        Least time between two lines of a log; a terminal is refreshed ten times a second.
    stream : file, optional
        Standard error by default.
    """

    def __init__(self, active: bool, total: int, label: str, seconds: float, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stderr
        self.active, self.total, self.label = active, total, label
        self.live = active and self.stream.isatty()
        self.interval = 0.1 if self.live else seconds
        self._start = self._last = time.monotonic()

    def update(self, done: int, note: str = "") -> None:
        """Report ``done`` steps, if it is time for it."""
        now = time.monotonic()
        if not self.active or now - self._last < self.interval:
            return
        self._last = now
        text = f"{self.label} {done}" + (f"/{self.total}" if self.total else "")
        if self.total and done:
            text += f"  {self._clock((now - self._start) / done * (self.total - done))} left"
        text += f"  {note}" if note else ""
        self.stream.write(f"\r{text:<78.78}" if self.live else text + "\n")
        self.stream.flush()

    def close(self) -> None:
        """Clear the live line."""
        if self.live:
            self.stream.write("\r" + " " * 78 + "\r")
            self.stream.flush()

    @staticmethod
    def _clock(seconds: float) -> str:
        minutes, rest = divmod(int(seconds), 60)
        return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
