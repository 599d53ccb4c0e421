"""LU of a diagonal block together with the inverses of its factors, by halves, so that the bulk is products."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpsolve.solvers.dense.arithmetic import Arithmetic


def eliminate(arithmetic: Arithmetic, block: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Factor a square block without row exchanges, in place, and return the inverses of its factors.

    Parameters
    ----------
    arithmetic : Arithmetic
        Products and kernels.
    block : ndarray, shape (n, n)
        Of the storage type; rows contiguous, at any distance.

    Returns
    -------
    inverse_lower, inverse_upper : ndarray, shape (n, n)
        Of the unit lower and of the upper factor, zeros included. A zero pivot leaves infinities and NaN.
    """
    n, kernels = len(block), arithmetic.kernels
    lower, upper = kernels.zeros((n, n), block.dtype), kernels.zeros((n, n), block.dtype)
    _halves(arithmetic, block, lower, upper)
    return lower, upper


def _halves(arithmetic: Arithmetic, block: NDArray[Any], lower: NDArray[Any], upper: NDArray[Any]) -> None:
    n = len(block)
    if n <= arithmetic.kernels.leaf:
        arithmetic.kernels.eliminate(block, lower, upper)
        return
    a, b = slice(0, n // 2), slice(n // 2, n)
    product = arithmetic.product
    _halves(arithmetic, block[a, a], lower[a, a], upper[a, a])
    block[a, b] = product(lower[a, a], block[a, b])
    block[b, a] = product(block[b, a], upper[a, a])
    arithmetic.subtract(block[b, b], block[b, a], block[a, b])
    _halves(arithmetic, block[b, b], lower[b, b], upper[b, b])
    lower[b, a] = product(lower[b, b], product(block[b, a], lower[a, a]), -1.0)
    upper[a, b] = product(upper[a, a], product(block[a, b], upper[b, b]), -1.0)


def invert_lower(arithmetic: Arithmetic, block: NDArray[Any]) -> NDArray[Any]:
    """Return the inverse of the unit lower triangle of a factored square block of NumPy, zeros included."""
    n = len(block)
    if n <= arithmetic.kernels.leaf:
        # With an upper triangle of the identity the block is its own factorisation.
        triangle = np.tril(block, -1) + np.eye(n, dtype=block.dtype)
        inverse, unused = np.empty((2, n, n), block.dtype)
        arithmetic.kernels.eliminate(triangle, inverse, unused)
        return inverse
    a, b = slice(0, n // 2), slice(n // 2, n)
    inverse = np.zeros((n, n), block.dtype)
    inverse[a, a], inverse[b, b] = invert_lower(arithmetic, block[a, a]), invert_lower(arithmetic, block[b, b])
    product = arithmetic.product
    inverse[b, a] = product(inverse[b, b], product(np.ascontiguousarray(block[b, a]), inverse[a, a]), -1.0)
    return inverse
