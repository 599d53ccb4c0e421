"""Which device a rank uses."""

from __future__ import annotations

import os

from mpsolve.kernels.cuda.devices.base import Device

#: Set to 1, a processor plays the card: slow, and made for tests. It needs g++.
EMULATE = "MPSOLVE_EMULATED_DEVICE"
#: Where launchers tell a rank its number on its node.
LOCAL_RANKS = (
    "MPI_LOCALRANKID", "OMPI_COMM_WORLD_LOCAL_RANK", "MV2_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID", "PALS_LOCAL_RANKID",
    "FLUX_TASK_LOCAL_ID",
)  # fmt: skip


def local_rank() -> int:
    """Return this process's number among those of its node, as the launcher tells it; 0 if it does not."""
    found = [os.environ[name] for name in LOCAL_RANKS if os.environ.get(name, "").isdigit()]
    return int(found[0]) if found else 0


def device_of_this_rank() -> Device:
    """Return the device of this rank: its number on the node, modulo the devices that are visible.

    Raises
    ------
    BackendUnavailable
        If there is no CuPy, driver or device that works; the message says which, and what to install.
    """
    if os.environ.get(EMULATE) == "1":
        from mpsolve.kernels.cuda.devices.emulated import Emulated

        return Emulated(local_rank())
    from mpsolve.kernels.cuda.devices.card import Card, visible_devices

    return Card(local_rank() % visible_devices())
