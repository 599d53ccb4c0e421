"""Work on a grid, phase by phase, with its ghost cells and sums."""

from mpsolve.precision import get_format
from mpsolve.projection.arithmetic import host_link_bytes_per_s, kernel_place
from mpsolve.projection.communication import multigrid_halos, network_of, reduction
from mpsolve.projection.machine import Machine
from mpsolve.projection.terms import Terms, roofline
from mpsolve.projection.work import Work

# Exchanges on each level of a cycle: smoothing before and after, the residual, and the correction.
EXCHANGES_PER_LEVEL = 4


def grid_phases(work: Work, machine: Machine, nodes: int) -> tuple[dict[str, Terms], list[str]]:
    """Return time by phase, and notes.

    Parameters
    ----------
    work : Work
        A run on a grid.
    machine : Machine
        The machine.
    nodes : int
        How many of its nodes.
    """
    network = network_of(machine, nodes)
    share = work.unknowns / network.devices
    phases: dict[str, Terms] = {}
    notes: list[str] = []
    moved = 0.0
    for phase in work.phases:
        if not (phase.flops or phase.bytes):
            continue
        place = kernel_place(machine, phase.format)
        time = roofline(
            phase.flops / network.devices, place.flops_per_s, phase.bytes / network.devices, place.bytes_per_s
        )
        name = f"{phase.name} {phase.format}" + (" (host)" if place.on_host else "")
        phases[name] = phases.get(name, Terms()) + time
        notes += [place.note] if place.note else []
        if place.on_host and phase.format == "fp64":
            # A correction takes the residual to the device and the update back.
            moved = 2 * 8 * share * max(work.refinements, 1)
    if moved:
        phases["to and from the host"] = Terms(bandwidth_s=moved / host_link_bytes_per_s(machine))
    itemsize = get_format(work.format).itemsize
    each = EXCHANGES_PER_LEVEL if work.levels > 1 else 1
    phases["ghost cells"] = work.exchanges * multigrid_halos(
        share, work.dimensions, itemsize, network, levels=work.levels, exchanges=each
    )
    phases["sums"] = work.reductions * reduction(network)
    notes.append(f"{work.exchanges:,} applications of the operator and {work.reductions:,.0f} sums, as in the run")
    return phases, notes
