"""Work counts of a run: flops, bytes, messages and reductions, per phase and per number format."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field


@dataclass
class Counts:
    """Work of one phase in one format, summed over the ranks that counted it."""

    flops: int = 0
    bytes: int = 0
    messages: int = 0
    message_bytes: int = 0
    reductions: int = 0


@dataclass
class Ledger:
    """Counters that an app passes down and every layer adds to; local to a rank until `merged`.

    Attributes
    ----------
    counts : dict
        Phase, then format, to the work.
    seconds : dict
        Phase to the time since `start_clock`: work is added when it is done, and what passed since the work before is
        the time of its phase. Empty where no clock was started.
    """

    counts: dict[str, dict[str, Counts]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict, compare=False)
    _mark: float | None = field(default=None, compare=False, repr=False)
    _silent: bool = field(default=False, compare=False, repr=False)

    def start_clock(self) -> None:
        """Measure the time of each phase from now on."""
        self.seconds, self._mark = {}, time.perf_counter()

    def stop_clock(self) -> None:
        """Leave the times as they are."""
        self._mark = None

    def add(self, phase: str, format_name: str, **work: int) -> None:
        """Add work to a phase.

        Parameters
        ----------
        phase : str
            For instance ``"inner"``, ``"residual"``, ``"halo"``.
        format_name : str
            The number format the work was done or stored in.
        **work : int
            Any of ``flops``, ``bytes``, ``messages``, ``message_bytes``, ``reductions``.
        """
        if self._silent:
            return
        try:
            counts = self.counts[phase][format_name]
        except KeyError:
            counts = self.counts.setdefault(phase, {}).setdefault(format_name, Counts())
        # One call per kernel: the attributes are reached directly, at a third of the time that getattr takes.
        totals = vars(counts)
        for name, amount in work.items():
            if name not in totals:
                raise AttributeError(f"there is no work of the kind {name!r}; there are: {', '.join(totals)}")
            totals[name] += int(amount)
        if self._mark is not None:
            now = time.perf_counter()
            self.seconds[phase] = self.seconds.get(phase, 0.0) + now - self._mark
            self._mark = now

    @contextmanager
    def silence(self) -> Iterator[None]:
        """Count nothing inside: for work whose counts are known as a whole."""
        self._silent = True
        try:
            yield
        finally:
            self._silent = False

    def absorb(self, other: dict[str, dict[str, dict[str, int]]]) -> None:
        """Add the counts of another ledger, given as the dictionary that `to_dict` returns."""
        for phase, formats in other.items():
            for format_name, work in formats.items():
                self.add(phase, format_name, **work)

    def to_dict(self) -> dict[str, dict[str, dict[str, int]]]:
        """Return the counts as nested plain dictionaries: phase, format, kind of work."""
        return {
            phase: {name: asdict(counts) for name, counts in formats.items()} for phase, formats in self.counts.items()
        }
