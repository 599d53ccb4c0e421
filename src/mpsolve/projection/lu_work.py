"""A dense run on a machine: its panels, its corrections, and the matrix that fits."""

import math
from dataclasses import replace

from mpsolve.errors import ConfigError
from mpsolve.precision import get_format
from mpsolve.projection import fit
from mpsolve.projection.arithmetic import host_link_bytes_per_s, kernel_place
from mpsolve.projection.benchmarks import FILL
from mpsolve.projection.communication import network_of
from mpsolve.projection.dense_lu import DenseProblem, DenseRates, factorisation, refinement
from mpsolve.projection.machine import Machine
from mpsolve.projection.roofline import family_format, memory_bytes, memory_bytes_per_s, product_rate
from mpsolve.projection.terms import Terms
from mpsolve.projection.work import Work

# Blocks that are tried; the best one counts, as mpsolve itself chooses it.
BLOCKS = (64, 128, 256, 512, 1024, 2560)

# Bytes for each unknown of a run on a grid: right-hand side, solution, residual and update in FP64, five vectors of
# conjugate gradients and the coefficients in up to FP32.
GRID_BYTES = 80
# The same of the climate core in FP64: two states, three increments, and a third of the ground.
CLIMATE_BYTES = 43


def dense_phases(work: Work, machine: Machine, nodes: int) -> tuple[dict[str, Terms], list[str]]:
    """Return time by phase, and notes; parameters as for `mpsolve.projection.grid_work.grid_phases`.

    Raises
    ------
    ConfigError
        If the machine has no arithmetic for the products.
    """
    network = network_of(machine, nodes)
    rates, notes, on_host = rates_of(work, machine)
    problem = min(
        (_problem(work, block) for block in BLOCKS if block <= max(work.unknowns, BLOCKS[0])),
        key=lambda one: factorisation(one, rates, network).total_s,
    )
    phases = {
        "factorisation": factorisation(problem, rates, network),
        "refinement": refinement(problem, rates, network),
    }
    notes.append(f"n = {problem.n:,}, blocks of {problem.block}, {problem.refinements} refinements as in the run")
    if on_host:
        moved = 2 * 8 * problem.n / network.devices**0.5 * (problem.refinements + 1)
        phases["to and from the host"] = Terms(bandwidth_s=moved / host_link_bytes_per_s(machine))
    return phases, notes


def rates_of(work: Work, machine: Machine) -> tuple[DenseRates, list[str], bool]:
    """Return the rates of one device, notes, and whether corrections run on the host.

    Raises
    ------
    ConfigError
        If there is no arithmetic for the products of the run's format.
    """
    accelerator = machine.accelerator
    update = product_rate(accelerator, work.format, machine.correction)
    if update is None:
        raise ConfigError(f"{machine.key} has no products in {work.format} or a wider format; project another run")
    panel = kernel_place(machine, "fp64" if work.format == "fp64" else "fp32")
    fp64 = kernel_place(machine, "fp64")
    efficiency = fit.of_accelerator("fp64" if update.format == "fp64" else "low", accelerator)
    notes = [place.note for place in (panel, fp64) if place.note]
    if update.format != family_format(work.format):
        notes.append(f"no {work.format} on this accelerator: products run in {update.format}")
    if efficiency.pooled:
        notes.append("no published result of this family: its efficiency is the mean of the other families")
    memory = memory_bytes_per_s(accelerator)
    # The rates of a calibration are those of products with a small inner size, which include this traffic.
    beside = math.inf if accelerator.family == "host" else memory
    rates = DenseRates(
        update.flops_per_s * efficiency.value, panel.flops_per_s, fp64.flops_per_s, memory, beside, fp64.bytes_per_s
    )
    if accelerator.family == "host":
        rates = replace(rates, dependent_step_s=0.0)
    return rates, notes, fp64.on_host


def fits(work: Work, machine: Machine, nodes: int) -> None:
    """Refuse a matrix that is larger than the memory of the nodes.

    Raises
    ------
    ConfigError
        With the number of nodes that would do.
    """
    held = memory_bytes(machine.accelerator) * machine.devices_per_node
    needed = math.ceil(store_bytes(work) * float(work.unknowns) ** 2 / held)
    if needed > nodes:
        raise ConfigError(f"a matrix of order {work.unknowns} takes {needed} nodes of {machine.key}, not {nodes}")


def largest(work: Work, machine: Machine, nodes: int) -> int:
    """Return the unknowns that fill `FILL` of the memory of some nodes."""
    held = FILL * memory_bytes(machine.accelerator) * machine.devices_per_node * nodes
    if work.dense:
        return int((held / store_bytes(work)) ** 0.5)
    return int(held / (CLIMATE_BYTES if work.app == "climate" else GRID_BYTES))


def store_bytes(work: Work) -> float:
    """Return bytes of an entry of the factors, with the FP64 matrix beside them where it is kept."""
    factors = 8.0 if work.format == "fp64" else 4.0
    return factors + (0.0 if work.generated or work.format == "fp64" else 8.0)


def _problem(work: Work, block: int) -> DenseProblem:
    return DenseProblem(
        n=work.unknowns,
        block=block,
        item_bytes=get_format(work.format).itemsize,
        store_bytes=8.0 if work.format == "fp64" else 4.0,
        pivoting=work.pivoting,
        refinements=work.refinements,
        generated=work.generated,
    )
