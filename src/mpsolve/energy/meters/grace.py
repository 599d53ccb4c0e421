"""Energy of NVIDIA Grace and Grace Hopper modules from samples of the power that their firmware reports."""

import re
import time
from collections.abc import Sequence
from pathlib import Path

from mpsolve.energy.base import Counter, Meter, PowerIntegral
from mpsolve.errors import BackendUnavailable

FOLDER = "sys/class/hwmon"
WATTS_PER_MICROWATT = 1e-6
#: The firmware averages over this time by default (NVIDIA Grace performance tuning guide, power telemetry).
SAMPLE_S = 0.05
#: What a sensor says it measures, and its scope; a module has both processors in it, Grace its cores and its memory.
SCOPES = {"module": "module", "grace": "cpu_package"}
LABEL = re.compile(r"(module|grace) power socket (\d+)", re.IGNORECASE)


class Grace(Meter):
    """All sockets of a node; sensors of parts of a socket are left out, since these are in it.

    Parameters
    ----------
    folder : Path
        Usually ``/sys/class/hwmon``.
    """

    name, kind, scope = "grace", "sampled", "module"
    look_every_s = SAMPLE_S

    def __init__(self, folder: Path):
        self.folder = folder
        self._sums: dict[str, PowerIntegral] = {}

    def read(self) -> tuple[Counter, ...]:
        """Sample every sensor, and return the sums so far; see `Meter.read`."""
        counters = []
        for info in sorted(self.folder.glob("hwmon*/device/power*_oem_info")):
            label = _read(info)
            match = LABEL.fullmatch(label)
            if match is not None:
                watts = _microwatts(info.with_name(info.name.replace("_oem_info", "_average"))) * WATTS_PER_MICROWATT
                joules = self._sums.setdefault(label, PowerIntegral()).add(watts, time.monotonic())
                scope = SCOPES[match[1].lower()]
                counters.append(Counter(f"grace:{label}", scope, label, joules, None, SAMPLE_S))
        if not counters:
            raise BackendUnavailable(f"no power sensors of NVIDIA Grace below {self.folder}")
        return tuple(counters)


def _microwatts(path: Path) -> int:
    text = _read(path)
    if not text.isdecimal():
        raise BackendUnavailable(f"{path} holds {text[:40]!r} where a number of microwatts belongs")
    return int(text)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError as problem:
        raise BackendUnavailable(f"cannot read {path}: {problem.strerror}") from None


def create(root: str | Path = "/", devices: Sequence[str] = ()) -> Meter:
    """Return the meter for the file system below `root`; cards do not matter."""
    return Grace(Path(root) / FOLDER)
