"""The matrix on which partial pivoting is at its worst: entries double with every column."""

import numpy as np

from mpsolve.models.matrices.base import FormulaMatrix, Matrix

OPTIONS = ()


def create(n: int, condition: float = 0.0, seed: int = 0) -> Matrix:
    """Return ones on the diagonal and in the last column, -1 below the diagonal; entries of U reach 2^(n-1).

    Wilkinson, Error Analysis of Direct Methods of Matrix Inversion, J. ACM 8 (1961). It is well conditioned.
    """
    return FormulaMatrix(n, lambda i, j: np.where((i == j) | (j == n - 1), 1.0, np.where(i > j, -1.0, 0.0)))
