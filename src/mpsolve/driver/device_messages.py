"""Whether MPI takes messages from the memory of the card: asked for, and tried in a process of its own first."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from mpsolve.backends.base import Backend
from mpsolve.errors import BackendUnavailable
from mpsolve.kernels.cuda.devices.visible import local_rank

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm

#: An MPI that cannot take memory of a card ends the process that tries it, or lets it wait for ever.
PATIENCE_S = 120
#: Variables by which a process knows that it is a rank; the one that tries is to be alone.
LAUNCHERS = ("PMI", "OMPI_", "PRTE_", "HYDI_", "HYDRA_", "SLURM_", "PALS_", "MPIR_", "MPI_LOCAL")

PROGRAM = """
import numpy as np
from mpi4py import MPI
from mpsolve.kernels.cuda.devices.visible import device_of_this_rank
device, numbers = device_of_this_rank(), np.arange(100_000)
given, taken = device.upload(numbers), device.zeros(numbers.shape, numbers.dtype)
device.synchronize()
MPI.COMM_SELF.Sendrecv(given, 0, 0, taken, 0, 0)
raise SystemExit(0 if np.array_equal(device.download(taken), numbers) else "other numbers arrived")
"""


def choose(comm: Intracomm, backend: Backend, wanted: str) -> None:
    """Let halo messages come from the memory of the card, if that is wanted and works on every node (collective).

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm
        The ranks.
    backend : Backend
        Of this rank.
    wanted : str
        ``"off"``: through pinned memory of the host; ``"on"``: from the card; ``"auto"``: from the card if it works.

    Raises
    ------
    BackendUnavailable
        On every rank, if it is wanted and does not work somewhere; the message has what happened.
    """
    if wanted == "off" or (wanted == "auto" and not backend.device_name):
        backend.direct_messages(False)
        return
    problem = ""
    if not backend.device_name:
        problem = f"the backend {backend.name} has no card"
    elif local_rank() == 0:
        problem = tried()
    problems = [found for found in comm.allgather(problem) if found]
    if problems and wanted == "on":
        raise BackendUnavailable(f"run.mpi_gpu = on, but {problems[0]}; take off, or an MPI that is built for the card")
    backend.direct_messages(not problems)


def tried(environment: Mapping[str, str] | None = None) -> str:
    """Send memory of the card in a process of its own; return what went wrong, empty if nothing did (local)."""
    given = os.environ if environment is None else environment
    alone = {name: value for name, value in given.items() if not name.startswith(LAUNCHERS)}
    alone["MPI_LOCALRANKID"] = str(local_rank())
    try:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=PATIENCE_S, env=alone, check=False
        )
    except subprocess.TimeoutExpired:
        return f"a message from the card had not arrived after {PATIENCE_S} s"
    if done.returncode == 0:
        return ""
    last = (done.stderr.strip().splitlines() or ["no message"])[-1]
    return f"a message from the card failed (status {done.returncode}: {last[:200]})"
