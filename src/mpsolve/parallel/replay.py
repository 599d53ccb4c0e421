"""Work that is launched again and again as a whole: what it counts is known after the first time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

from mpsolve.backends.base import Backend
from mpsolve.ledger import Counts, Ledger


class Replay:
    """Does an action, from the third time on as the backend has captured it at the second.

    Parameters
    ----------
    action : callable
        Launches the same kernels on the same arrays each time, and sends no messages.
    backend : Backend
        Captures it. The first time is not captured: kernels are compiled then.
    ledger : Ledger
        Counts what the action counted the first time, each time.
    """

    def __init__(self, action: Callable[[], object], backend: Backend, ledger: Ledger) -> None:
        self._action, self._backend, self._ledger = action, backend, ledger
        self._work: list[tuple[str, str, dict[str, int]]] | None = None
        self._again: Callable[[], object] | None = None

    def __call__(self) -> None:
        """Do it (local)."""
        if self._work is None:
            self._first()
            return
        with self._ledger.silence():
            if self._again is None:
                self._again = self._backend.captured(self._action)
            self._again()
        for phase, name, work in self._work:
            self._ledger.add(phase, name, **work)

    def _first(self) -> None:
        before = self._ledger.to_dict()
        self._action()
        self._work = []
        for phase, formats in self._ledger.counts.items():
            for name, counts in formats.items():
                old = before.get(phase, {}).get(name) or asdict(Counts())
                work = {kind: amount - old[kind] for kind, amount in asdict(counts).items() if amount != old[kind]}
                if work:
                    self._work.append((phase, name, work))
