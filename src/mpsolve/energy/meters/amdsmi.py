"""Energy of AMD's cards from their own counters, through AMD SMI."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from mpsolve.energy.base import Counter, Meter
from mpsolve.energy.period import measured_period_s
from mpsolve.errors import BackendUnavailable

JOULES_PER_MICROJOULE = 1e-6
#: The accumulator was called ``power`` up to version 6.2.1.
ACCUMULATORS = ("energy_accumulator", "power")


class AmdSmi(Meter):
    """The cards that this rank uses, by PCI address.

    Guests of virtual machines see no counter, and that of an MI100 or MI210 may stand still (ROCm/amdsmi issue 38): one
    that does not move is refused, and so is the die of a card whose energy the other die counts.

    Parameters
    ----------
    devices : sequence of str
        PCI addresses such as ``0000:c1:00.0``.
    """

    name, kind, scope = "amdsmi", "counter", "gpu"

    def __init__(self, devices: Sequence[str]):
        self.devices = tuple(device.lower() for device in devices if ":" in device)
        self._periods: dict[str, float] = {}

    def read(self) -> tuple[Counter, ...]:
        """Read the counter of each card; see `Meter.read`."""
        if not self.devices:
            raise BackendUnavailable("this run uses no card of AMD")
        try:
            amdsmi = import_module("amdsmi")
        except (ImportError, OSError, KeyError):
            raise BackendUnavailable("the energy of AMD's cards needs the package amdsmi of the ROCm release") from None
        try:
            amdsmi.amdsmi_init()
            handles = amdsmi.amdsmi_get_processor_handles()
            found = {amdsmi.amdsmi_get_gpu_device_bdf(handle).lower(): handle for handle in handles}
            return tuple(self._counter(amdsmi, address, found) for address in self.devices)
        except amdsmi.AmdSmiException as problem:
            raise BackendUnavailable(f"AMD SMI cannot read the energy: {problem}") from None

    def _counter(self, library: Any, address: str, found: dict[str, Any]) -> Counter:
        if address not in found:
            raise BackendUnavailable(f"AMD SMI does not know the card {address}; it has {', '.join(found) or 'none'}")
        if address not in self._periods:
            self._periods[address] = measured_period_s(lambda: _joules(library, found[address]), address)
        return Counter(address, "gpu", address, _joules(library, found[address]), None, self._periods[address])


def _joules(library: Any, handle: Any) -> float:
    read = library.amdsmi_get_energy_count(handle)
    counts = next((read[name] for name in ACCUMULATORS if name in read), 0)
    return counts * read.get("counter_resolution", 0.0) * JOULES_PER_MICROJOULE


def create(root: str | Path = "/", devices: Sequence[str] = ()) -> Meter:
    """Return the meter of some cards; files do not matter."""
    return AmdSmi(devices)
