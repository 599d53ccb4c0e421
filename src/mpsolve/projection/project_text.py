"""Projections as text."""

from collections.abc import Sequence

from mpsolve.projection.machine import Machine
from mpsolve.projection.project import IDLE_PART, Projection
from mpsolve.projection.work import Work

HEADER = ("nodes", "devices", "unknowns", "time s", "from", "to", "compute", "memory", "latency", "bandwidth")
ENERGY_HEADER = ("energy J", "waiting J", "W")


def render(work: Work, machine: Machine, projections: Sequence[Projection]) -> str:
    """Return the table of projections of one run on one machine, the phases of the last one, accuracy and notes.

    Parameters
    ----------
    work, machine
        What was projected where.
    projections : sequence of Projection
        At least one.
    """
    rows = [(*HEADER, *ENERGY_HEADER), *map(_row, projections)]
    last = projections[-1]
    measured = "" if work.time_s is None else f", measured in {work.time_s:.4g} s on {work.ranks} ranks"
    lines = [f"{work.name} ({work.app}, {work.format}) on {machine.name}{measured}", ""]
    lines += _columns(rows)
    lines += ["", f"phases on {last.nodes} nodes, seconds"]
    lines += _columns(
        [
            ("phase", *HEADER[6:]),
            *(
                (name, *(f"{part:.3g}" for part in (time.compute_s, time.memory_s, time.latency_s, time.bandwidth_s)))
                for name, time in last.phases.items()
            ),
        ]
    )
    lines += ["", "accuracy of the run, which the FP64 correction keeps"]
    lines += [f"  {name}  {value:.3g}" for name, value in last.accuracy.items()] or ["  not recorded"]
    lines += ["", "notes", *(f"  - {note}" for note in (*last.notes, *_general()))]
    return "\n".join(lines)


def _general() -> tuple[str, ...]:
    return (
        "from .. to: the time divided and multiplied by the spread of the model on published results",
        f"energy is modelled: a node takes its share of the power at work, {IDLE_PART:.0%} of that while waiting",
    )


def _row(one: Projection) -> tuple[str, ...]:
    terms = one.terms
    numbers = (one.time_s, one.low_s, one.high_s, terms.compute_s, terms.memory_s, terms.latency_s, terms.bandwidth_s)
    power = None if one.energy_j is None or not one.time_s else one.energy_j / one.time_s
    energies = (one.energy_j, one.idle_j, power)
    return (
        f"{one.nodes:,}",
        f"{one.devices:,}",
        f"{one.unknowns:,}",
        *("-" if number is None else f"{number:.3g}" for number in (*numbers, *energies)),
    )


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        first, *others = row
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))]
        lines.append("  " + "  ".join(cells).rstrip())
    return lines
