"""Where a phase of a run computes on a machine: on its devices, or on the processors beside them."""

from dataclasses import dataclass

from mpsolve.projection import fit
from mpsolve.projection.machine import Machine
from mpsolve.projection.roofline import (
    VECTOR_FRACTION,
    family_format,
    host_rate,
    memory_bytes_per_s,
    product_rate,
    vector_rate,
)


@dataclass(frozen=True)
class Place:
    """Where and how fast.

    Attributes
    ----------
    flops_per_s, bytes_per_s : float
        Of one device, or of its share of the processors of the node.
    on_host : bool
        Whether it is the processors.
    note : str
        What stands in for what; empty if nothing does.
    """

    flops_per_s: float
    bytes_per_s: float
    on_host: bool = False
    note: str = ""


def kernel_place(machine: Machine, format_name: str) -> Place:
    """Return where kernels of a format run that are no matrix products.

    A machine without FP64 computes it where its file says: on the host, or emulated. A format whose arithmetic has no
    published rate goes to the host as well, instead of being given one.

    Parameters
    ----------
    machine : Machine
        The machine.
    format_name : str
        A number format of mpsolve.
    """
    accelerator = machine.accelerator
    memory = memory_bytes_per_s(accelerator) * memory_efficiency(machine)
    rate = vector_rate(accelerator, format_name)
    if rate is not None:
        return Place(rate.flops_per_s, memory)
    if family_format(format_name) == "fp64" and machine.correction == "emulated":
        emulated = product_rate(accelerator, "fp64", "emulated")
        if emulated is not None:
            return Place(VECTOR_FRACTION * emulated.flops_per_s, memory, note="FP64 is emulated in low precision")
    products = product_rate(accelerator, format_name) if format_name not in ("fp64", "fp32") else None
    if products is not None:
        note = f"no FP32 rate is published: {format_name} kernels are counted in {products.format}"
        return Place(VECTOR_FRACTION * products.flops_per_s, memory, note=note)
    host = host_rate(machine)
    share = machine.host["memory_bandwidth"].number * 1e12 / machine.devices_per_node
    reason = "no FP64" if format_name == "fp64" else f"no published {format_name} rate"
    return Place(host.flops_per_s, share, True, f"{reason} on the accelerator: {format_name} runs on the host")


def memory_efficiency(machine: Machine) -> float:
    """Return the part of the nominal bandwidth that HPCG reaches on the family, at most 1."""
    return min(1.0, fit.of_accelerator("bandwidth", machine.accelerator).value)


def host_link_bytes_per_s(machine: Machine) -> float:
    """Return what one device exchanges with the processors of its node, in bytes per second in one direction."""
    return machine.host["link"].number * 1e9 / machine.devices_per_node
