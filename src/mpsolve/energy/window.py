"""A window of work with the energy it took: barrier, read, work, barrier, read."""

import platform
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mpsolve import lookup
from mpsolve.energy.base import LOOK_EVERY_S, Counter, Meter, Reading, unavailable
from mpsolve.energy.phases import PHASE_LOOK_S, Elapsed, Shares
from mpsolve.errors import BackendUnavailable
from mpsolve.ledger import Ledger

# Below this many updates of a counter, the moment of the update decides more than the work does.
LEAST_UPDATES = 20

#: How the reason of a window that was too short begins.
TOO_SHORT = "too_short"

#: Two meters of one scope that differ by more than this are said to disagree.
AGREEMENT = 0.1


def all_meters(root: str | Path = "/", devices: Sequence[str] = ()) -> list[Meter]:
    """Create every meter of ``energy/meters``, working or not.

    Parameters
    ----------
    root : str or Path
        Root of the file system that is searched for counters.
    devices : sequence of str
        The cards that this rank uses: NVIDIA's by UUID, AMD's by PCI address.
    """
    names = lookup.names("energy.meters")
    return [lookup.find("energy.meters", name).create(root=root, devices=devices) for name in names]


class Window:
    """Context manager around the timed work; entering and leaving are collective.

    An exception inside the window is passed on at once, without a barrier that other ranks may never reach.

    Parameters
    ----------
    comm : communicator
        Has ``Barrier()`` and ``allgather(object)``, for instance an mpi4py communicator.
    meters : sequence of Meter
        The same meters on every rank, for instance `all_meters`.
    look_every_s : float, optional
        Seconds between two looks at the counters; what the meters ask for by default.
    synchronize : callable, optional
        Waits for the device that the work runs on, before either reading.
    ledger : Ledger, optional
        Tells what time the phases of the work take, by which joules are shared among them: by the phases of the rank
        that owns the counter. Without it they are not told apart.

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

    def __init__(
        self,
        comm: Any,
        meters: Sequence[Meter],
        *,
        look_every_s: float | None = None,
        synchronize: Callable[[], None] = lambda: None,
        ledger: Ledger | None = None,
    ):
        self.comm, self.synchronize, self.ledger = comm, synchronize, ledger
        self._elapsed = Elapsed()
        self.look_every_s = look_every_s or LOOK_EVERY_S
        self._asked = look_every_s is not None
        self.readings: list[Reading] = []
        self.seconds = 0.0
        self._tallies = [_Tally(meter) for meter in meters]
        # The thread that looks now and then, and the one that asks for the joules so far.
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self.synchronize()
        self.comm.Barrier()
        if self.ledger is not None:
            self.ledger.start_clock()
        self._look()
        working = [tally.meter for tally in self._tallies if not tally.problem]
        if working:
            if not self._asked:
                self.look_every_s = min(meter.look_every_s for meter in working)
                if self.ledger is not None:
                    self.look_every_s = min(self.look_every_s, PHASE_LOOK_S)
            self._watcher.start()
        self._start = time.perf_counter()
        if self.ledger is not None:
            # Again, or the first phase would have the time of the first look.
            self.ledger.start_clock()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if kind is None:
            self.synchronize()
            self.comm.Barrier()
        self.seconds = time.perf_counter() - self._start
        self._ended.set()
        if self._watcher.is_alive():
            self._watcher.join()
        if self.ledger is not None:
            self.ledger.stop_clock()
        if kind is not None:
            self.readings = [unavailable(f"the work ended early: {kind.__name__}: {error}", seconds=self.seconds)]
            return
        self.readings = self._combine()

    def _watch(self) -> None:
        while not self._ended.wait(self.look_every_s):
            self._look()

    def _look(self) -> None:
        with self._lock:
            spent = self._elapsed.since(self.ledger.seconds) if self.ledger is not None else {}
            for tally in self._tallies:
                tally.look(spent)

    def so_far(self) -> dict[str, float] | None:
        """Return the joules of the counters that this rank reads by scope, or None if there are none (local)."""
        self._look()
        found: dict[str, float] = {}
        for tally in self._tallies:
            if not tally.problem:
                for scope, joules in tally.by_scope().items():
                    found.setdefault(scope, joules)
        return found or None

    def _combine(self) -> list[Reading]:
        self._look()
        host = _host()
        ranks = self.comm.allgather([tally.report(host) for tally in self._tallies])
        readings = []
        for index, tally in enumerate(self._tallies):
            readings += _sum_over_hosts(tally.meter, [rank[index] for rank in ranks], self.seconds)
        if any(reading.joules is not None for reading in readings):
            return [_compared(reading, readings) for reading in readings]
        reasons = "; ".join(dict.fromkeys(reading.reason for reading in readings)) or "there is no energy meter"
        return [unavailable(reasons, seconds=self.seconds)]


# Host and key of a counter, to the counter and its joules by phase.
_Owned = dict[tuple[str, str], tuple[Counter, Mapping[str, float]]]


@dataclass(frozen=True)
class _Report:
    """What one rank knows of one meter: its counters with their joules in the window, or the problem."""

    host: str
    problem: str
    counters: tuple[Counter, ...]
    phases: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass
class _Tally:
    """Joules per counter of one meter, gathered look by look."""

    meter: Meter
    problem: str = ""
    last: dict[str, Counter] = field(default_factory=dict)
    joules: dict[str, float] = field(default_factory=dict)
    shares: dict[str, Shares] = field(default_factory=dict)

    def look(self, spent: Mapping[str, float]) -> None:
        """Add what each counter advanced by since the last look, in which phases took so many seconds."""
        if self.problem:
            return
        try:
            for counter in self.meter.read():
                if counter.key in self.last:
                    joules = _advance(self.last[counter.key], counter)
                    self.joules[counter.key] += joules
                    self.shares.setdefault(counter.key, Shares()).add(joules, spent)
                self.joules.setdefault(counter.key, 0.0)
                self.last[counter.key] = counter
        except BackendUnavailable as problem:
            self.problem = str(problem)

    def report(self, host: str) -> _Report:
        """Return what each counter advanced by."""
        counted = tuple(replace(counter, joules=self.joules[key]) for key, counter in self.last.items())
        phases = {key: shares.by_phase() for key, shares in self.shares.items()}
        return _Report(host, self.problem, counted, phases)

    def by_scope(self) -> dict[str, float]:
        """Add up the counters of each scope."""
        joules: dict[str, float] = {}
        for key, counter in self.last.items():
            joules[counter.scope] = joules.get(counter.scope, 0.0) + self.joules[key]
        return joules


def _advance(before: Counter, after: Counter) -> float:
    """Joules between two looks, with at most one wrap of the counter."""
    joules = after.joules - before.joules
    if joules < 0 and after.range_joules is not None:
        joules += after.range_joules
    if joules < 0:
        raise BackendUnavailable(f"the counter {after.label} went from {before.joules} J back to {after.joules} J")
    return joules


def _sum_over_hosts(meter: Meter, reports: list[_Report], seconds: float) -> list[Reading]:
    """One reading per scope; a counter that several ranks of a host read has one owner, the lowest of them."""
    hosts = dict.fromkeys(report.host for report in reports)
    problems = {report.host: report.problem for report in reversed(reports) if report.problem}
    if problems:
        share = f" (on {len(problems)} of {len(hosts)} hosts)" if len(hosts) > 1 else ""
        reason = list(problems.values())[-1] + share
        return [unavailable(reason, scope=meter.scope, source=meter.name, seconds=seconds)]
    owned: _Owned = {}
    for report in reports:
        for counter in report.counters:
            owned.setdefault((report.host, counter.key), (counter, report.phases.get(counter.key, {})))
    scopes = dict.fromkeys(counter.scope for counter, _ in owned.values())
    return [_reading(meter, scope, owned, len(hosts), seconds) for scope in scopes]


def _reading(meter: Meter, scope: str, owned: _Owned, hosts: int, seconds: float) -> Reading:
    counters = {key: counter for key, (counter, _) in owned.items() if counter.scope == scope}
    labels = ", ".join(dict.fromkeys(counter.label for counter in counters.values()))
    source = f"{meter.name}: {labels}" + (f" on {hosts} hosts" if hosts > 1 else "")
    having = len({host for host, _ in counters})
    if having < hosts:
        reason = f"only {having} of {hosts} hosts have this counter"
        return unavailable(reason, scope=scope, source=source, seconds=seconds)
    least_s = LEAST_UPDATES * max(counter.period_s for counter in counters.values())
    if seconds < least_s:
        reason = f"{TOO_SHORT}: {seconds:.3g} s, but the counter needs {least_s:.3g} s for {LEAST_UPDATES} updates"
        return unavailable(reason, scope=scope, source=source, seconds=seconds)
    joules = sum(counter.joules for counter in counters.values())
    phases: dict[str, float] = {}
    for key in counters:
        for phase, part in owned[key][1].items():
            phases[phase] = phases.get(phase, 0.0) + part
    return Reading(joules, meter.kind, scope, source, "", seconds, phases=phases)


def _compared(reading: Reading, readings: Sequence[Reading]) -> Reading:
    """Note it if another meter of the scope measured something else."""
    for other in readings:
        if other is reading or other.scope != reading.scope or None in (other.joules, reading.joules):
            continue
        largest = max(other.joules or 0.0, reading.joules or 0.0)
        if abs((other.joules or 0.0) - (reading.joules or 0.0)) > AGREEMENT * largest:
            return replace(reading, note=f"{other.source} measured {other.joules:.4g} J")
    return reading


def _host() -> str:
    """Name the host by its boot: containers of one host differ in host name but share the counters."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return platform.node()
