"""The matrix of Fasi and Higham: a condition number of choice, and LU that needs no row exchanges."""

import numpy as np
from numpy.typing import NDArray

from mpsolve.models.matrices.base import FormulaMatrix, Matrix

OPTIONS = ("condition",)

DEFAULT_CONDITION = 1e3
#: Halvings of the interval that holds beta: more than its 53 bits.
HALVINGS = 200


def condition_inf(n: int, beta: float) -> float:
    """Return the condition number in the infinity norm for a beta, in O(n).

    The inverses of both factors are nonnegative, so that the norm of the inverse is its largest product with ones.
    """
    alpha, index = beta / 2, np.arange(n)
    with np.errstate(over="ignore"):
        x, y = 0.0, (1 + alpha) ** index.astype(np.float64)
        largest, tail = 0.0, 0.0
        for value in y[::-1]:
            x = value + beta * tail
            tail += x
            largest = max(largest, x)
    left = np.concatenate([[0.0], np.cumsum(np.abs(alpha * beta * index - alpha))[:-1]])
    rows = left + np.abs(1 + alpha * beta * index) + np.abs(alpha * beta * index - beta) * (n - 1 - index)
    return float(rows.max() * largest)


def beta_for(n: int, condition: float) -> float:
    """Return the beta whose matrix has a condition number, which grows with beta; found by bisection."""
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if condition_inf(n, middle) < condition else (low, middle)
    return (low + high) / 2


def create(n: int, condition: float = 0.0, seed: int = 0) -> Matrix:
    """Return L U with -alpha below the diagonal of L and -beta above that of U, unit diagonals, alpha = beta / 2.

    Fasi and Higham, Matrices with Tunable Infinity-Norm Condition Number and No Need for Pivoting in LU Factorization,
    SIAM J. Matrix Anal. Appl. 42 (2021).

    Parameters
    ----------
    n : int
        Size.
    condition : float
        Condition number in the infinity norm; 0: `DEFAULT_CONDITION`.
    seed : int
        Ignored.
    """
    beta = beta_for(n, condition or DEFAULT_CONDITION)
    alpha = beta / 2

    def formula(i: NDArray[np.int64], j: NDArray[np.int64]) -> NDArray[np.float64]:
        corner = np.where(i < j, -beta, np.where(i == j, 1.0, -alpha))
        return corner + alpha * beta * np.minimum(i, j)

    return FormulaMatrix(n, formula, stable_without_pivoting=True)
