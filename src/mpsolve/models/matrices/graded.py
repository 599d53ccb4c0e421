"""A random matrix whose entries fall by many orders of magnitude from the first row and column to the last."""

import numpy as np

from mpsolve.models.matrices import random_uniform
from mpsolve.models.matrices.base import Matrix, ScaledMatrix, condition_or

OPTIONS = ("condition", "seed")

DEFAULT_CONDITION = 1e12


def create(n: int, condition: float = 0.0, seed: int = 0) -> Matrix:
    """Return ``g^(i + j) r_ij``, r uniform random: badly conditioned as it stands, and harmless once it is scaled.

    Parameters
    ----------
    n : int
        Size.
    condition : float
        Ratio of the scale in the first corner and in the last, which the condition number is at least about; 0:
        `DEFAULT_CONDITION`.
    seed : int
        Of the random numbers.

    Raises
    ------
    ConfigError
        If the ratio is below 1 or infinite.
    """
    exponent = -np.log2(condition_or(DEFAULT_CONDITION, condition)) / max(2 * n - 2, 1)
    scale = np.exp2(exponent * np.arange(n))
    return ScaledMatrix(random_uniform.create(n, 0.0, seed), scale, scale)
