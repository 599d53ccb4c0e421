"""Processor and memory energy from the kernel's powercap counters (RAPL, Intel and AMD)."""

import re
from collections.abc import Sequence
from pathlib import Path

from mpsolve.energy.base import Counter, Meter
from mpsolve.errors import BackendUnavailable

# Zones and their children appear flat in this folder. `intel-rapl-mmio:*` shows the same packages through another
# door and must not be counted again; zone numbers may have several digits.
FOLDER = "sys/class/powercap"
ZONE = re.compile(r"intel-rapl:\d+(:\d+)?")

# RAPL counters are updated about every millisecond (Intel SDM volume 3B, section "RAPL Interfaces").
PERIOD_S = 1e-3
JOULES_PER_MICROJOULE = 1e-6


class Rapl(Meter):
    """Packages and DRAM of one host; ``core``, ``uncore`` and ``psys`` overlap them and are left out.

    The counters cover the whole socket: on a shared node they include the work of others.

    Parameters
    ----------
    folder : Path
        The powercap folder, usually ``/sys/class/powercap``.
    """

    name = "rapl"
    kind = "counter"
    scope = "cpu_package"

    def __init__(self, folder: Path):
        self.folder = folder

    def read(self) -> tuple[Counter, ...]:
        """Read all package and DRAM counters; see `Meter.read`."""
        zones = sorted(zone for zone in self.folder.glob("intel-rapl:*") if ZONE.fullmatch(zone.name))
        counters = tuple(counter for counter in map(_counter, zones) if counter is not None)
        if not counters:
            raise BackendUnavailable(
                f"no powercap counters below {self.folder}; virtual machines and containers often hide them: "
                f"measure on the host"
            )
        return counters


def create(root: str | Path = "/", devices: Sequence[str] = ()) -> Meter:
    """Return the meter for the file system below `root`; cards do not matter."""
    return Rapl(Path(root) / FOLDER)


def _counter(zone: Path) -> Counter | None:
    label = _read(zone / "name")
    if label != "dram" and not label.startswith("package"):
        return None
    joules = _microjoules(zone / "energy_uj") * JOULES_PER_MICROJOULE
    range_joules = _microjoules(zone / "max_energy_range_uj") * JOULES_PER_MICROJOULE
    scope = "dram" if label == "dram" else "cpu_package"
    return Counter(zone.name, scope, f"{zone.name} {label}", joules, range_joules, PERIOD_S)


def _microjoules(path: Path) -> int:
    text = _read(path)
    if not text.isdecimal():
        raise BackendUnavailable(f"{path} holds {text[:40]!r} where a number of microjoules belongs")
    return int(text)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except PermissionError:
        raise BackendUnavailable(
            f"no permission to read {path}: powercap counters are root-only since Linux 5.10; "
            f"ask the administrator for read access (udev rule with chmod a+r on energy_uj)"
        ) from None
    except OSError as problem:
        raise BackendUnavailable(f"cannot read {path}: {problem.strerror}") from None
