"""The compared runs on every machine of the catalogue."""

from __future__ import annotations

from collections.abc import Sequence

from mpsolve.compare import plot
from mpsolve.compare.align import RunSummary
from mpsolve.compare.table import cell
from mpsolve.errors import MpsolveError
from mpsolve.page import parts
from mpsolve.projection import catalogue
from mpsolve.projection.machine import Machine
from mpsolve.projection.work import Work, read_work

TERMS = {"compute_s": "arithmetic", "memory_s": "memory", "latency_s": "latency", "bandwidth_s": "network bandwidth"}
ABOUT = "times and joules from the ledgers of the runs; docs/projection.md says how, and how far they may be off"


def projections(runs: Sequence[RunSummary], baseline: int) -> list[str]:
    """Return the runs on one node of each machine as they were, and on all nodes with their memory full.

    Parameters
    ----------
    runs : sequence of RunSummary
        Those that cannot be projected are named with the reason.
    baseline : int
        Index of the run of which it is shown what limits it.
    """
    works, missing = {}, []
    for label, run in zip(plot.labels(runs), runs, strict=True):
        try:
            works[label] = read_work(run.directory)
        except MpsolveError as problem:
            missing.append(f"no projection of {label}: {problem}")
    if not works:
        return [parts.notes(missing)]
    machines = [catalogue.load_machine(name) for name in catalogue.machine_names()]
    chosen = plot.labels(runs)[baseline]
    shown = chosen if chosen in works else next(iter(works))
    return [
        parts.notes([ABOUT, *missing]),
        parts.heading(f"What limits {shown} on one node"),
        parts.stacked(_limits(works[shown], machines), "s"),
        *_table("One node, the problem as it was run", works, machines, whole=False),
        *_table("All nodes, the problem that fills their memory", works, machines, whole=True),
    ]


def _limits(work: Work, machines: Sequence[Machine]) -> list[tuple[str, dict[str, float]]]:
    """Return the seconds on one node of each machine by what limits them."""
    from mpsolve.projection.project import project

    rows = []
    for machine in machines:
        try:
            terms = project(work, machine, 1).terms
        except MpsolveError:
            continue
        rows.append((_short(machine), {text: getattr(terms, name) for name, text in TERMS.items()}))
    return rows


def _table(heading: str, works: dict[str, Work], machines: Sequence[Machine], *, whole: bool) -> list[str]:
    """Return a row for each machine, with seconds and joules of each run."""
    head = ["machine", *(["nodes", "unknowns"] if whole else [])]
    rows = [[*head, *(f"{label} [s]" for label in works), *(f"{label} [~J]" for label in works)]]
    reasons: list[str] = []
    for machine in machines:
        nodes = machine.nodes if whole else 1
        found = _projected([*works.values()], machine, nodes, whole=whole)
        reasons += [f"{_short(machine)}: {one}" for one in found if isinstance(one, str)]
        done = [None if isinstance(one, str) else one for one in found]
        if not any(done):
            continue
        size = [cell(nodes), cell(float(next(one.unknowns for one in done if one)))] if whole else []
        times = [cell(one and one.time_s) for one in done]
        rows.append([_short(machine), *size, *times, *(cell(one and one.energy_j) for one in done)])
    return [parts.heading(heading), parts.table(rows), parts.notes([*dict.fromkeys(reasons)])]


def _short(machine: Machine) -> str:
    """Return a name without what stands in parentheses behind it."""
    return machine.name.partition(" (")[0]


def _projected(works: Sequence[Work], machine: Machine, nodes: int, *, whole: bool) -> list:
    """Return a projection of each run, or why there is none."""
    from mpsolve.projection.project import grown_alike, project

    found = []
    for work in grown_alike(works, machine, nodes) if whole else works:
        try:
            found.append(project(work, machine, nodes))
        except MpsolveError as problem:
            found.append(str(problem))
    return found
