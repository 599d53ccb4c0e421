"""Energy of NVIDIA's cards from samples of their power: a second opinion on the counters."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mpsolve.energy.base import Counter, Meter, PowerIntegral
from mpsolve.energy.nvidia import handles
from mpsolve.errors import BackendUnavailable

WATTS_PER_MILLIWATT = 1e-3
#: Between two samples. The sensor of an A100 or H100 averages over a quarter of that at best (arXiv:2312.02741).
SAMPLE_S = 0.1


class NvmlPower(Meter):
    """The cards that this rank uses, by UUID.

    On a Grace Hopper module the power of the card alone may be refused; the meter grace has that of the module.

    Parameters
    ----------
    devices : sequence of str
        UUIDs.
    """

    name, kind, scope = "nvml_power", "sampled", "gpu"
    look_every_s = SAMPLE_S

    def __init__(self, devices: Sequence[str]):
        self.devices = tuple(device for device in devices if device.startswith("GPU-"))
        self._sums = {uuid: PowerIntegral() for uuid in self.devices}

    def read(self) -> tuple[Counter, ...]:
        """Sample the power of each card, and return the sums so far; see `Meter.read`."""
        library, cards = handles(self.devices)
        return tuple(self._counter(library, uuid, card) for uuid, card in cards.items())

    def _counter(self, library: Any, uuid: str, card: Any) -> Counter:
        try:
            watts = library.nvmlDeviceGetPowerUsage(card) * WATTS_PER_MILLIWATT
        except library.NVMLError as problem:
            raise BackendUnavailable(f"NVML cannot read the power of {uuid}: {problem}") from None
        joules = self._sums[uuid].add(watts, time.monotonic())
        return Counter(uuid, "gpu", f"power of {uuid}", joules, None, SAMPLE_S)


def create(root: str | Path = "/", devices: Sequence[str] = ()) -> Meter:
    """Return the meter of some cards; files do not matter."""
    return NvmlPower(devices)
