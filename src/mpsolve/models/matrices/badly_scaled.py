"""A random matrix in units that do not fit: rows and columns multiplied by powers of two over many orders."""

import numpy as np
from numpy.typing import NDArray

from mpsolve.models.matrices import random_uniform
from mpsolve.models.matrices.base import Matrix, ScaledMatrix

OPTIONS = ("seed",)

#: Exponents reach from minus this to this.
RANGE = 40
#: Steps from one exponent to the next of rows and of columns; they are prime to the number of exponents, 81.
ROW_STEP, COLUMN_STEP = 37, 53


def create(n: int, condition: float = 0.0, seed: int = 0) -> Matrix:
    """Return ``2^p_i r_ij 2^q_j``, r uniform random, p and q whole numbers from -40 to 40 that look random.

    Scaling by powers of two undoes them exactly, and nothing else is wrong with the matrix.

    Parameters
    ----------
    n : int
        Size.
    condition : float
        Ignored.
    seed : int
        Of the random numbers.
    """
    return ScaledMatrix(random_uniform.create(n, 0.0, seed), _powers(n, ROW_STEP), _powers(n, COLUMN_STEP))


def _powers(n: int, step: int) -> NDArray[np.float64]:
    return np.ldexp(1.0, np.arange(n) * step % (2 * RANGE + 1) - RANGE)
