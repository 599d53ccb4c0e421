"""A matrix with one direction that it almost maps to zero, and nothing else wrong with it."""

import numpy as np

from mpsolve.models.matrices.base import FormulaMatrix, Matrix, condition_or

OPTIONS = ("condition",)

DEFAULT_CONDITION = 1e14


def create(n: int, condition: float = 0.0, seed: int = 0) -> Matrix:
    """Return ``I - (1 - 1/k) 1 1^T / n``, whose singular values are 1, and 1/k for the vector of ones.

    Parameters
    ----------
    n : int
        Size.
    condition : float
        The condition number k in the 2-norm; 0: `DEFAULT_CONDITION`. Entries are rounded, so that one beyond 1e15 is
        lost.
    seed : int
        Ignored.

    Raises
    ------
    ConfigError
        If the condition number is below 1 or infinite.
    """
    share = (1.0 - 1.0 / condition_or(DEFAULT_CONDITION, condition)) / n
    return FormulaMatrix(n, lambda i, j: np.where(i == j, 1.0 - share, -share))
