"""NVIDIA's management library: found, started, and its handles of some cards."""

from collections.abc import Sequence
from typing import Any

from mpsolve.errors import BackendUnavailable


def handles(devices: Sequence[str]) -> tuple[Any, dict[str, Any]]:
    """Return the library and its handle of each card, by UUID.

    Raises
    ------
    BackendUnavailable
        If no card is given, or the library is missing, does not start, or does not know one of them.
    """
    if not devices:
        raise BackendUnavailable("this run uses no card of NVIDIA")
    try:
        import pynvml  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise BackendUnavailable("the energy of NVIDIA's cards needs nvidia-ml-py: pip install nvidia-ml-py") from None
    try:
        pynvml.nvmlInit()
        return pynvml, {uuid: pynvml.nvmlDeviceGetHandleByUUID(uuid) for uuid in devices}
    except pynvml.NVMLError as problem:
        raise BackendUnavailable(
            f"NVML does not know {', '.join(devices)}: {problem}; parts of a card (MIG) have no energy of their own"
        ) from None
