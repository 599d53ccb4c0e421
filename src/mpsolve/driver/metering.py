"""Meter the timed work of a run, and do it again if the meters need longer to see it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mpsolve.backends.base import Backend
from mpsolve.energy.base import Reading
from mpsolve.energy.window import TOO_SHORT, Window, all_meters
from mpsolve.ledger import Ledger
from mpsolve.records.steps import StepLog

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm

#: Most repetitions of work that meters cannot see.
MOST_REPEATS = 100_000


def open_window(comm: Intracomm, backend: Backend, log: StepLog, ledger: Ledger) -> Window:
    """Return the window of the timed work; rows of the log have the joules up to them."""
    window = _window(comm, backend, ledger)
    log.joules_so_far = window.so_far
    return window


def _window(comm: Intracomm, backend: Backend, ledger: Ledger) -> Window:
    # Kernels on a device run behind the host, whose clock would give their time to the phase that waits for them.
    clock = None if backend.devices else ledger
    return Window(comm, all_meters(devices=backend.devices), synchronize=backend.synchronize, ledger=clock)


def readings_of(
    comm: Intracomm, backend: Backend, window: Window, least_s: float, ledger: Ledger, again: Callable[[], object]
) -> list[Reading]:
    """Return the readings of a window; if it was too short, those of work that was repeated (collective).

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm
        The ranks.
    backend : Backend
        Where the work runs.
    window : Window
        The closed window of the work.
    least_s : float
        Seconds that the repeated work shall take; 0: it is not repeated.
    ledger : Ledger
        Of the work; what is done again is not counted.
    again : callable
        Does the work once more, from the same start, and writes nothing.
    """
    if not least_s or not any(reading.reason.startswith(TOO_SHORT) for reading in window.readings):
        return window.readings
    slowest = max(comm.allgather(window.seconds))
    repeats = min(MOST_REPEATS, max(2, math.ceil(least_s / slowest)))
    counted, spent = deepcopy(ledger.counts), ledger.seconds
    with _window(comm, backend, ledger) as longer:
        for _ in range(repeats):
            again()
    ledger.counts.clear()
    ledger.counts.update(counted)
    ledger.seconds = spent
    return [_shared(reading, repeats) for reading in longer.readings]


def _shared(reading: Reading, repeats: int) -> Reading:
    """Return the reading of one repetition."""
    if reading.joules is None:
        return reading
    seconds = None if reading.seconds is None else reading.seconds / repeats
    phases = {phase: joules / repeats for phase, joules in reading.phases.items()}
    return replace(reading, joules=reading.joules / repeats, seconds=seconds, repeats=repeats, phases=phases)


def figures(readings: Sequence[Reading], results: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return joules per unknown and per correct digit by scope, and why they are missing.

    Measured joules only. Correct digits are ``-log10`` of the relative error where the answer is known, else of the
    backward error.
    """
    measured: dict[str, float] = {}
    for reading in readings:
        if reading.joules is not None and reading.kind != "modelled":
            measured.setdefault(reading.scope, reading.joules)
    if not measured:
        reason = next((reading.reason for reading in readings if reading.reason), "there is no energy meter")
        return {}, dict.fromkeys(("joules_per_unknown", "joules_per_digit"), reason)
    found: dict[str, Any] = {}
    why: dict[str, str] = {}
    if results.get("unknowns"):
        found["joules_per_unknown"] = {scope: joules / results["unknowns"] for scope, joules in measured.items()}
    error = next((results[name] for name in ("error_l2", "backward_error") if results.get(name)), None)
    if error is not None and 0 < error < 1:
        found["joules_per_digit"] = {scope: joules / -math.log10(error) for scope, joules in measured.items()}
    else:
        why["joules_per_digit"] = "no error is known, or no digit is correct"
    return found, why
