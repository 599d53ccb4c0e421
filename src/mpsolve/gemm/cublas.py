"""Products by the library of the card's maker, called through CuPy: cuBLAS on NVIDIA, hipBLAS on AMD."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpsolve.errors import FormatError
from mpsolve.formats.base import Format
from mpsolve.gemm.base import Gemm
from mpsolve.kernels.cuda.devices.base import Device, DeviceArray
from mpsolve.kernels.cuda.recoding import recoded
from mpsolve.precision import get_format

FORMATS = ("fp64", "fp32", "tf32", "bf16", "fp16", "fp8_e4m3", "fp8_e5m2")
#: Operands of these formats are numbers of FP16 too, and are multiplied as such.
AS_FP16 = ("fp8_e4m3", "fp8_e5m2")
#: Whether entries take arrays of a card, so that a measurement among those for NumPy arrays says nothing.
ON_DEVICE = True


class DeviceGemm(Gemm):
    """Products on a device; NumPy arrays are copied there, and the result is copied back.

    Parameters
    ----------
    format : Format
        Of the operands.
    threads : int
        Of no meaning here.
    device : Device
        Multiplies.
    """

    name = "cublas"

    def __init__(self, format: Format, threads: int, device: Device) -> None:
        super().__init__(format, threads)
        self.device, self.side = device, device.probe_side
        self.operands = get_format("fp16") if format.name in AS_FP16 else format

    def held(self, values: NDArray[Any]) -> DeviceArray:
        """Return a copy on the device."""
        return self.device.upload(np.ascontiguousarray(values))

    def finish(self) -> None:
        """Wait for the device."""
        self.device.synchronize()

    def left(self, values: NDArray[Any] | DeviceArray) -> DeviceArray:
        """Bring the operand to the device if it is not there; see `Gemm.left`."""
        if isinstance(values, np.ndarray):
            values = self.held(values)
        return values if self.operands is self.format else recoded(self.device, values, self.format, self.operands)

    right = left

    def subtract(self, c: NDArray[Any] | DeviceArray, left: Any, right: Any, scale: float = 1.0) -> None:
        """Multiply and subtract; see `Gemm.subtract`."""
        self._call(c, left, right, -scale, 1.0)

    def multiply(self, c: NDArray[Any] | DeviceArray, left: Any, right: Any, scale: float = 1.0) -> None:
        """Multiply; see `Gemm.multiply`."""
        if left.shape[1] == 0:
            c[...] = 0
        else:
            self._call(c, left, right, scale, 0.0)

    def _call(self, c: NDArray[Any] | DeviceArray, left: Any, right: Any, alpha: float, beta: float) -> None:
        if min(*c.shape, left.shape[1]) == 0:
            return
        if isinstance(c, np.ndarray):
            held = self.held(c)
            self.device.multiply(self.operands, held, left, right, alpha, beta)
            c[...] = self.device.download(held)
        else:
            self.device.multiply(self.operands, c, left, right, alpha, beta)


def create(format: Format, threads: int = 1) -> Gemm:
    """Return the products of a format on the device of this rank.

    Raises
    ------
    FormatError
        If there are no products in the format.
    BackendUnavailable
        If there is no CuPy, driver or device that works.
    """
    if format.name not in FORMATS:
        raise FormatError(f"gemm 'cublas' has no products in {format.name}; it has {', '.join(FORMATS)}")
    from mpsolve.kernels.cuda.devices.visible import device_of_this_rank

    return DeviceGemm(format, threads, device_of_this_rank())
