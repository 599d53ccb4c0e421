"""A card of NVIDIA or AMD through CuPy, whose run-time compiler makes the kernels."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from mpsolve.errors import BackendUnavailable, MpsolveError
from mpsolve.kernels.cuda.devices.base import Device, DeviceArray, arguments_of
from mpsolve.kernels.cuda.source import Kernel

#: Products are not contracted with sums: the bits are then those of the other backends. Kernels here wait for memory.
OPTIONS = ("--std=c++17", "--fmad=false")
OPTIONS_AMD = ("-std=c++17", "-ffp-contract=off")
HEADER = "#define DEVICE __device__ inline\n#define KERNEL __global__ void\n"
#: The oldest card whose BF16 conversions and 64-bit atomics the kernels were written for: Volta.
LEAST_CAPABILITY = 70
INSTALL = "pip install 'mpsolve[cuda12]' (or cuda13, or rocm for AMD)"


class Card(Device):
    """A device by its number among the visible ones.

    Parameters
    ----------
    number : int
        0 to one less than there are.

    Raises
    ------
    BackendUnavailable
        If CuPy, a driver or the device is missing or too old; the message says which.
    """

    def __init__(self, number: int) -> None:
        self._cupy = _cupy()
        self.number = number
        properties = self._cupy.cuda.runtime.getDeviceProperties(number)
        self.name = properties["name"].decode()
        self.is_amd = bool(self._cupy.cuda.runtime.is_hip)
        capability = int(properties["major"]) * 10 + int(properties["minor"])
        if not self.is_amd and capability < LEAST_CAPABILITY:
            raise BackendUnavailable(
                f"{self.name} has compute capability {capability / 10}, the backend cuda needs "
                f"{LEAST_CAPABILITY / 10}; take --backend cpu"
            )
        self._cupy.cuda.Device(number).use()
        self._compiled: dict[str, Callable] = {}

    def zeros(self, shape: tuple[int, ...], dtype: np.dtype) -> DeviceArray:
        """Return an array of zeros; see `Device.zeros`."""
        self.reserve(shape, dtype)
        return self._cupy.zeros(shape, dtype)

    def upload(self, values: NDArray) -> DeviceArray:
        """Return a copy on the card; see `Device.upload`."""
        self.reserve(values.shape, values.dtype)
        return self._cupy.asarray(values)

    def compiled(self, kernel: Kernel) -> Callable[[tuple, tuple, Sequence], None]:
        """Return a compiled kernel; see `Device.compiled`."""
        if kernel.text not in self._compiled:
            options = OPTIONS_AMD if self.is_amd else OPTIONS
            module = self._cupy.RawModule(code=HEADER + kernel.text, options=options)
            self._compiled[kernel.text] = module.get_function("kernel")
        function = self._compiled[kernel.text]

        def run(grid: tuple, block: tuple, given: Sequence) -> None:
            try:
                function(grid, block, tuple(arguments_of(kernel, given)))
            except self._cupy.cuda.driver.CUDADriverError as error:
                raise MpsolveError(f"{self.name} failed in the kernel of {kernel.name}: {error}") from None

        return run

    def synchronize(self) -> None:
        """Wait for the card; see `Device.synchronize`."""
        self._cupy.cuda.Device(self.number).synchronize()

    def free_bytes(self) -> int:
        """Return the free memory, what CuPy holds in reserve included."""
        return int(self._cupy.cuda.runtime.memGetInfo()[0]) + self._cupy.get_default_memory_pool().free_bytes()


def _cupy():
    """Import CuPy and see that it finds a driver and a device."""
    try:
        import cupy  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise BackendUnavailable(f"the backend cuda needs CuPy: {INSTALL} ({error})") from None
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise BackendUnavailable(
            f"CuPy finds no usable driver: {error}; nvidia-smi shows the driver's version, which must not be older "
            "than the CUDA version of the CuPy package"
        ) from None
    if not count:
        raise BackendUnavailable("CuPy finds a driver but no device; see CUDA_VISIBLE_DEVICES")
    return cupy


def visible_devices() -> int:
    """Return how many devices CuPy sees.

    Raises
    ------
    BackendUnavailable
        As `Card`.
    """
    return int(_cupy().cuda.runtime.getDeviceCount())
