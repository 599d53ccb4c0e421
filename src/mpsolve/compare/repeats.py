"""Repeats: runs of one configuration as one run with the medians of their numbers, and how far they spread."""

import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from mpsolve.compare.align import RunSummary
from mpsolve.compare.metrics import energy_name, number
from mpsolve.records.plain import plain


def grouped(runs: Sequence[RunSummary], apart: Callable[[RunSummary], object] = lambda run: None) -> list[RunSummary]:
    """Return a run for each configuration, in the order of the first runs; one that was not repeated is unchanged.

    Repeats have the same app, configuration, precision, status, ranks, processors and devices. What stands for them is
    the run whose time is nearest to the median, with the median of each number, and the repeats as its ``members``.

    Parameters
    ----------
    runs : sequence of RunSummary
        The runs.
    apart : callable, optional
        Runs for which it returns different values are no repeats of each other.
    """
    groups: dict[tuple[str, object], list[RunSummary]] = {}
    for run in runs:
        groups.setdefault((configuration(run), apart(run)), []).append(run)
    return [_median(group) if len(group) > 1 else group[0] for group in groups.values()]


def configuration(run: RunSummary) -> str:
    """Return what repeats have in common, as text."""
    solved = (run.results.get("converged"), run.results.get("backend"))
    return json.dumps(plain([run.app, run.status, run.config, run.ranks, run.machine, solved]), sort_keys=True)


def spread(run: RunSummary, name: str, baseline: RunSummary) -> tuple[float, float] | None:
    """Return the least and the largest value of a metric among the repeats of a run; None if all are the same.

    Parameters
    ----------
    run, baseline : RunSummary
        Of those of `grouped`.
    name : str
        A result, ``"speedup"`` over the median of the baseline, or an energy as
        `mpsolve.compare.metrics.energy_name` names it.
    """
    if name == "speedup":
        base, times = number(baseline.results.get("time_s")), spread(run, "time_s", baseline)
        return (base / times[1], base / times[0]) if base and times and times[0] > 0 else None
    values = [value for member in run.members if (value := value_of(member, name)) is not None]
    return (min(values), max(values)) if len(set(values)) > 1 else None


def about(run: RunSummary, name: str, baseline: RunSummary) -> str:
    """Return in words how many repeats a value is the median of and how far they spread; empty for a single run."""
    found = spread(run, name, baseline)
    far = f", {found[0]:.3g} to {found[1]:.3g}" if found else ""
    return f"median of {len(run.members)} runs{far}" if run.members else ""


def value_of(run: RunSummary, name: str) -> float | None:
    """Return a result of one run, or its joules by their name, as a number; None if it has none."""
    if name in run.results:
        return number(run.results[name])
    found = (number(reading.get("joules")) for reading in run.energy if energy_name(reading) == name)
    return next((joules for joules in found if joules is not None), None)


def _median(group: Sequence[RunSummary]) -> RunSummary:
    times = [number(run.results.get("time_s")) for run in group]
    known = [value for value in times if value is not None]
    middle = statistics.median(known) if known else 0.0
    distance = [abs(value - middle) if value is not None else float("inf") for value in times]
    chosen = group[distance.index(min(distance))]
    results = {name: _middle([run.results.get(name) for run in group], value) for name, value in chosen.results.items()}
    energy = tuple(_middle_reading(group, reading) for reading in chosen.energy)
    return replace(chosen, results=results, energy=energy, members=tuple(group))


def _middle(values: Sequence[Any], chosen: Any) -> Any:
    """Return the median of numbers, an integer where all are the same one; anything else as the chosen run has it."""
    found = [value for value in map(number, values) if value is not None]
    if number(chosen) is None or len(set(found)) <= 1:
        return chosen
    return statistics.median(found)


def _middle_reading(group: Sequence[RunSummary], reading: dict[str, Any]) -> dict[str, Any]:
    joules = [value for run in group if (value := value_of(run, energy_name(reading))) is not None]
    return reading | {"joules": statistics.median(joules)} if joules and reading.get("joules") is not None else reading
