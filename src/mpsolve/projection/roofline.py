"""Rates of one device in a format: the peak, or what was measured, with the format that stands in for one it lacks."""

from dataclasses import dataclass

from mpsolve.errors import ConfigError
from mpsolve.projection.machine import Accelerator, Machine

# A format that a device lacks is computed in the next one of this list that it has: the narrowest that holds its values
# or, between BF16 and FP16, the other 16-bit format.
STAND_INS = {
    "fp8": ("fp8", "fp16", "bf16", "tf32", "fp32", "fp64"),
    "bf16": ("bf16", "fp16", "tf32", "fp32", "fp64"),
    "fp16": ("fp16", "bf16", "tf32", "fp32", "fp64"),
    "tf32": ("tf32", "fp32", "fp64"),
    "fp32": ("fp32", "fp64"),
    "fp64": ("fp64",),
}

# FP64 and FP32 arithmetic in kernels that are not plain products (panels, triangles) reaches about half of the vector
# peak: an assumption, which the fitted efficiency of products absorbs in part.
VECTOR_FRACTION = 0.5


@dataclass(frozen=True)
class Rate:
    """The rate of one device in a format.

    Attributes
    ----------
    flops_per_s : float
        Peak, or the measured rate.
    format : str
        The format it computes in.
    measured : bool
        Whether the rate was measured on products, so that no peak has to be discounted.
    """

    flops_per_s: float
    format: str
    measured: bool


def family_format(name: str) -> str:
    """Return the key of the catalogue for a number format of mpsolve: ``fp8_e4m3`` is ``fp8`` there."""
    return "fp8" if name.startswith("fp8") else name


def product_rate(accelerator: Accelerator, format_name: str, correction: str = "device") -> Rate | None:
    """Return the rate of one device in matrix products, or None if it has neither the format nor a wider one.

    Parameters
    ----------
    accelerator : Accelerator
        The device, or the pair of devices in one package.
    format_name : str
        A number format of mpsolve.
    correction : str
        ``"emulated"`` gives FP64 its emulated rate.
    """
    for name in STAND_INS[family_format(format_name)]:
        keys = ("fp64_emulated",) if correction == "emulated" and name == "fp64" else (f"{name}_matrix", name)
        for group, measured in ((accelerator.measured, True), (accelerator.peak, False)):
            for key in (f"{name}_gemm", name) if measured else keys:
                figure = group.get(key)
                if figure is not None and figure.value:
                    return Rate(figure.value * 1e12 / accelerator.devices, name, measured)
    return None


def vector_rate(accelerator: Accelerator, format_name: str) -> Rate | None:
    """Return the rate of one device in other kernels, or None if it has no such arithmetic.

    Formats below FP32 are decoded and computed in FP32, where the device has a published rate for it.
    """
    wanted = "fp64" if family_format(format_name) == "fp64" else "fp32"
    for name in STAND_INS[wanted]:
        for group, measured in ((accelerator.measured, True), (accelerator.peak, False)):
            figure = group.get(name)
            if figure is not None and figure.value:
                return Rate(VECTOR_FRACTION * figure.value * 1e12 / accelerator.devices, name, measured)
    return None


def host_rate(machine: Machine) -> Rate:
    """Return the FP64 rate of a node's processors as the share of one device.

    Raises
    ------
    ConfigError
        If the machine file has none.
    """
    figure = machine.host.get("fp64")
    if figure is None or not figure.value:
        raise ConfigError(f"{machine.key} has no FP64 and no [host] fp64 in its file; add it, in TFLOP/s for each node")
    return Rate(VECTOR_FRACTION * figure.value * 1e12 / machine.devices_per_node, "fp64", False)


def memory_bytes_per_s(accelerator: Accelerator) -> float:
    """Return the nominal bandwidth of one device's memory, or the measured one, in bytes per second."""
    figure = accelerator.measured.get("memory_bandwidth", accelerator.memory_bandwidth)
    return figure.number * 1e12 / accelerator.devices


def memory_bytes(accelerator: Accelerator) -> float:
    """Return the memory of one device in bytes."""
    return accelerator.memory.number * 1e9 / accelerator.devices
