"""A measured run on another machine: time by what limits it, energy and accuracy, with how sure the model is."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mpsolve.errors import ConfigError
from mpsolve.precision import get_format
from mpsolve.projection import spread
from mpsolve.projection.communication import network_of
from mpsolve.projection.grid_work import check_rows, grid_phases
from mpsolve.projection.lu_work import dense_phases, fits, largest
from mpsolve.projection.machine import Machine
from mpsolve.projection.terms import Terms
from mpsolve.projection.work import FILTER, Work

# Power of a node whose devices wait for messages, as a part of its power at work: an assumption. Accelerators idle at a
# sixth to a quarter of their design power, and processors, memory, fans and network go on.
IDLE_PART = 0.3


@dataclass(frozen=True)
class Projection:
    """One run on one machine.

    Attributes
    ----------
    run, machine : str
        Names.
    nodes, devices : int
        Of the machine.
    unknowns : int
        Size of the problem there.
    phases : mapping
        Phase to its time in seconds, by what limits it.
    terms : Terms
        Their sum.
    low_s, high_s : float
        The time divided and multiplied by the spread of the model's errors.
    energy_j : float or None
        Energy of all nodes, in joules, modelled; None where no power is known.
    idle_j : float or None
        The part of it in which the devices wait.
    accuracy : mapping
        What the run reached; the corrections are FP64 on every machine.
    notes : tuple of str
        What stands in for what is missing or unknown.
    """

    run: str
    machine: str
    nodes: int
    devices: int
    unknowns: int
    phases: Mapping[str, Terms]
    terms: Terms
    low_s: float
    high_s: float
    energy_j: float | None
    idle_j: float | None
    accuracy: Mapping[str, float]
    notes: tuple[str, ...]

    @property
    def time_s(self) -> float:
        """The projected time in seconds."""
        return self.terms.total_s


def project(work: Work, machine: Machine, nodes: int) -> Projection:
    """Project a run onto some nodes of a machine.

    Parameters
    ----------
    work : Work
        The run; see `grown` for another size.
    machine : Machine
        The machine.
    nodes : int
        How many of its nodes.

    Raises
    ------
    ConfigError
        If the machine has fewer nodes, the problem does not fit into their memory or cannot be divided among them, or
        an arithmetic is missing.
    UnknownNameError
        If the record names a format that mpsolve does not have.
    """
    check_nodes(machine, nodes)
    for name in {work.format, *(phase.format for phase in work.phases)}:
        get_format(name)
    (fits if work.dense else check_rows)(work, machine, nodes)
    phases, notes = (dense_phases if work.dense else grid_phases)(work, machine, nodes)
    terms = sum(phases.values(), Terms())
    factor = spread.factor("low" if work.dense and work.format != "fp64" else "fp64" if work.dense else "bandwidth")
    watts = machine.node_power_w
    idle = None if watts is None else IDLE_PART * watts * nodes * terms.waiting_s
    return Projection(
        run=work.name,
        machine=machine.key,
        nodes=nodes,
        devices=network_of(machine, nodes).devices,
        unknowns=work.unknowns,
        phases=phases,
        terms=terms,
        low_s=terms.total_s / factor,
        high_s=terms.total_s * factor,
        energy_j=None if watts is None or idle is None else watts * nodes * terms.busy_s + idle,
        idle_j=idle,
        accuracy=work.accuracy,
        notes=tuple(dict.fromkeys((*notes, *_unknowns(machine)))),
    )


def check_nodes(machine: Machine, nodes: int) -> None:
    """Refuse more nodes than a machine has.

    Raises
    ------
    ConfigError
        With the number that it has.
    """
    if not 1 <= nodes <= machine.nodes:
        raise ConfigError(f"{machine.key} has 1 to {machine.nodes} nodes, not {nodes}; give --nodes in that range")


def grown(work: Work, machine: Machine, nodes: int, size: str) -> Work:
    """Return the run with its own size, or with the size that fills the memory of some nodes.

    Work on a grid grows with its unknowns while iterations and steps stay as many, and that of a filter with the
    logarithm of its rows besides; a matrix of order n takes n cubed flops.

    Parameters
    ----------
    work, machine, nodes
        As in `project`.
    size : str
        One of `mpsolve.projection.work.SIZES`.
    """
    if size == "run":
        return work
    unknowns = largest(work, machine, nodes)
    factor, strips = unknowns / work.unknowns, work.strips
    levels = work.levels if work.levels == 1 else max(1, work.levels + round(math.log2(factor) / work.dimensions))
    longer = 1.0
    if strips:
        sides = math.sqrt(factor)
        strips = replace(strips, rows=int(strips.rows * sides), columns=int(strips.columns * sides))
        # A transform of n numbers takes n log n operations.
        longer = max(1.0, math.log2(strips.columns) / math.log2(max(work.strips.columns, 2)) if work.strips else 1.0)
    phases = tuple(
        replace(
            phase,
            flops=int(phase.flops * factor * (longer if phase.name == FILTER else 1.0)),
            bytes=int(phase.bytes * factor),
        )
        for phase in work.phases
    )
    return replace(work, unknowns=unknowns, phases=phases, levels=levels, strips=strips)


def grown_alike(works: Sequence[Work], machine: Machine, nodes: int) -> list[Work]:
    """Return runs with the size that all of them have room for in the memory of some nodes.

    Matrices in FP64 take twice the memory of those in FP32: only one that fits in each format can be compared.

    Parameters
    ----------
    works : sequence of Work
        At least one.
    machine, nodes
        As in `project`.
    """
    large = [grown(work, machine, nodes, "memory") for work in works]
    least = min(work.unknowns for work in large)
    return [replace(work, unknowns=least) if work.dense else work for work in large]


def node_counts(machine: Machine, text: str) -> tuple[int, ...]:
    """Return the numbers of nodes that ``--nodes`` means: ``4``, ``all``, or powers of two in ``1..all``.

    Raises
    ------
    ConfigError
        If it cannot be read or is out of range.

    Examples
    --------
    >>> from mpsolve.projection.catalogue import load_machine
    >>> node_counts(load_machine("panaai"), "64..all")
    (64, 128, 256, 511)
    """
    try:
        ends = [machine.nodes if part == "all" else int(part) for part in text.split("..")]
    except ValueError:
        ends = []
    if len(ends) not in (1, 2):
        raise ConfigError(f"--nodes {text!r} is no number of nodes; give for instance 4, all, 1..64 or 1..all")
    for nodes in ends:
        check_nodes(machine, nodes)
    if len(ends) == 1:
        return (ends[0],)
    if ends[0] > ends[1]:
        raise ConfigError(f"--nodes {text!r} goes down; give the smaller number first")
    doubled = [ends[0] * 2**power for power in range(64) if ends[0] * 2**power < ends[1]]
    return (*doubled, ends[1])


def _unknowns(machine: Machine) -> list[str]:
    notes = [
        f"{name} is not known and counted as 0: the time is too short by it"
        for name in ("latency",)
        if not machine.network[name].known
    ]
    recalled = [name for name in ("injection", "latency", "link") if machine.network[name].status == "recall"]
    if machine.power["model"].status == "recall":
        recalled.append("power")
    if recalled:
        notes.append(f"from memory, unverified: {', '.join(recalled)}")
    if not machine.power["model"].known:
        notes.append("no power is known, so that there is no energy")
    if not machine.verified:
        notes.append("there is no second source for this machine")
    return notes
