"""Share the joules of a counter among the phases of the work, by the time that each took."""

from collections.abc import Mapping

#: Joules that no phase accounts for: what came after the last work that was counted.
OTHER = "other"

#: Seconds between two looks at the counters when phases are told apart: between them joules are shared by time alone.
PHASE_LOOK_S = 0.25


class Shares:
    """Joules by phase of one counter.

    Joules are kept until work has been counted, because a phase that takes long is counted at its end, and are then
    shared among the phases in proportion to the time that each took since.

    Examples
    --------
    >>> shares = Shares()
    >>> shares.add(6.0, {})
    >>> shares.add(6.0, {"inner": 0.375, "residual": 0.125})
    >>> shares.add(1.0, {})
    >>> shares.by_phase()
    {'inner': 9.0, 'residual': 3.0, 'other': 1.0}
    """

    def __init__(self) -> None:
        self._joules: dict[str, float] = {}
        self._waiting = 0.0

    def add(self, joules: float, seconds: Mapping[str, float]) -> None:
        """Add what the counter advanced by while phases took so many seconds."""
        self._waiting += joules
        whole = sum(seconds.values())
        if whole <= 0:
            return
        for phase, spent in seconds.items():
            self._joules[phase] = self._joules.get(phase, 0.0) + self._waiting * spent / whole
        self._waiting = 0.0

    def by_phase(self) -> dict[str, float]:
        """Return the joules of each phase, and the rest; empty if no phase was ever counted."""
        if not self._joules:
            return {}
        return self._joules | ({OTHER: self._waiting} if self._waiting else {})


class Elapsed:
    """Seconds of each phase since one looked before."""

    def __init__(self) -> None:
        self._before: dict[str, float] = {}

    def since(self, seconds: Mapping[str, float]) -> dict[str, float]:
        """Return what each phase took since the last call, given what it took altogether."""
        now = dict(seconds)
        spent = {phase: value - self._before.get(phase, 0.0) for phase, value in now.items()}
        self._before = now
        return {phase: value for phase, value in spent.items() if value > 0}
