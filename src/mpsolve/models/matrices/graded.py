"""A random matrix whose entries fall by many orders of magnitude from the first row and column to the last."""

import numpy as np

from mpsolve.models.matrices import random_uniform
from mpsolve.models.matrices.base import FormulaMatrix, Matrix

OPTIONS = ("condition", "seed")

DEFAULT_CONDITION = 1e12


def create(n: int, condition: float = 0.0, seed: int = 0) -> Matrix:
    """Return ``g^(i + j) r_ij``, r uniform random: badly conditioned as it stands, and harmless once it is scaled.

    Parameters
    ----------
    n : int
        Size.
    condition : float
        Ratio of the entries in the first corner and in the last; 0: `DEFAULT_CONDITION`.
    seed : int
        Of the random numbers.
    """
    random = random_uniform.create(n, 0.0, seed)
    exponent = -np.log2(condition or DEFAULT_CONDITION) / max(2 * n - 2, 1)
    return FormulaMatrix(n, lambda i, j: np.exp2(exponent * (i + j)) * random.block(_slice(i), _slice(j)))


def _slice(indices: np.ndarray) -> slice:
    flat = indices.reshape(-1)
    return slice(int(flat[0]), int(flat[-1]) + 1) if len(flat) else slice(0, 0)
