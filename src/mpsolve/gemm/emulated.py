"""Products with NumPy on decoded operands: the exact numerics of every format everywhere, but no speed."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpsolve.errors import FormatError
from mpsolve.formats.base import Format
from mpsolve.gemm.base import Gemm

FORMATS = ("fp64", "fp32", "tf32", "bf16", "fp16", "fp8_e4m3", "fp8_e5m2")


class EmulatedGemm(Gemm):
    """Products of 8- and 16-bit numbers are exact in FP32, so that only the order of the sums may differ elsewhere."""

    name = "emulated"

    def left(self, values: NDArray[Any]) -> NDArray[Any]:
        """Decode; see `Gemm.left`."""
        return self.format.decode(values)

    def right(self, values: NDArray[Any]) -> NDArray[Any]:
        """Decode; see `Gemm.right`."""
        return self.format.decode(values)

    def subtract(self, c: NDArray[Any], left: Any, right: Any, scale: float = 1.0) -> None:
        """Multiply and subtract; see `Gemm.subtract`."""
        with np.errstate(all="ignore"):
            c -= self._product(left, right, scale)

    def multiply(self, c: NDArray[Any], left: Any, right: Any, scale: float = 1.0) -> None:
        """Multiply; see `Gemm.multiply`."""
        with np.errstate(all="ignore"):
            c[...] = self._product(left, right, scale)

    def _product(self, left: NDArray[Any], right: NDArray[Any], scale: float) -> NDArray[Any]:
        product = left @ right
        if scale != 1.0:
            product *= self.result.type(scale)
        return product


def create(format: Format, threads: int = 1) -> Gemm:
    """Return the products of a format; NumPy uses as many threads as its BLAS does.

    Raises
    ------
    FormatError
        If there are no products in the format.
    """
    if format.name not in FORMATS:
        raise FormatError(f"gemm 'emulated' has no products in {format.name}; it has {', '.join(FORMATS)}")
    return EmulatedGemm(format, threads)
