"""Energy of a node of an HPE Cray EX from its power management counters."""

import re
from collections.abc import Sequence
from pathlib import Path

from mpsolve.energy.base import Counter, Meter
from mpsolve.errors import BackendUnavailable

FOLDER = "sys/cray/pm_counters"
#: Files and their scopes; that of the node has all others in it.
FILES = {"energy": "node", "cpu_energy": "cpu_package", "memory_energy": "dram"}
ACCELERATOR = re.compile(r"accel\d+_energy")
#: The counters are updated ten times a second (HPE Cray EX, power management counters).
PERIOD_S = 0.1
LINE = re.compile(r"(\d+) J\b.*")


class Cray(Meter):
    """Counters that everybody may read; those of a node include the work of others on it.

    Parameters
    ----------
    folder : Path
        Usually ``/sys/cray/pm_counters``.
    """

    name, kind, scope = "cray", "counter", "node"

    def __init__(self, folder: Path):
        self.folder = folder

    def read(self) -> tuple[Counter, ...]:
        """Read every energy counter of the node; see `Meter.read`."""
        found = {path.name: path for path in self.folder.glob("*energy")}
        if "energy" not in found:
            raise BackendUnavailable(f"no power management counters of HPE Cray in {self.folder}")
        scopes = FILES | {name: "gpu" for name in sorted(found) if ACCELERATOR.fullmatch(name)}
        before = self._freshness()
        counters = tuple(_counter(found[name], scope) for name, scope in scopes.items() if name in found)
        if self._freshness() != before:
            # An update came in between: the files may be of two moments.
            counters = tuple(_counter(found[name], scope) for name, scope in scopes.items() if name in found)
        return counters

    def _freshness(self) -> str:
        path = self.folder / "freshness"
        return path.read_text().strip() if path.exists() else ""


def _counter(path: Path, scope: str) -> Counter:
    try:
        text = path.read_text(encoding="ascii", errors="replace").strip()
    except OSError as problem:
        raise BackendUnavailable(f"cannot read {path}: {problem.strerror}") from None
    match = LINE.fullmatch(text)
    if match is None:
        raise BackendUnavailable(f"{path} holds {text[:40]!r} where a number of joules belongs")
    return Counter(f"cray:{path.name}", scope, path.name, float(match[1]), None, PERIOD_S)


def create(root: str | Path = "/", devices: Sequence[str] = ()) -> Meter:
    """Return the meter for the file system below `root`; it has all accelerators of the node."""
    return Cray(Path(root) / FOLDER)
