"""Messages and reductions between devices, from the latency and bandwidth of a node."""

import math
from dataclasses import dataclass

from mpsolve.projection.machine import Machine
from mpsolve.projection.terms import Terms

# Part of the nominal bandwidth that messages of megabytes reach: 23.97 of 25 GB/s between two GH200 on two nodes over
# Slingshot-11 (osu_bw; CSCS documentation, in validation.toml).
LARGE_MESSAGES = 0.96

# Time to start one kernel on an accelerator, seconds; from memory, 3 to 10 microseconds on today's systems.
LAUNCH_S = 5e-6


@dataclass(frozen=True)
class Network:
    """What a message between devices costs.

    Attributes
    ----------
    latency_s : float
        Of a small message, seconds; 0 where it is unknown (and said so).
    node_bytes_per_s : float
        What all devices of a node send together, in one direction.
    link_bytes_per_s : float
        What one device sends to another one in its node.
    devices_per_node, nodes : int
        Devices in a node, and nodes.
    launch_s : float
        Time to start a kernel, seconds.
    """

    latency_s: float
    node_bytes_per_s: float
    link_bytes_per_s: float
    devices_per_node: int
    nodes: int
    launch_s: float = LAUNCH_S

    @property
    def devices(self) -> int:
        """All devices."""
        return self.devices_per_node * self.nodes

    def bytes_per_s(self) -> float:
        """Return what one device sends out while all do, in bytes per second."""
        if self.nodes == 1:
            return LARGE_MESSAGES * self.link_bytes_per_s
        return LARGE_MESSAGES * min(self.link_bytes_per_s, self.node_bytes_per_s / self.devices_per_node)


def network_of(machine: Machine, nodes: int) -> Network:
    """Return the network of some nodes of a machine."""
    latency = machine.network["latency"].value
    link = machine.network["link"].value or machine.accelerator.link.number
    return Network(
        latency_s=(latency or 0.0) * 1e-6,
        node_bytes_per_s=machine.network["injection"].number * 1e9,
        link_bytes_per_s=link * 1e9,
        devices_per_node=machine.devices_per_node,
        nodes=nodes,
        launch_s=0.0 if machine.accelerator.family == "host" else LAUNCH_S,
    )


def reduction(network: Network) -> Terms:
    """Return the time of a small sum over all devices: up and down a binary tree, log2 P messages each way."""
    levels = math.ceil(math.log2(network.devices)) if network.devices > 1 else 0
    return Terms(latency_s=2 * levels * network.latency_s + network.launch_s)


def halo(
    unknowns: float, dimensions: int, itemsize: float, network: Network, *, width: int = 1, fields: int = 1
) -> Terms:
    """Return the time of one exchange of ghost cells between blocks of equal sides, all faces at once.

    Parameters
    ----------
    unknowns : float
        Of one device.
    dimensions : int
        Of the grid.
    itemsize : float
        Bytes of a number in the message.
    network : Network
        Its latency is paid once, the bytes of all faces one after the other.
    width : int
        Layers of ghost cells.
    fields : int
        Exchanged together; the unknowns are those of all.
    """
    if network.devices == 1:
        return Terms(latency_s=network.launch_s)
    side = max(unknowns / fields, 1.0) ** (1 / dimensions)
    surface = 2 * dimensions * side ** (dimensions - 1) * width * fields
    # Neighbours in the same node need no network: of the block of a whole node only the surface leaves it.
    leaving = network.devices_per_node ** (-1 / dimensions) if network.nodes > 1 else 1.0
    seconds = leaving * surface * itemsize / network.bytes_per_s()
    return Terms(latency_s=network.latency_s + network.launch_s, bandwidth_s=seconds)


def strip_halo(columns: float, fields: int, itemsize: float, network: Network, *, width: int = 1) -> Terms:
    """Return the time of one exchange between blocks of whole rows: a row or more to each of two neighbours.

    Parameters
    ----------
    columns : float
        Cells of a row.
    fields : int
        Exchanged together: the latency is paid once.
    itemsize, network, width
        As in `halo`.
    """
    if network.devices == 1:
        return Terms(latency_s=network.launch_s)
    moved = 2 * columns * fields * width * itemsize / LARGE_MESSAGES
    # Both happen at once; of a node's rows only the first and the last leave it.
    leaving = moved / network.node_bytes_per_s if network.nodes > 1 else 0.0
    inside = moved / network.link_bytes_per_s if network.devices_per_node > 1 else 0.0
    return Terms(latency_s=network.latency_s + network.launch_s, bandwidth_s=max(leaving, inside))


def multigrid_halos(
    unknowns: float, dimensions: int, itemsize: float, network: Network, *, levels: int, exchanges: int, fields: int = 1
) -> Terms:
    """Return the time of the exchanges of one multigrid cycle, level by level.

    Each level has 2^-d of the unknowns of the one above; when a device has none left, a level still costs its latency.

    Parameters
    ----------
    unknowns, dimensions, itemsize, network
        As in `halo`, on the finest level.
    levels : int
        Number of levels.
    exchanges : int
        Exchanges on each of them: smoothing, residual, restriction, correction.
    fields : int
        As in `halo`.
    """
    total = Terms()
    for level in range(levels):
        total += exchanges * halo(unknowns / 2 ** (dimensions * level), dimensions, itemsize, network, fields=fields)
    return total
