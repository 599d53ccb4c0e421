"""Where the time and the joules of a run went: by phase of its ledger, adding up to the whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mpsolve.compare.metrics import energy_name, number
from mpsolve.energy.phases import OTHER

SECONDS = "ledger_phases_s"


@dataclass(frozen=True)
class Spent:
    """What the phases of a run took.

    Attributes
    ----------
    seconds : dict
        Phase to its seconds on rank 0, with what no phase accounts for under ``other``: they add up to the timed work.
        Empty where no clock was started, as on GPUs.
    joules : dict
        Name of an energy, as `mpsolve.compare.metrics.energy_name` gives it, to the joules of each phase.
    """

    seconds: dict[str, float]
    joules: dict[str, dict[str, float]]

    @property
    def phases(self) -> list[str]:
        """The phases in the order of their time, ``other`` last."""
        names = dict.fromkeys((*self.seconds, *(phase for joules in self.joules.values() for phase in joules)))
        return sorted(names, key=lambda name: (name == OTHER, -self.seconds.get(name, 0.0)))


def spent(results: Mapping[str, Any], energy: Sequence[Mapping[str, Any]]) -> Spent:
    """Return what the phases of a run took.

    Parameters
    ----------
    results, energy : mapping, sequence
        Of its record.
    """
    seconds = _numbers(results.get(SECONDS))
    whole = number(results.get("time_s"))
    rest = (whole or 0.0) - sum(seconds.values())
    if seconds and rest > 0:
        seconds[OTHER] = rest
    joules = {energy_name(dict(reading)): _numbers(reading.get("phases")) for reading in energy}
    return Spent(seconds, {name: parts for name, parts in joules.items() if parts})


def _numbers(found: Any) -> dict[str, float]:
    """Return the entries of a dictionary of a record that are finite numbers."""
    entries = found.items() if isinstance(found, dict) else ()
    return {str(name): value for name, given in entries if (value := number(given)) is not None}
