"""The coarsest grid, solved directly on one rank."""

from __future__ import annotations

import numpy as np

from mpsolve.field import Field
from mpsolve.solvers.multigrid.coefficients import LevelCoefficients
from mpsolve.solvers.multigrid.couplings import Couplings
from mpsolve.solvers.multigrid.stencil import dense_matrix

#: Singular values below this part of the largest one belong to the null space (constants, where nothing is held).
NULL = 1e-12


class DirectSolve:
    """Multiplies by the pseudo-inverse of the operator of a small grid.

    Parameters
    ----------
    coefficients : LevelCoefficients or Couplings
        Of the whole grid.
    factor : float
        The operator is this times the one of the coefficients.
    b, u : Field
        Right-hand side and solution on a block that is the whole grid.
    """

    def __init__(self, coefficients: LevelCoefficients | Couplings, factor: float, b: Field, u: Field) -> None:
        self.b, self.u = b, u
        self.inverse = np.linalg.pinv(dense_matrix(coefficients, factor), rcond=NULL)

    def __call__(self) -> None:
        """Solve (local)."""
        with np.errstate(all="ignore"):
            values = self.inverse @ self.b.to_numpy().ravel()
            self.u.set(values.reshape(self.u.shape))
