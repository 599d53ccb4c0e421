"""Machines as text: one line each, or one in full with what disagrees."""

from collections.abc import Mapping, Sequence
from dataclasses import fields

from mpsolve.projection.catalogue import sources
from mpsolve.projection.figure import Figure
from mpsolve.projection.machine import Machine

HEADER = ("machine", "kind", "accelerator", "nodes", "per node", "power MW", "FP64", "verified", "conflicts")
MARKS = {"source": "", "derived": "^d", "recall": "^r", "unknown": "", "measured": "^m"}
LEGEND = "^d derived, ^r from memory (verify before quoting), ^m measured here; no mark: from the source that is given"


def list_machines(machines: Sequence[Machine]) -> str:
    """Return a line per machine, with a legend of the marks."""
    rows = [HEADER, *map(_row, machines)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([*lines, "", LEGEND])


def show_machine(machine: Machine) -> str:
    """Return everything about a machine: the document's figures, the sourced ones, and the conflicts in words."""
    accelerator = machine.accelerator
    parts = [
        f"{machine.key}: {machine.name}\n{_head(machine)}",
        _block("what the document says", machine.document),
        "conflicts" + "".join(f"\n  - {conflict}" for conflict in machine.conflicts or ("none known",)),
        _figures("count", {**machine.count, "accelerators per node": machine.accelerators_per_node}),
        _figures("power", machine.power),
        _figures(f"network: {machine.network_name}; {machine.topology}", machine.network),
        _figures("published results", machine.results),
        _figures(
            f"accelerator {accelerator.key}: {accelerator.name}",
            {
                "memory": accelerator.memory,
                "memory bandwidth": accelerator.memory_bandwidth,
                "power": accelerator.power,
                "link": accelerator.link,
            },
        ),
        _figures("its dense peak", accelerator.peak),
        _figures("measured on it", accelerator.measured),
        _figures("FP64 of the processors of a node", machine.host),
        _block("software", machine.software),
        _job(machine),
        _sources(machine),
        LEGEND,
    ]
    return "\n\n".join(part for part in parts if part)


def mark(figure: Figure, digits: int = 6) -> str:
    """Return a figure without its unit, with the mark of its status; a dash if it is unknown."""
    return "-" if figure.value is None else f"{figure.value:,.{digits}g}{MARKS[figure.status]}"


def all_figures(machine: Machine) -> dict[str, Figure]:
    """Return every figure of a machine and its accelerator by place, for instance ``network.latency``."""
    accelerator = machine.accelerator
    groups: dict[str, Mapping[str, Figure]] = {
        "count": machine.count,
        "power": machine.power,
        "network": machine.network,
        "results": machine.results,
        "host": machine.host,
        "peak": accelerator.peak,
        "measured": accelerator.measured,
        "accelerator": {name: getattr(accelerator, name) for name in ("memory", "memory_bandwidth", "power", "link")},
        "node": {"accelerators": machine.accelerators_per_node},
    }
    return {f"{group}.{name}": figure for group, entries in groups.items() for name, figure in entries.items()}


def _row(machine: Machine) -> tuple[str, ...]:
    return (
        machine.key,
        machine.kind,
        machine.accelerator.key,
        mark(machine.count["nodes"]),
        mark(machine.accelerators_per_node),
        mark(machine.power["model"], 4),
        machine.fp64 if machine.fp64 == "native" else f"none: {machine.correction}",
        "yes" if machine.verified else "NO",
        str(len(machine.conflicts)),
    )


def _head(machine: Machine) -> str:
    where = {"device": "on the accelerator", "host": "on the processors of the node", "emulated": "emulated"}
    lines = {
        "operator": machine.operator,
        "access": machine.openness,
        "verified": "yes" if machine.verified else "NO: there is no second source for this machine",
        "FP64": f"{machine.fp64}; the correction runs {where[machine.correction]}",
        "arrays": machine.array_library,
        "note": machine.accelerator.note,
    }
    return "\n".join(f"  {name:<9} {text}" for name, text in lines.items())


def _block(title: str, entries: Mapping[str, str]) -> str:
    if not entries:
        return ""
    width = max(map(len, entries))
    return title + "".join(f"\n  {name:<{width}}  {text}" for name, text in entries.items())


def _figures(title: str, entries: Mapping[str, Figure]) -> str:
    texts = {}
    for name, figure in entries.items():
        value = "unknown" if figure.value is None else f"{mark(figure)} {figure.unit}"
        about = ", ".join(filter(None, (figure.source, figure.note)))
        texts[name] = f"{value}  ({about})" if about else value
    return _block(title, texts)


def _job(machine: Machine) -> str:
    texts = {}
    for entry in fields(machine.job):
        value = getattr(machine.job, entry.name)
        if isinstance(value, tuple):
            value = " ".join(value)
        elif isinstance(value, Mapping):
            value = " ".join(f"{name}={text}" for name, text in value.items())
        texts[entry.name] = f"{value}{' ^r' if entry.name in machine.job.unverified else ''}".strip() or "-"
    return _block("job", texts)


def _sources(machine: Machine) -> str:
    used = {figure.source for figure in all_figures(machine).values() if figure.source} | {machine.job.source}
    return _block("sources", {key: sources()[key] for key in sorted(used)})
