"""A window of work with the energy it took: barrier, read, work, barrier, read."""

import platform
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mpsolve import lookup
from mpsolve.energy.base import Counter, Meter, Reading, unavailable
from mpsolve.errors import BackendUnavailable

# Below this many updates of a counter, the moment of the update decides more than the work does.
LEAST_UPDATES = 20

# A RAPL counter wraps after some minutes at full load; between two looks it may wrap once at most.
LOOK_EVERY_S = 30.0


def all_meters(root: str | Path = "/") -> list[Meter]:
    """Create every meter of ``energy/meters``, working or not, looking for counters below `root`."""
    return [lookup.find("energy.meters", name).create(root=root) for name in lookup.names("energy.meters")]


class Window:
    """Context manager around the timed work; entering and leaving are collective.

    An exception inside the window is passed on at once, without a barrier that other ranks may never reach.

    Parameters
    ----------
    comm : communicator
        Has ``Barrier()`` and ``allgather(object)``, for instance an mpi4py communicator.
    meters : sequence of Meter
        The same meters on every rank, for instance `all_meters`.
    look_every_s : float
        Seconds between two looks at the counters, so that a wrap is not missed.

    Attributes
    ----------
    readings : list of Reading
        After the window, the same on every rank: one reading per meter and scope, summed over the hosts. If no meter
        works, one reading of kind ``"unavailable"`` with the reasons.
    seconds : float
        Length of the window on this rank, in seconds.

    Examples
    --------
    >>> from mpsolve.parallel.alone import Alone
    >>> with Window(Alone(), []) as window:
    ...     answer = 6 * 7
    >>> window.readings[0].kind
    'unavailable'
    """

    def __init__(self, comm: Any, meters: Sequence[Meter], *, look_every_s: float = LOOK_EVERY_S):
        self.comm, self.look_every_s = comm, look_every_s
        self.readings: list[Reading] = []
        self.seconds = 0.0
        self._tallies = [_Tally(meter) for meter in meters]
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self.comm.Barrier()
        for tally in self._tallies:
            tally.look()
        if any(not tally.problem for tally in self._tallies):
            self._watcher.start()
        self._start = time.perf_counter()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if kind is None:
            self.comm.Barrier()
        self.seconds = time.perf_counter() - self._start
        self._ended.set()
        if self._watcher.is_alive():
            self._watcher.join()
        if kind is not None:
            self.readings = [unavailable(f"the work ended early: {kind.__name__}: {error}", seconds=self.seconds)]
            return
        self.readings = self._combine()

    def _watch(self) -> None:
        while not self._ended.wait(self.look_every_s):
            for tally in self._tallies:
                tally.look()

    def _combine(self) -> list[Reading]:
        for tally in self._tallies:
            tally.look()
        host = _host()
        ranks = self.comm.allgather([tally.report(host) for tally in self._tallies])
        readings = []
        for index, tally in enumerate(self._tallies):
            readings += _sum_over_hosts(tally.meter, [rank[index] for rank in ranks], self.seconds)
        if any(reading.joules is not None for reading in readings):
            return readings
        reasons = "; ".join(dict.fromkeys(reading.reason for reading in readings)) or "there is no energy meter"
        return [unavailable(reasons, seconds=self.seconds)]


@dataclass(frozen=True)
class _Report:
    """What one rank knows of one meter: joules and labels per scope, or the problem."""

    host: str
    problem: str
    joules: dict[str, float]
    labels: dict[str, tuple[str, ...]]
    period_s: float


@dataclass
class _Tally:
    """Joules per counter of one meter, gathered look by look."""

    meter: Meter
    problem: str = ""
    last: dict[str, Counter] = field(default_factory=dict)
    joules: dict[str, float] = field(default_factory=dict)

    def look(self) -> None:
        """Add what each counter advanced by since the last look."""
        if self.problem:
            return
        try:
            for counter in self.meter.read():
                if counter.key in self.last:
                    self.joules[counter.key] += _advance(self.last[counter.key], counter)
                self.joules.setdefault(counter.key, 0.0)
                self.last[counter.key] = counter
        except BackendUnavailable as problem:
            self.problem = str(problem)

    def report(self, host: str) -> _Report:
        """Add up the counters of each scope."""
        joules: dict[str, float] = {}
        labels: dict[str, tuple[str, ...]] = {}
        for key, counter in self.last.items():
            joules[counter.scope] = joules.get(counter.scope, 0.0) + self.joules[key]
            labels[counter.scope] = (*labels.get(counter.scope, ()), counter.label)
        period_s = max((counter.period_s for counter in self.last.values()), default=0.0)
        return _Report(host, self.problem, joules, labels, period_s)


def _advance(before: Counter, after: Counter) -> float:
    """Joules between two looks, with at most one wrap of the counter."""
    joules = after.joules - before.joules
    if joules < 0 and after.range_joules is not None:
        joules += after.range_joules
    if joules < 0:
        raise BackendUnavailable(f"the counter {after.label} went from {before.joules} J back to {after.joules} J")
    return joules


def _sum_over_hosts(meter: Meter, reports: list[_Report], seconds: float) -> list[Reading]:
    """One reading per scope; ranks of one host see the same counters, so its lowest rank speaks for it."""
    hosts: dict[str, _Report] = {}
    for report in reports:
        hosts.setdefault(report.host, report)
    problems = [report.problem for report in hosts.values() if report.problem]
    if problems:
        share = f" (on {len(problems)} of {len(hosts)} hosts)" if len(hosts) > 1 else ""
        return [unavailable(problems[0] + share, scope=meter.scope, source=meter.name, seconds=seconds)]
    scopes = dict.fromkeys(scope for report in hosts.values() for scope in report.joules)
    return [_reading(meter, scope, list(hosts.values()), seconds) for scope in scopes]


def _reading(meter: Meter, scope: str, hosts: list[_Report], seconds: float) -> Reading:
    having = [report for report in hosts if scope in report.joules]
    labels = ", ".join(dict.fromkeys(label for report in having for label in report.labels[scope]))
    source = f"{meter.name}: {labels}" + (f" on {len(hosts)} hosts" if len(hosts) > 1 else "")
    if len(having) < len(hosts):
        reason = f"only {len(having)} of {len(hosts)} hosts have this counter"
        return unavailable(reason, scope=scope, source=source, seconds=seconds)
    least_s = LEAST_UPDATES * max(report.period_s for report in having)
    if seconds < least_s:
        reason = f"{seconds:.3g} s is too short: the counter needs {least_s:.3g} s for {LEAST_UPDATES} updates"
        return unavailable(reason, scope=scope, source=source, seconds=seconds)
    return Reading(sum(report.joules[scope] for report in having), meter.kind, scope, source, "", seconds)


def _host() -> str:
    """Name the host by its boot: containers of one host differ in host name but share the counters."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return platform.node()
