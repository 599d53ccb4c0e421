"""Put the comparison of runs together: differences, metrics, pictures, phases, work by format, projections."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from mpsolve.compare import plot
from mpsolve.compare.align import RunSummary
from mpsolve.compare.metrics import number
from mpsolve.compare.phases import spent
from mpsolve.compare.table import cell, difference_rows, legend, metric_rows
from mpsolve.errors import MpsolveError
from mpsolve.page import parts
from mpsolve.page.machines import projections
from mpsolve.records.run import read_run

CAPTIONS = {
    "accuracy_against_time.png": "Error against time: lower left is better",
    "accuracy_against_energy.png": "Error against measured joules: lower left is better",
    "residual.png": "FP64 residual of each refinement or step",
}

# Values by name of each run, with its label.
Columns = Sequence[tuple[str, Mapping[str, float]]]


def render(runs: Sequence[RunSummary], baseline: int = 0) -> str:
    """Return the page.

    Parameters
    ----------
    runs : sequence of RunSummary
        At least one.
    baseline : int
        Index of the run that the speed-up is measured against.
    """
    table, notes = metric_rows(runs, baseline)
    sections = [
        parts.notes(legend(runs, baseline).splitlines()),
        parts.section("What differs", parts.table(difference_rows(runs))),
        parts.section("Accuracy, time and energy", parts.table(table), parts.notes(notes)),
        parts.section("Pictures", *_pictures(runs)),
        parts.section("Where time and energy went", *_phases(runs)),
        parts.section("Work by format", *_work(runs)),
        parts.section("On the machines of the catalogue: modelled, not measured", *projections(runs, baseline)),
    ]
    return parts.page(f"Comparison of {len(runs)} runs of {runs[0].app}", sections)


def _pictures(runs: Sequence[RunSummary]) -> list[str]:
    if find_spec("matplotlib") is None:
        return [parts.notes(["no pictures: matplotlib is not installed (pip install 'mpsolve[report]')"])]
    with tempfile.TemporaryDirectory() as folder:
        drawn, problems = plot.draw(runs, Path(folder))
        energy = Path(folder) / "accuracy_against_energy.png"
        if reason := plot.accuracy_against_energy(runs, energy):
            problems.append(f"no {energy.name}: {reason}")
        else:
            drawn.insert(1, energy)
        shown = [(path, CAPTIONS.get(path.name, _caption(path))) for path in drawn]
        return [parts.pictures(shown), parts.notes(problems)]


def _caption(path: Path) -> str:
    return f"The field of {path.stem.removeprefix('field_').replace('_', ' ')}"


def _phases(runs: Sequence[RunSummary]) -> list[str]:
    """Return the seconds, and the measured joules of each scope, by phase of the ledger."""
    found = [(label, spent(run.results, run.energy)) for label, run in zip(plot.labels(runs), runs, strict=True)]
    shown = [*_quantity("Seconds by phase", "s", [(label, one.seconds) for label, one in found])]
    if shown:
        about = "on rank 0; what no phase accounts for is other, and a wait counts with the phase that follows it"
        shown.append(parts.notes([about]))
    for name in dict.fromkeys(name for _, one in found for name in one.joules):
        title = f"Joules by phase: {name}"
        shown += _quantity(title, "J", [(label, one.joules.get(name, {})) for label, one in found])
    return shown


def _work(runs: Sequence[RunSummary]) -> list[str]:
    """Return the operations and bytes of each run by format, as its ledger counted them."""
    found = []
    for label, run in zip(plot.labels(runs), runs, strict=True):
        try:
            ledger = read_run(run.directory)["ledger"]
        except MpsolveError:
            continue
        found.append((label, [formats for formats in ledger.values() if isinstance(formats, dict)]))
    shown = []
    for title, kind, unit in (("Operations", "flops", "Gflop"), ("Memory traffic", "bytes", "GB")):
        shown += _quantity(title, unit, [(label, _by_format(phases, kind)) for label, phases in found])
    return shown


def _by_format(phases: Sequence[Mapping[str, object]], kind: str) -> dict[str, float]:
    """Return one kind of work by format, in units of a thousand million."""
    sums: dict[str, float] = {}
    for formats in phases:
        for name, counts in formats.items():
            counted = number(counts.get(kind)) if isinstance(counts, dict) else None
            sums[name] = sums.get(name, 0.0) + (counted or 0.0) / 1e9
    return sums


def _quantity(title: str, unit: str, columns: Columns) -> list[str]:
    """Return a quantity of all runs as bars in parts, and as a table; nothing if no run has any."""
    columns = [(label, {name: value for name, value in found.items() if value > 0}) for label, found in columns]
    names = dict.fromkeys(name for _, found in columns for name in found)
    if not names:
        return []
    rows = [[unit, *(label for label, _ in columns)]]
    rows += [[name, *(cell(found.get(name)) for _, found in columns)] for name in names]
    rows.append(["sum", *(cell(sum(found.values())) if found else "-" for _, found in columns)])
    return [parts.heading(title), parts.stacked(columns, unit), parts.table(rows)]
