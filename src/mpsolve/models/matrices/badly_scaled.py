"""A random matrix in units that do not fit: rows and columns multiplied by powers of two over many orders."""

import numpy as np

from mpsolve.models.matrices import random_uniform
from mpsolve.models.matrices.base import FormulaMatrix, Matrix

OPTIONS = ("seed",)

#: Exponents reach from minus this to this.
RANGE = 40


def create(n: int, condition: float = 0.0, seed: int = 0) -> Matrix:
    """Return ``2^p_i r_ij 2^q_j`` with exponents that look random; scaling by powers of two undoes them exactly."""
    random = random_uniform.create(n, 0.0, seed)

    def formula(i: np.ndarray, j: np.ndarray) -> np.ndarray:
        rows, columns = slice(int(i[0, 0]), int(i[-1, 0]) + 1), slice(int(j[0, 0]), int(j[0, -1]) + 1)
        return np.exp2(_exponents(i, 37) + _exponents(j, 53)) * random.block(rows, columns)

    return FormulaMatrix(n, formula)


def _exponents(index: np.ndarray, stride: int) -> np.ndarray:
    """Return whole numbers from -`RANGE` to `RANGE`; the stride is prime to their number, 81."""
    return (index * stride % (2 * RANGE + 1) - RANGE).astype(np.float64)
