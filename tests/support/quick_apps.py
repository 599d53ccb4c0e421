"""Apps as processes that begin quickly, and the ranks of a job, for what strikes them."""

import sys
from pathlib import Path

import h5py

#: An app of which the copy that measures the machine is small: it takes longer than these runs.
PROGRAM = """
import importlib, sys
from mpsolve.parallel import launch, stream

stream.ARRAY_BYTES = stream.LEAST_BYTES = 1 << 20
sys.exit(launch.run(importlib.import_module("mpsolve.apps." + sys.argv[1]).main, sys.argv[2:]))
"""
#: What holds the answer of an app.
FIELDS = ("temperature", "annual_mean", "height", "x")


def command(ranks, words, out, *more):
    """Return what starts the app that the first word names."""
    mpirun = Path(sys.executable).parent / "mpirun"
    return [str(mpirun), "-n", str(ranks), sys.executable, "-c", PROGRAM, *words, "--out", str(out), *more]


def ranks_below(pid):
    """Return the processes of Python that descend from a process."""
    parents, names = {}, {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                fields = (folder / "stat").read_text().rpartition(")")
                parents[int(folder.name)] = int(fields[2].split()[1])
                names[int(folder.name)] = fields[0].partition("(")[2]
            except OSError:
                continue
    found, layer = [], [pid]
    while layer:
        layer = [child for child, parent in parents.items() if parent in layer]
        found += [child for child in layer if names[child].startswith("python")]
    return found


def answer(folder):
    """Return the field that a run was for."""
    with h5py.File(folder / "fields.h5") as file:
        return file[next(name for name in FIELDS if name in file)][()]
