"""The local block of a grid function: padded storage with ghost cells, in one number format."""

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpsolve.errors import ShapeError
from mpsolve.formats.base import Format

#: First interior index of the contiguous axis: a multiple of 64 bytes in every format, and the widest halo.
FIRST_COLUMN = 64
#: Rows start on cache lines and on full AVX-512 vectors; unit: bytes.
ALIGNMENT = 64


def aligned_zeros(shape: tuple[int, ...], dtype: np.dtype) -> NDArray:
    """Return a zeroed C-contiguous array whose first element lies on a 64-byte boundary."""
    size = prod(shape) * dtype.itemsize
    raw = np.zeros(size + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size].view(dtype).reshape(shape)


@dataclass(frozen=True, eq=False)
class Field:
    """The block of a grid function that one rank holds, with ghost cells around it.

    Every format has the same origin, so that one index addresses the same cell in fields of different formats.

    Attributes
    ----------
    storage : ndarray
        C-contiguous, in ``format.storage``; ghosts and row padding included.
    shape : tuple of int
        Local shape of the interior, 1 to 3 axes.
    halo : int
        Width of the ghost layer in cells; 0 for plain vectors.
    format : Format
        Number format of the storage.
    device : object, optional
        Holds the storage; None: it is a NumPy array in the memory of the processor.
    """

    storage: NDArray
    shape: tuple[int, ...]
    halo: int
    format: Format
    device: Any = None

    @classmethod
    def zeros(cls, shape: tuple[int, ...], halo: int, format: Format, device: Any = None) -> "Field":
        """Allocate a field of zeros, on a device if one is given.

        Raises
        ------
        ShapeError
            If there are not 1 to 3 axes, an axis is negative, or the halo is wider than `FIRST_COLUMN`.
        """
        if not 1 <= len(shape) <= 3 or min(shape) < 0:
            raise ShapeError(f"a field has 1 to 3 axes of length 0 or more, not shape {shape}")
        if not 0 <= halo <= FIRST_COLUMN:
            raise ShapeError(f"a halo is 0 to {FIRST_COLUMN} cells wide, not {halo}")
        *rows, columns = shape
        pitch = columns + (FIRST_COLUMN + halo if halo else 0)
        per_line = ALIGNMENT // format.storage.itemsize
        pitch = -(-pitch // per_line) * per_line
        # A pitch that is a large power of two would map all rows onto the same cache sets.
        pitch += per_line if halo and pitch * format.storage.itemsize % 4096 == 0 else 0
        allocate = aligned_zeros if device is None else device.zeros
        return cls(allocate((*(n + 2 * halo for n in rows), pitch), format.storage), tuple(shape), halo, format, device)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def origin(self) -> tuple[int, ...]:
        """Storage index of the first interior cell."""
        return (self.halo,) * (self.ndim - 1) + (FIRST_COLUMN if self.halo else 0,)

    @property
    def interior(self) -> NDArray:
        """Writable view of the interior storage, of shape `shape`."""
        return self.region((0,) * self.ndim, self.shape)

    def region(self, lo: tuple[int, ...], hi: tuple[int, ...]) -> NDArray:
        """Return a writable view of interior coordinates ``lo`` to ``hi`` (exclusive), which may reach into ghosts."""
        return self.storage[tuple(slice(o + a, o + b) for o, a, b in zip(self.origin, lo, hi, strict=True))]

    def read(self, lo: tuple[int, ...] | None = None, hi: tuple[int, ...] | None = None) -> NDArray:
        """Return the stored numbers of a region in the memory of the processor; the interior by default.

        A view if they are there already, else a copy.
        """
        view = self.interior if lo is None or hi is None else self.region(lo, hi)
        return view if self.device is None else self.device.download(view)

    def write(self, stored: NDArray, lo: tuple[int, ...] | None = None, hi: tuple[int, ...] | None = None) -> None:
        """Replace the stored numbers of a region, the interior by default, by an array of its shape."""
        view = self.interior if lo is None or hi is None else self.region(lo, hi)
        view[...] = stored if self.device is None else self.device.upload(np.ascontiguousarray(stored))

    def to_numpy(self) -> NDArray[np.float64]:
        """Return the decoded interior as a new FP64 array of shape `shape`."""
        return self.format.decode(self.read()).astype(np.float64)

    def set(self, values: NDArray | float) -> "Field":
        """Encode values (local interior shape, or a scalar) into the interior, in place, and return the field."""
        encoded = self.format.encode(np.asarray(values, np.float64))
        self.write(np.broadcast_to(encoded, self.shape))
        return self

    def like(self, format: Format | None = None) -> "Field":
        """Allocate a field of zeros of the same shape and halo, in ``format`` or the same format."""
        return Field.zeros(self.shape, self.halo, format or self.format, self.device)
