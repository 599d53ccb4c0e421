"""Put the comparison of runs together: differences, metrics, pictures, work by format, projections."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from mpsolve.compare import plot
from mpsolve.compare.align import RunSummary
from mpsolve.compare.table import cell, difference_rows, legend, metric_rows
from mpsolve.errors import MpsolveError
from mpsolve.page import parts
from mpsolve.projection import catalogue
from mpsolve.projection.work import read_work
from mpsolve.records.run import read_run

CAPTIONS = {
    "accuracy_against_time.png": "Error against time: lower left is better",
    "accuracy_against_energy.png": "Error against measured joules: lower left is better",
    "residual.png": "FP64 residual of each refinement or step",
}


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
        parts.section("Work by format", *_work(runs)),
        parts.section("On the machines of the catalogue", *_projections(runs[baseline])),
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
        shown = [(path, CAPTIONS.get(path.name, path.stem.replace("_", " "))) for path in drawn]
        return [parts.pictures(shown), parts.notes(problems)]


def _work(runs: Sequence[RunSummary]) -> list[str]:
    """Return the flops and bytes of each run by format, as its ledger counted them."""
    found = []
    for label, run in zip(plot.labels(runs), runs, strict=True):
        flops: dict[str, float] = {}
        moved: dict[str, float] = {}
        try:
            phases = read_run(run.directory)["ledger"]
        except MpsolveError:
            continue
        for counts in phases.values():
            for name, work in counts.items() if isinstance(counts, dict) else ():
                flops[name] = flops.get(name, 0.0) + float(work.get("flops", 0)) / 1e9
                moved[name] = moved.get(name, 0.0) + float(work.get("bytes", 0)) / 1e9
        found += [parts.bars(f"{label}: operations", flops, "Gflop"), parts.bars(f"{label}: memory", moved, "GB")]
    return found


def _projections(run: RunSummary) -> list[str]:
    """Return the projections of a run onto every machine, one node and the whole machine."""
    from mpsolve.projection.project import project

    try:
        work = read_work(run.directory)
    except MpsolveError as problem:
        return [parts.notes([f"no projections: {problem}"])]
    rows = [["machine", "nodes", "time [s]", "all nodes", "time [s]", "joules (~)"]]
    missing = []
    for name in catalogue.machine_names():
        machine = catalogue.load_machine(name)
        try:
            one, whole = project(work, machine, 1), project(work, machine, machine.nodes)
        except MpsolveError as problem:
            missing.append(f"{machine.name}: {problem}")
            continue
        rows.append([machine.name, *map(cell, (1, one.time_s, machine.nodes, whole.time_s, whole.energy_j))])
    about = f"the run {run.name} as it was, from its ledger; modelled, not measured: docs/projection.md says how well"
    return [parts.table(rows), parts.notes([about, *missing])]
