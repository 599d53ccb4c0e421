"""The contract of a device: it holds arrays and runs kernels on them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpsolve.errors import MpsolveError
from mpsolve.formats.base import Format
from mpsolve.kernels.cuda.source import Kernel

#: An array in a device's memory: shape, dtype, nbytes, views by slices, assignment between arrays of one device,
#: ``fill(number)`` and ``get()``, which returns a NumPy copy.
DeviceArray = Any

#: NumPy types of the parameters of a kernel, but for pointers and ``real``.
_SCALARS = {"integer": np.int64, "word": np.uint32, "int": np.int32}


class Device(ABC):
    """One card, or the part of it that a rank uses.

    Attributes
    ----------
    name : str
        What the maker calls it.
    direct : bool
        Whether MPI takes arrays of the device: see `mpsolve.driver.device_messages`.
    identity : str
        What energy meters call it: the UUID of an NVIDIA card, the PCI address of an AMD card; empty if it has neither.
    block : tuple of int
        Threads of a block along the last axis of a grid, the one before it, and the one before that.
    most_blocks : int
        Blocks of a kernel that sums: enough to fill the device, so that each thread sums many cells.
    probe_side : int
        Of a square whose product keeps the device busy for much longer than a launch takes.
    """

    name: str
    direct: bool = False
    identity: str = ""
    block: tuple[int, int, int] = (128, 2, 1)
    most_blocks: int = 2048
    probe_side: int = 8192

    @abstractmethod
    def zeros(self, shape: tuple[int, ...], dtype: np.dtype) -> DeviceArray:
        """Return a new C-contiguous array of zeros.

        Raises
        ------
        MpsolveError
            If it does not fit the free memory; the message says how much there is.
        """

    @abstractmethod
    def upload(self, values: NDArray) -> DeviceArray:
        """Return a copy of a NumPy array in the device's memory."""

    def download(self, values: DeviceArray) -> NDArray:
        """Return a NumPy copy of an array or a view of one."""
        return values.get()

    @abstractmethod
    def pinned(self, size: int) -> NDArray[np.uint8]:
        """Return bytes of the host, zeros, that the device copies to and from without a copy between."""

    @abstractmethod
    def fetch(self, values: DeviceArray, host: NDArray) -> None:
        """Copy an array to the host; it is there after `synchronize`."""

    @abstractmethod
    def send(self, host: NDArray, values: DeviceArray) -> None:
        """Copy an array of the host, which must not change before `synchronize`, to one of the device."""

    @abstractmethod
    def compiled(self, kernel: Kernel) -> Callable[[tuple, tuple, Sequence], None]:
        """Return ``run(grid, block, arguments)`` of a kernel; compiled once per text."""

    @abstractmethod
    def synchronize(self) -> None:
        """Wait until everything that was launched is done."""

    @abstractmethod
    def free_bytes(self) -> int:
        """Return the free memory."""

    @abstractmethod
    def multiply(
        self, format: Format, c: DeviceArray, left: DeviceArray, right: DeviceArray, alpha: float, beta: float
    ) -> None:
        """Compute ``c = alpha left @ right + beta c`` in place, summed in FP64 for fp64, else in FP32.

        Parameters
        ----------
        format : Format
            Of both operands: fp64, fp32, tf32, bf16 or fp16.
        c, left, right : array of the device
            No axis is empty; each row contiguous, rows at any distance; c of the format's compute type.
        """

    def together(self, threads: int) -> int:
        """Return the threads of a block whose threads meet, where a kernel wants so many."""
        return threads

    def captured(self, action: Callable[[], object]) -> Callable[[], object]:
        """Return what does an action again with as few launches as possible.

        Parameters
        ----------
        action : callable
            Launches kernels that are compiled, always on the same arrays, allocates nothing and waits for nothing.
        """
        return action

    def mark(self) -> Any:
        """Return a mark of what was launched so far."""
        return None

    def beside(self, mark: Any) -> AbstractContextManager[None]:
        """Launch what follows beside what was launched after a mark; what comes later waits for both."""
        return nullcontext()

    def reserve(self, shape: tuple[int, ...], dtype: np.dtype) -> None:
        """Refuse an array that does not fit the free memory, before it is asked for.

        Raises
        ------
        MpsolveError
            With the size that would fit.
        """
        needed, free = prod(shape) * np.dtype(dtype).itemsize, self.free_bytes()
        if needed > free:
            fits = free // np.dtype(dtype).itemsize
            raise MpsolveError(
                f"{self.name} has {free / 2**30:.2f} GiB free, but an array of shape {shape} needs "
                f"{needed / 2**30:.2f} GiB; at most {fits} entries of {np.dtype(dtype)} fit: take a smaller grid, a "
                "narrower format or more devices"
            )


def arguments_of(kernel: Kernel, given: Sequence) -> list:
    """Return the arguments of a kernel in the types of its parameters; arrays stay what they are."""
    kinds = _SCALARS | {"real": np.dtype(kernel.compute).type}
    return [
        value if kind.endswith("*") else kinds[kind](value)
        for kind, value in zip(kernel.parameters, given, strict=True)
    ]
