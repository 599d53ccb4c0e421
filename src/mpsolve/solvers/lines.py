"""Factorise the tridiagonal systems along the rows of a diffusion operator, periodic rows included."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def factorise(
    diagonal: NDArray[np.float64], off: NDArray[np.float64], corner: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Factorise symmetric positive definite tridiagonal rows, with a corner entry that closes each row to a ring.

    The corner is split off by a rank-one update (Sherman and Morrison): what is left is tridiagonal, and one stored
    vector per row, ``border``, corrects its solution.

    Parameters
    ----------
    diagonal : ndarray, shape (..., n)
        Diagonal of every row.
    off : ndarray, shape (..., n)
        Entry between columns j - 1 and j; column 0 is not used.
    corner : ndarray, shape (...)
        Entry between columns n - 1 and 0; zero for open rows.

    Returns
    -------
    lower, inverse, border : ndarray, shape (..., n)
        What `Backend.bind_lines` takes.

    Examples
    --------
    >>> lower, inverse, border = factorise(np.full((1, 4), 4.0), np.full((1, 4), -1.0), np.zeros(1))
    >>> float(inverse[0, 1])
    0.26666666666666666
    """
    count = diagonal.shape[-1]
    pivot = np.array(diagonal, np.float64)
    shift = -pivot[..., 0].copy()
    ring = corner != 0
    # With the shift -d0 the two changed diagonal entries stay positive, so no pivot vanishes.
    pivot[..., 0] = np.where(ring, pivot[..., 0] - shift, pivot[..., 0])
    pivot[..., -1] = np.where(ring, pivot[..., -1] - corner * corner / shift, pivot[..., -1])
    lower = np.zeros_like(pivot)
    for j in range(1, count):
        lower[..., j] = off[..., j] / pivot[..., j - 1]
        pivot[..., j] -= lower[..., j] * off[..., j]
    inverse = 1.0 / pivot
    update = np.zeros_like(pivot)
    update[..., 0], update[..., -1] = np.where(ring, shift, 0.0), np.where(ring, corner, 0.0)
    border = _solve(lower, inverse, update)
    wrap = np.where(ring, corner / shift, 0.0)
    border /= (1.0 + border[..., 0] + wrap * border[..., -1])[..., None]
    lower[..., 0] = wrap
    return lower, inverse, border


def _solve(lower: NDArray, inverse: NDArray, right: NDArray) -> NDArray[np.float64]:
    """Solve the open rows by forward and backward substitution."""
    work, count = right.copy(), right.shape[-1]
    for j in range(1, count):
        work[..., j] -= lower[..., j] * work[..., j - 1]
    work[..., -1] *= inverse[..., -1]
    for j in range(count - 2, -1, -1):
        work[..., j] = work[..., j] * inverse[..., j] - lower[..., j + 1] * work[..., j + 1]
    return work
