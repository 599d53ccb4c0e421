"""The coarsest grid, solved directly on one rank."""

from __future__ import annotations

import math

import numpy as np

from mpsolve.field import Field
from mpsolve.formats.base import Format
from mpsolve.parallel.space import Space
from mpsolve.solvers.multigrid.coefficients import LevelCoefficients
from mpsolve.solvers.multigrid.couplings import Couplings
from mpsolve.solvers.multigrid.level import Level
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


class Direct(Level):
    """The coarsest grid, whole on one rank."""

    def __init__(
        self, space: Space, coefficients: LevelCoefficients | Couplings, factor: float, format: Format
    ) -> None:
        self.b, self.u = space.zeros(format), space.zeros(format)
        self.solve = DirectSolve(coefficients, factor, self.b, self.u)

    def cycle(self, guess: bool, full: bool = False, more: bool = False) -> None:
        """Solve; see `Level.cycle`."""
        self.solve()

    def reductions(self) -> list[float]:
        """See `Level.reductions`; the solution is as exact as its format."""
        if not np.isfinite(self.b.to_numpy()).all():
            return [math.inf]
        return [0.0 if np.isfinite(self.u.to_numpy()).all() else math.nan]

    def describe(self) -> list[str]:
        """See `Level.describe`."""
        return [f"{'x'.join(map(str, self.b.shape))} {self.b.format.name} direct"]
