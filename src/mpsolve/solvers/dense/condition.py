"""The 1-norm of an inverse, estimated from a few solves (Higham and Tisseur, SIAM J. Matrix Anal. Appl. 21, 2000)."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

#: Columns that are searched at once, and rounds of the search; with two columns the estimate is most often exact.
COLUMNS, ROUNDS = 2, 5

#: Takes (vectors of shape (count, n), transposed) and returns their images.
Solve = Callable[[NDArray[np.float64], bool], NDArray[np.float64]]


def inverse_norm_1(n: int, solve: Solve) -> float:
    """Return a lower bound of the 1-norm of an inverse that is rarely below a third of it.

    Parameters
    ----------
    n : int
        Size of the matrix.
    solve : callable
        ``solve(b, transposed)``: solves with the matrix or its transpose for vectors of shape (count, n).

    Returns
    -------
    float
        Infinity if a solve gave NaN or infinity.
    """
    count = min(COLUMNS, n)
    signs = np.where(np.arange(n) % 2, -1.0, 1.0)
    vectors = np.stack([np.full(n, 1.0 / n), signs / n])[:count]
    best, seen = 0.0, set()
    with np.errstate(all="ignore"):
        for _ in range(ROUNDS):
            images = solve(vectors, False)
            norms = np.abs(images).sum(axis=1)
            if not np.isfinite(norms).all():
                return float("inf")
            if norms.max() <= best:
                break
            best = float(norms.max())
            gradients = np.abs(solve(np.where(images < 0, -1.0, 1.0), True)).max(axis=0)
            if not np.isfinite(gradients).all():
                return float("inf")
            fresh = [int(index) for index in np.argsort(-gradients, kind="stable")[: count + len(seen)]]
            chosen = [index for index in fresh if index not in seen][:count]
            if not chosen:
                break
            seen.update(chosen)
            vectors = np.zeros((len(chosen), n))
            vectors[np.arange(len(chosen)), chosen] = 1.0
        return max(best, _alternating(n, solve))


def _alternating(n: int, solve: Solve) -> float:
    """Return the bound from a vector that defeats the matrices which defeat the search (Higham, 1988, eq. 2.4)."""
    index = np.arange(n)
    vector = np.where(index % 2, -1.0, 1.0) * (1.0 + index / max(n - 1, 1))
    image = np.abs(solve(vector[None], False)).sum()
    bound = 2.0 * float(image) / (3.0 * n)
    return bound if np.isfinite(bound) else float("inf")
