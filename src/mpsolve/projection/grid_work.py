"""Work on a grid, phase by phase, with its ghost cells and sums."""

from mpsolve.errors import ConfigError
from mpsolve.precision import get_format
from mpsolve.projection.arithmetic import host_link_bytes_per_s, kernel_place
from mpsolve.projection.communication import Network, multigrid_halos, network_of, reduction, strip_halo
from mpsolve.projection.machine import Machine
from mpsolve.projection.terms import Terms, roofline
from mpsolve.projection.work import FILTER, Phase, Work

# Exchanges on each level of a cycle: smoothing before and after, the residual, and the correction.
EXCHANGES_PER_LEVEL = 4

FILTER_NOTE = "the polar filter is counted on the device; mpsolve computes it on the processors beside a GPU today"

# A block of whole rows has at least as many as it has ghost rows (`mpsolve.models.shallow_water.stepping.HALO`).
ROWS_OF_A_DEVICE = 2


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
    phases: dict[str, Terms] = {}
    notes: list[str] = []
    for phase in work.phases:
        if not (phase.flops or phase.bytes):
            continue
        place = kernel_place(machine, phase.format)
        # The fullest device is waited for.
        share = network.devices / _imbalance(work, phase, network.devices)
        time = roofline(phase.flops / share, place.flops_per_s, phase.bytes / share, place.bytes_per_s)
        name = f"{phase.name} {phase.format}" + (" (host)" if place.on_host else "")
        phases[name] = phases.get(name, Terms()) + time
        notes += [place.note] if place.note else []
    if moved := _moved(work, machine, network.devices):
        phases["to and from the host"] = Terms(bandwidth_s=moved / host_link_bytes_per_s(machine))
    phases["ghost cells"] = _ghosts(work, network)
    phases["sums"] = work.reductions * reduction(network)
    if work.strips:
        notes.append(FILTER_NOTE)
    done = "stages of steps" if work.strips else "applications of the operator"
    notes.append(f"{work.exchanges:,} {done} and {work.reductions:,.0f} sums, as in the run")
    return phases, notes


def check_rows(work: Work, machine: Machine, nodes: int) -> None:
    """Refuse more devices than a grid has rows for, where these stay whole.

    Raises
    ------
    ConfigError
        With the number of nodes that would do.
    """
    most = most_nodes(work, machine)
    if work.strips and nodes > most:
        raise ConfigError(
            f"the polar filter keeps rows whole: {work.strips.rows} of them are enough for {most} nodes of "
            f"{machine.key}, not {nodes}; project a run with more rows, or --size memory"
        )


def most_nodes(work: Work, machine: Machine) -> int:
    """Return how many nodes of a machine a run can be divided among: all, unless its rows stay whole; maybe none."""
    if work.strips is None:
        return machine.nodes
    return min(machine.nodes, work.strips.rows // ROWS_OF_A_DEVICE // machine.devices_per_node)


def _imbalance(work: Work, phase: Phase, devices: int) -> float:
    """Return the work of the fullest device over the mean: the rows that are filtered lie at the two ends."""
    if work.strips is None or phase.name != FILTER or devices == 1:
        return 1.0
    of_the_last = min(1.0, devices * work.strips.filtered / 2)
    return of_the_last / work.strips.filtered


def _moved(work: Work, machine: Machine, devices: int) -> float:
    """Return the bytes that the fullest device exchanges with the processors, where these do a part of its work."""
    places = {phase: kernel_place(machine, phase.format) for phase in work.phases if phase.flops or phase.bytes}
    on_host = [phase for phase, place in places.items() if place.on_host]
    if not on_host or len(on_host) == len(places):
        return 0.0
    if work.strips:
        return sum(phase.bytes * _imbalance(work, phase, devices) for phase in on_host) / devices
    # A correction takes the residual to the device and the update back.
    corrections = max(work.refinements, 1) if any(phase.format == "fp64" for phase in on_host) else 0
    return 2 * 8 * work.unknowns / devices * corrections


def _ghosts(work: Work, network: Network) -> Terms:
    itemsize = work.item_bytes or get_format(work.format).itemsize
    if work.strips:
        return work.exchanges * strip_halo(work.strips.columns, work.fields, itemsize, network)
    each = EXCHANGES_PER_LEVEL if work.levels > 1 else 1
    share = work.unknowns / network.devices
    return work.exchanges * multigrid_halos(
        share, work.dimensions, itemsize, network, levels=work.levels, exchanges=each, fields=work.fields
    )
