"""Parts of matrices as flat arrays."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def flat(block: NDArray[Any]) -> tuple[NDArray[Any], int]:
    """Return a block as a flat contiguous array from its first element to its last, and the distance of its rows.

    LLVM vectorises loops over contiguous arrays alone, and a part of a matrix is none.

    Parameters
    ----------
    block : ndarray, shape (rows, columns)
        Each row contiguous, rows at any distance.

    Examples
    --------
    >>> array, distance = flat(np.arange(12).reshape(3, 4)[1:, 1:3])
    >>> array.tolist(), distance
    ([5, 6, 7, 8, 9, 10], 4)
    """
    rows, columns = block.shape
    distance = block.strides[0] // block.itemsize if rows > 1 else columns
    count = (rows - 1) * distance + columns if block.size else 0
    return np.lib.stride_tricks.as_strided(block, (count,), (block.itemsize,)), distance
