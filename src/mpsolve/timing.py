"""Seconds spent in the phases of a computation."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter


class Stopwatch:
    """Adds up seconds by phase on one rank.

    Attributes
    ----------
    seconds : dict of str to float
        By the name of the phase, in the order in which they first ended.

    Examples
    --------
    >>> watch = Stopwatch()
    >>> with watch("update"):
    ...     pass
    >>> list(watch.seconds)
    ['update']
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        """Count the time of a ``with`` block under a phase; blocks must not be nested."""
        start = perf_counter()
        try:
            yield
        finally:
            self.seconds[phase] = self.seconds.get(phase, 0.0) + perf_counter() - start
