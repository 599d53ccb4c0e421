"""The GPU backend on the device that a processor plays."""

from functools import cache

import pytest

from mpsolve.backends.cuda import CudaBackend
from mpsolve.errors import BackendUnavailable
from mpsolve.kernels.cuda.devices.emulated import Emulated


@cache
def device():
    """Return the device; without a compiler the test is skipped."""
    try:
        return Emulated()
    except BackendUnavailable as error:
        pytest.skip(str(error))


def backend(threads=1):
    """Return the backend on it."""
    return CudaBackend(device(), threads)
