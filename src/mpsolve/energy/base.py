"""The contract of an energy meter, and the reading that a window of work ends in."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from mpsolve.errors import BackendUnavailable

KINDS = ("counter", "sampled", "modelled", "unavailable")
"""How a number of joules came about; measured kinds and ``modelled`` are never added or ranked together."""

LOOK_EVERY_S = 30.0
"""A RAPL counter wraps after some minutes at full load; between two looks it may wrap once at most."""

SCOPES = ("gpu", "cpu_package", "dram", "module", "node")
"""What a number of joules covers; ``module`` and ``node`` overlap the others and are never added to them."""


@dataclass(frozen=True)
class Reading:
    """Energy of one window of work in one scope, summed over the hosts that took part.

    Parameters
    ----------
    joules : float or None
        Energy in joules; None, never 0, if it is not known.
    kind : str
        One of `KINDS`.
    scope : str
        One of `SCOPES`.
    source : str
        The meter and its counters.
    reason : str
        Why there are no joules; empty when there are.
    seconds : float or None
        Length of the window in seconds.
    repeats : int
        How often the work was done in a window that was long enough; joules and seconds are those of one time.
    note : str
        What to know about the joules, for instance that another meter disagrees.
    phases : dict
        The joules by phase of the ledger, with what is left under ``"other"``; empty where they were not told apart.

    Raises
    ------
    ValueError
        If the kind or scope is not listed, or joules and kind contradict each other.
    """

    joules: float | None
    kind: str
    scope: str
    source: str
    reason: str = ""
    seconds: float | None = None
    repeats: int = 1
    note: str = ""
    phases: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in KINDS or self.scope not in SCOPES:
            raise ValueError(f"kind {self.kind!r} must be one of {KINDS} and scope {self.scope!r} one of {SCOPES}")
        if self.kind == "unavailable":
            if self.joules is not None or not self.reason:
                raise ValueError("an unavailable reading has a reason and no joules")
        elif self.joules is None or not math.isfinite(self.joules) or self.joules < 0:
            raise ValueError(f"a reading of kind {self.kind!r} needs finite joules >= 0, got {self.joules!r}")


def unavailable(reason: str, *, scope: str = "node", source: str = "none", seconds: float | None = None) -> Reading:
    """Return the reading of a window whose energy is not known, with the reason why."""
    return Reading(None, "unavailable", scope, source, reason, seconds)


@dataclass(frozen=True)
class Counter:
    """One cumulative counter at one moment.

    Parameters
    ----------
    key : str
        Names the counter uniquely on its host, so that ranks that share it count it once.
    scope : str
        One of `SCOPES`.
    label : str
        Name for people.
    joules : float
        Joules since an arbitrary origin.
    range_joules : float or None
        The counter restarts from 0 beyond this value; None if it never does.
    period_s : float
        Time in seconds between two updates of the counter.
    """

    key: str
    scope: str
    label: str
    joules: float
    range_joules: float | None
    period_s: float


class Meter(ABC):
    """A kind of energy counter; local to a rank, no call is collective.

    An entry of ``energy/meters`` is a module with ``create(root="/", devices=()) -> Meter``. `root` is that of the file
    system that is searched for counters (tests give a fake one); `devices` names the cards that this rank uses:
    NVIDIA's by UUID (``GPU-...``), AMD's by PCI address.

    Attributes
    ----------
    name : str
        The config name of the meter.
    kind : str
        ``"counter"`` or ``"sampled"``: the kind of its readings.
    scope : str
        The main scope, under which the meter is reported when it does not work.
    look_every_s : float
        Seconds between two looks: a counter that wraps is looked at before it wraps twice, a power that is sampled
        at every update of the sensor.
    """

    name: str
    kind: str
    scope: str
    look_every_s: float = LOOK_EVERY_S

    @abstractmethod
    def read(self) -> tuple[Counter, ...]:
        """Return every counter that this rank can read, at least one.

        Raises
        ------
        BackendUnavailable
            If there is none or one that counts cannot be read; the message is the reason and what to do.
        """

    def reason(self) -> str:
        """Return why the meter does not work here; empty when it does."""
        try:
            self.read()
        except BackendUnavailable as problem:
            return str(problem)
        return ""

    def available(self) -> bool:
        """Return whether the counters can be read now."""
        return not self.reason()


class PowerIntegral:
    """Joules from the samples of a power: the trapezoidal sum since the first one."""

    def __init__(self) -> None:
        self.joules = 0.0
        self._last: tuple[float, float] | None = None

    def add(self, watts: float, time_s: float) -> float:
        """Add a sample and return the joules so far."""
        if self._last is not None:
            before_s, before = self._last
            self.joules += 0.5 * (watts + before) * (time_s - before_s)
        self._last = (time_s, watts)
        return self.joules
