"""The contract of a GEMM: products of matrices in a number format, summed in FP32, or in FP64 for fp64."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpsolve.formats.base import Format


class Gemm(ABC):
    """Products of two matrices in one number format; one instance per rank and format.

    An entry of this folder is a module with ``FORMATS``, the names of the formats that it takes, and
    ``create(format, threads)``, which returns a `Gemm` or raises `BackendUnavailable` with what is missing here, or
    `FormatError` if the format is none of those.

    Operands are prepared once and used in many products: the left one for every block of columns, the right one for
    every block of rows. Unless an entry `copies`, a prepared operand refers to the memory it was made from, which must
    not change before the last product.

    Attributes
    ----------
    name : str
        Config name: the name of the module.
    format : Format
        Of both operands.
    threads : int
        Cores that a product may use.
    copies : bool
        Whether prepared operands are copies, so that a product may overwrite what they were made from.
    side : int
        Of a square that keeps all arithmetic units busy: what a measurement updates.
    """

    name: str
    copies: bool = False
    side: int = 1536

    def __init__(self, format: Format, threads: int) -> None:
        self.format, self.threads = format, threads

    @property
    def result(self) -> np.dtype[Any]:
        """Type of the sums: float64 for fp64, float32 for every other format."""
        return self.format.compute

    def held(self, values: NDArray[Any]) -> Any:
        """Return a matrix where products need no copy of it: the array itself, or a copy on a device."""
        return values

    def finish(self) -> None:  # noqa: B027 - on the processor a product is done when it returns
        """Wait until all products are done."""

    @abstractmethod
    def left(self, values: NDArray[Any]) -> Any:
        """Prepare a left operand.

        Parameters
        ----------
        values : ndarray of the format's storage type, shape (m, k)
            Encoded; each row contiguous, rows at any distance. m and k may be any number, 0 included.
        """

    @abstractmethod
    def right(self, values: NDArray[Any]) -> Any:
        """Prepare a right operand; as `left`, shape (k, n)."""

    @abstractmethod
    def subtract(self, c: NDArray[Any], left: Any, right: Any, scale: float = 1.0) -> None:
        """Compute ``c -= scale * left @ right`` (local, in place).

        Parameters
        ----------
        c : ndarray of the type `result`, shape (m, n)
            Each row contiguous, rows at any distance.
        left, right
            What `left` and `right` returned.
        scale : float
            A power of two, or minus one: products of scaled operands are brought back without rounding.
        """

    @abstractmethod
    def multiply(self, c: NDArray[Any], left: Any, right: Any, scale: float = 1.0) -> None:
        """Compute ``c = scale * left @ right``; parameters as `subtract`, and what c held does not count."""
