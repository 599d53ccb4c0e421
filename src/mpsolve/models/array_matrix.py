"""A user's NumPy array as a matrix."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpsolve.errors import FormatError, ShapeError
from mpsolve.models.matrices.base import Matrix


class ArrayMatrix(Matrix):
    """A square array of real numbers; it is never changed.

    Parameters
    ----------
    array : array_like
        float64 is used where it lies; float32 and integers are converted block by block.

    Raises
    ------
    FormatError
        If it is complex or holds no numbers.
    ShapeError
        If it is not square, or empty.
    """

    def __init__(self, array: ArrayLike | None) -> None:
        self.array = real_array("the matrix", array)
        if self.array.ndim != 2 or self.array.shape[0] != self.array.shape[1] or not self.array.size:
            raise ShapeError(f"the matrix has shape {self.array.shape}; it must be square, with at least one row")
        self.n = len(self.array)

    def block(self, rows: slice, columns: slice) -> NDArray[np.float64]:
        """Return a block; see `Matrix.block`."""
        return np.asarray(self.array[rows, columns], np.float64)


def real_array(name: str, array: ArrayLike | None) -> NDArray:
    """Return an array of real numbers that FP64 holds, as it is.

    Raises
    ------
    FormatError
        If it is complex, wider than FP64, or holds no numbers.
    """
    try:
        given = np.asarray(array)
    except ValueError:
        raise FormatError(f"{name} has rows of several lengths; give an array of float64") from None
    if given.dtype.kind not in "fiub" or given.dtype.itemsize > 8:
        raise FormatError(f"{name} holds {given.dtype} values; give float64 (float32 and integers are converted)")
    return given
