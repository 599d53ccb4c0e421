"""Where a run took place: versions, MPI library, ranks on hosts and devices, processor, batch job."""

import os
import platform
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("mpsolve", "numpy", "numba", "mpi4py", "h5py")

# Nothing about persons, accounts or paths: records are meant to be passed on.
SLURM_NAMES = (
    "SLURM_CLUSTER_NAME",
    "SLURM_JOB_ID",
    "SLURM_STEP_ID",
    "SLURM_ARRAY_JOB_ID",
    "SLURM_ARRAY_TASK_ID",
    "SLURM_JOB_PARTITION",
    "SLURM_JOB_NUM_NODES",
    "SLURM_NTASKS",
    "SLURM_NTASKS_PER_NODE",
    "SLURM_CPUS_PER_TASK",
    "SLURM_GPUS_ON_NODE",
)


def gather_environment(comm: Any, devices: Sequence[str] = ()) -> dict[str, Any]:
    """Describe where the ranks run; collective.

    Parameters
    ----------
    comm : communicator
        Has ``rank`` and ``gather(object)``, for instance an mpi4py communicator.
    devices : sequence of str
        The devices of this rank, for instance ``("cuda:0 NVIDIA H100",)``; empty if it computes on the processor.

    Returns
    -------
    dict
        On rank 0 ``started_utc``, ``versions``, ``mpi_library``, ``cpu_model``, ``hosts`` (name to processor and
        cores), ``ranks`` (rank, host, devices) and ``slurm``; empty on the others.
    """
    host = {"cpu_model": cpu_model(), "cores": usable_cores()}
    gathered = comm.gather((comm.rank, platform.node(), host, list(devices)))
    if comm.rank != 0:
        return {}
    return {
        "started_utc": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "versions": versions(),
        "mpi_library": mpi_library(),
        "cpu_model": host["cpu_model"],
        "hosts": {name: facts for _, name, facts, _ in gathered},
        "ranks": [{"rank": rank, "host": name, "devices": owned} for rank, name, _, owned in gathered],
        "slurm": slurm_variables(os.environ),
    }


def versions(packages: Sequence[str] = PACKAGES) -> dict[str, str | None]:
    """Return the versions of Python and `packages`, None where one is not installed; imports none of them."""
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


def version(package: str) -> str | None:
    """Return the version of an installed package, or None; does not import it."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def mpi_library() -> str | None:
    """Return the first line of the MPI library's version; None if this process has not loaded MPI."""
    # Looking for the loaded module instead of importing it keeps MPI from being started here.
    module = sys.modules.get("mpi4py.MPI")
    if module is None:
        return None
    return " ".join(module.Get_library_version().strip("\0 \n").splitlines()[0].split())


def cpu_model(root: str | Path = "/") -> str | None:
    """Return the name of the processor, from ``proc/cpuinfo`` below `root` where there is one."""
    try:
        lines = (Path(root) / "proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine() or None


def usable_cores() -> int:
    """Return the number of cores that this process may run on; all where the system cannot tell (macOS)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def slurm_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the allow-listed variables of the batch job."""
    return {name: environment[name] for name in SLURM_NAMES if name in environment}
