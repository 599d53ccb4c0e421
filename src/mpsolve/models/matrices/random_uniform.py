"""Uniform random numbers between -0.5 and 0.5: what most matrices without structure are like."""

import numpy as np
from numpy.typing import NDArray

from mpsolve.kernels.congruential import WORD, jump, values
from mpsolve.models.matrices.base import Matrix

OPTIONS = ("seed",)


class RandomUniform(Matrix):
    """Entries of the generator of HPL-MxP in column-major order, without its large diagonal.

    Parameters
    ----------
    n : int
        Size.
    seed : int
        State before the first entry.
    """

    def __init__(self, n: int, seed: int) -> None:
        self.n, self.seed = n, seed

    def block(self, rows: slice, columns: slice) -> NDArray[np.float64]:
        """Return a block; see `Matrix.block`."""
        from mpsolve.kernels.congruential import jumps

        factors, shifts = jumps(rows.start + 1, 1, rows.stop - rows.start)
        starts = factors * np.uint64(self.seed) + shifts
        return values(starts, *jumps(columns.start * self.n, self.n, columns.stop - columns.start))


def create(n: int, condition: float = 0.0, seed: int = 0) -> Matrix:
    """Return the matrix of a size.

    Parameters
    ----------
    n : int
        Size.
    condition : float
        Ignored; the condition number is typically a small multiple of n.
    seed : int
        Another matrix for each; 2^32 entries lie between two seeds.
    """
    factor, shift = jump(seed << 32)
    return RandomUniform(n, (factor + shift) % WORD)
