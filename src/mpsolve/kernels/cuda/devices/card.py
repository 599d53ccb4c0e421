"""A card of NVIDIA or AMD through CuPy, whose run-time compiler makes the kernels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from mpsolve.errors import BackendUnavailable, MpsolveError
from mpsolve.formats.base import Format
from mpsolve.kernels.cuda.devices.base import Device, DeviceArray, arguments_of
from mpsolve.kernels.cuda.source import Kernel

#: Products are not contracted with sums: the bits are then those of the other backends. Kernels here wait for memory.
OPTIONS = ("--std=c++17", "--fmad=false")
OPTIONS_AMD = ("-std=c++17", "-ffp-contract=off")
HEADER = "#define DEVICE __device__ inline\n#define KERNEL __global__ void\n"
#: The oldest card whose BF16 conversions and 64-bit atomics the kernels were written for: Volta.
LEAST_CAPABILITY = 70
#: cudaDataType of the operands (library_types.h); TF32 numbers are FP32 numbers that were rounded before.
DATA_TYPES = {"fp64": 1, "fp32": 0, "tf32": 0, "bf16": 14, "fp16": 2}
#: Names of cublasComputeType_t: FP32 sums of products that are exact, but for those of FP32 and FP64.
COMPUTE_TYPES = dict.fromkeys(("fp32", "bf16", "fp16"), "CUBLAS_COMPUTE_32F") | {
    "fp64": "CUBLAS_COMPUTE_64F",
    "tf32": "CUBLAS_COMPUTE_32F_FAST_TF32",
}
#: Compute capability of the first cards with units for BF16 and TF32.
AMPERE = 80
#: CUBLAS_GEMM_DEFAULT.
DEFAULT_ALGORITHM = -1
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
        if self.is_amd:
            self.identity = self._cupy.cuda.runtime.deviceGetPCIBusId(number)
        else:
            self.identity = f"GPU-{UUID(bytes=bytes(properties['uuid'][:16]))}"
        self.capability = capability = int(properties["major"]) * 10 + int(properties["minor"])
        if not self.is_amd and capability < LEAST_CAPABILITY:
            raise BackendUnavailable(
                f"{self.name} has compute capability {capability / 10}, the backend cuda needs "
                f"{LEAST_CAPABILITY / 10}; take --backend cpu"
            )
        self._cupy.cuda.Device(number).use()
        self._compiled: dict[str, Callable] = {}
        self._second = None

    def zeros(self, shape: tuple[int, ...], dtype: np.dtype) -> DeviceArray:
        """Return an array of zeros; see `Device.zeros`."""
        self.reserve(shape, dtype)
        return self._cupy.zeros(shape, dtype)

    def upload(self, values: NDArray) -> DeviceArray:
        """Return a copy on the card; see `Device.upload`."""
        self.reserve(values.shape, values.dtype)
        return self._cupy.asarray(values)

    def pinned(self, size: int) -> NDArray[np.uint8]:
        """Return page-locked bytes of the host."""
        import cupyx  # pyright: ignore[reportMissingImports]

        return cupyx.zeros_pinned(size, np.uint8)

    def fetch(self, values: DeviceArray, host: NDArray) -> None:
        """Copy on the current stream."""
        values.get(out=host, blocking=False)

    def send(self, host: NDArray, values: DeviceArray) -> None:
        """Copy on the current stream."""
        values.set(host, stream=self._cupy.cuda.get_current_stream())

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

    def multiply(
        self, format: Format, c: DeviceArray, left: DeviceArray, right: DeviceArray, alpha: float, beta: float
    ) -> None:
        """Multiply by cuBLAS; see `Device.multiply`.

        The library counts along columns, where our rows are the columns of the transposed matrices: so it computes the
        transposed product.
        """
        from cupy_backends.cuda.libs import cublas  # pyright: ignore[reportMissingImports]

        (m, n), k = c.shape, left.shape[1]
        wide = np.float64 if format.name == "fp64" else np.float32
        kind, compute = DATA_TYPES[format.name], getattr(cublas, self._compute_type(format))
        factors = np.array([alpha, beta], wide)
        address, operation = factors.ctypes.data, cublas.CUBLAS_OP_N
        try:
            cublas.gemmEx(
                self._cupy.cuda.device.get_cublas_handle(), operation, operation, n, m, k, address,
                right.data.ptr, kind, _distance(right), left.data.ptr, kind, _distance(left),
                address + factors.itemsize, c.data.ptr, DATA_TYPES["fp64" if wide is np.float64 else "fp32"],
                _distance(c), compute, DEFAULT_ALGORITHM,
            )  # fmt: skip
        except cublas.CUBLASError as error:
            raise MpsolveError(
                f"{self.name} failed in a product in {format.name} of {m} x {k} x {n}: {error}"
            ) from None

    def _compute_type(self, format: Format) -> str:
        """Return the name of the arithmetic of products; cards before Ampere lack BF16, and need no TF32 units."""
        before_ampere = not self.is_amd and self.capability < AMPERE
        if before_ampere and format.name == "bf16":
            raise BackendUnavailable(
                f"{self.name} (compute capability {self.capability / 10}) has no products in bf16; take fp16 or fp32"
            )
        return "CUBLAS_COMPUTE_32F" if before_ampere and format.name == "tf32" else COMPUTE_TYPES[format.name]

    def captured(self, action: Callable[[], object]) -> Callable[[], object]:
        """Capture the launches of an action in a graph; see `Device.captured`."""
        stream = self._cupy.cuda.Stream(non_blocking=True)
        with stream:
            stream.begin_capture()
            action()
            graph = stream.end_capture()
        return lambda: graph.launch(self._cupy.cuda.get_current_stream())

    def mark(self):
        """Return an event; see `Device.mark`."""
        event = self._cupy.cuda.Event(disable_timing=True)
        event.record()
        return event

    @contextmanager
    def beside(self, mark) -> Iterator[None]:
        """Launch on a second stream, which goes before the first; see `Device.beside`."""
        if self._second is None:
            self._second = self._cupy.cuda.Stream(non_blocking=True, priority=-1)
        first = self._cupy.cuda.get_current_stream()
        with self._second:
            self._second.wait_event(mark)
            yield
            done = self.mark()
        first.wait_event(done)

    def synchronize(self) -> None:
        """Wait for the card; see `Device.synchronize`."""
        self._cupy.cuda.Device(self.number).synchronize()

    def free_bytes(self) -> int:
        """Return the free memory, what CuPy holds in reserve included."""
        return int(self._cupy.cuda.runtime.memGetInfo()[0]) + self._cupy.get_default_memory_pool().free_bytes()


def _distance(block: DeviceArray) -> int:
    """Return the distance of the rows of a block in numbers; of a single row, its length."""
    return max(block.strides[0] // block.itemsize, block.shape[1])


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
