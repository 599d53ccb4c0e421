"""The matrix of Fasi and Higham: a condition number of choice, and LU that needs no row exchanges."""

import math

import numpy as np
from numpy.typing import NDArray

from mpsolve.errors import ConfigError
from mpsolve.models.matrices.base import FormulaMatrix, Matrix, condition_or

OPTIONS = ("condition",)

DEFAULT_CONDITION = 1e3
#: Halvings of the interval that holds beta: for its 53 bits, after as many zeros as a beta of about 1 / n has.
HALVINGS = 100
#: Powers beyond the exponential of this are taken for it: FP64 ends at 709.
LARGEST_LOGARITHM = 700.0


def condition_inf(n: int, beta: float) -> float:
    """Return the condition number in the infinity norm for a beta from 0 to 1, in O(n).

    The inverses of both factors are nonnegative and the first row of their product is the largest, so that the norm of
    the inverse is the first element of x in ``U x = L^-1 1``, where element i of ``L^-1 1`` is ``(1 + alpha)^i``.
    """
    alpha, index = beta / 2, np.arange(n)
    growth = alpha + beta + alpha * beta
    # A sum of powers of 1 + growth; expm1 keeps its digits where growth is small.
    powers = math.expm1(min((n - 1) * math.log1p(growth), LARGEST_LOGARITHM)) / growth if growth else n - 1
    inverse = 1 + beta * (1 + alpha) * powers
    left = np.concatenate([[0.0], np.cumsum(np.abs(alpha * beta * index - alpha))[:-1]])
    rows = left + 1 + alpha * beta * index + np.abs(alpha * beta * index - beta) * (n - 1 - index)
    return float(rows.max()) * inverse


def beta_for(n: int, condition: float) -> float:
    """Return the beta whose matrix has a condition number, by bisection, since it grows with beta; at most 1."""
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if condition_inf(n, middle) < condition else (low, middle)
    return high


def create(n: int, condition: float = 0.0, seed: int = 0) -> Matrix:
    """Return L U with -alpha below the diagonal of L and -beta above that of U, unit diagonals, alpha = beta / 2.

    Fasi and Higham, Matrices with Tunable Infinity-Norm Condition Number and No Need for Pivoting in LU Factorization,
    SIAM J. Matrix Anal. Appl. 42 (2021).

    Parameters
    ----------
    n : int
        Size.
    condition : float
        Condition number in the infinity norm; 0: `DEFAULT_CONDITION`, or the largest there is for a very small n.
    seed : int
        Ignored.

    Raises
    ------
    ConfigError
        If the condition number is below 1, or larger than a matrix of this size can have.
    """
    if condition > condition_inf(n, 1.0) and condition < math.inf:
        raise ConfigError(
            f"fasi_higham cannot have a condition number of {condition:g} for n = {n}, but at most "
            f"{condition_inf(n, 1.0):.3g}; take a larger n or a smaller number"
        )
    beta = beta_for(n, condition_or(DEFAULT_CONDITION, condition))
    alpha = beta / 2

    def formula(i: NDArray[np.int64], j: NDArray[np.int64]) -> NDArray[np.float64]:
        corner = np.where(i < j, -beta, np.where(i == j, 1.0, -alpha))
        return corner + alpha * beta * np.minimum(i, j)

    return FormulaMatrix(n, formula, stable_without_pivoting=True)
