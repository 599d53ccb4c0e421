"""The Hilbert matrix: positive definite, and singular to FP64 from 13 rows on."""

from mpsolve.models.matrices.base import FormulaMatrix, Matrix

OPTIONS = ()


def create(n: int, condition: float = 0.0, seed: int = 0) -> Matrix:
    """Return ``1 / (i + j + 1)``, rows and columns counted from 0; the condition number grows like e^(3.5 n)."""
    return FormulaMatrix(n, lambda i, j: 1.0 / (i + j + 1.0))
