"""Energy of NVIDIA's cards from their own counters, through NVML."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mpsolve.energy.base import Counter, Meter
from mpsolve.energy.nvidia import handles
from mpsolve.energy.period import measured_period_s
from mpsolve.errors import BackendUnavailable

JOULES_PER_MILLIJOULE = 1e-3


class Nvml(Meter):
    """The cards that this rank uses, by UUID; the counters (Volta and later) run since the driver was loaded.

    Parameters
    ----------
    devices : sequence of str
        UUIDs.
    """

    name, kind, scope = "nvml", "counter", "gpu"

    def __init__(self, devices: Sequence[str]):
        self.devices = tuple(device for device in devices if device.startswith("GPU-"))
        self._periods: dict[str, float] = {}

    def read(self) -> tuple[Counter, ...]:
        """Read the counter of each card; see `Meter.read`."""
        library, cards = handles(self.devices)
        return tuple(self._counter(library, uuid, card) for uuid, card in cards.items())

    def _counter(self, library: Any, uuid: str, card: Any) -> Counter:
        if uuid not in self._periods:
            self._periods[uuid] = measured_period_s(lambda: _joules(library, uuid, card), uuid)
        return Counter(uuid, "gpu", uuid, _joules(library, uuid, card), None, self._periods[uuid])


def _joules(library: Any, uuid: str, card: Any) -> float:
    try:
        return library.nvmlDeviceGetTotalEnergyConsumption(card) * JOULES_PER_MILLIJOULE
    except library.NVMLError as problem:
        raise BackendUnavailable(f"NVML cannot read the energy of {uuid}: {problem}") from None


def create(root: str | Path = "/", devices: Sequence[str] = ()) -> Meter:
    """Return the meter of some cards; files do not matter."""
    return Nvml(devices)
