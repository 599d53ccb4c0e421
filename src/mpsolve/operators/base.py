"""The contract of a linear operator: it is applied, and it has a copy of itself in a lower precision."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpsolve.field import Field
from mpsolve.formats.base import Format
from mpsolve.parallel.space import Space


@dataclass(frozen=True, eq=False)
class Rows:
    """The part of an operator that couples cells of one row, local and FP64: a tridiagonal ring or chain per row.

    Attributes
    ----------
    diagonal : ndarray, local shape
        Diagonal of the whole operator.
    off : ndarray, local shape
        Entry between columns j - 1 and j; column 0 is not used.
    corner : ndarray, local shape without the last axis
        Entry between the last and the first column of a periodic row; zero for open rows.
    dominant : bool
        Whether the coupling along rows is much the strongest somewhere, so that solving for rows pays.
    """

    diagonal: NDArray[np.float64]
    off: NDArray[np.float64]
    corner: NDArray[np.float64]
    dominant: bool


class Operator(ABC):
    """A linear operator A on the vectors of a space.

    Attributes
    ----------
    space : Space
        Where its vectors live.
    format : Format
        Format of its coefficients.
    norm : float
        An upper bound of the infinity norm; 0 if none is known, which makes the backward error a relative residual.
    scale : float
        A power of two: this operator is A / scale, where A is the operator it was made from by `in_format`.
    singular : bool
        Whether A is known to map constants to zero, and to be symmetric: then b must add up to zero.
    """

    space: Space
    format: Format
    norm: float
    scale: float = 1.0
    singular: bool = False

    @abstractmethod
    def affine(
        self, output: Field, u: Field, b: Field | None = None, *, dots: tuple[tuple[int, int], ...] = (), phase: str
    ) -> Callable[[float, float], NDArray[np.float64]]:
        """Bind ``output = p b + q A u`` for repeated use.

        Parameters
        ----------
        output : Field
            The result; any format.
        u : Field
            The argument; its ghosts are filled by the call.
        b : Field, optional
            The vector that is added; if None, ``p`` must be 0.
        dots : tuple of (int, int)
            Inner products to return, among fields 0 (output), 1 (u) and 2 (b).
        phase : str
            The ledger's phase.

        Returns
        -------
        callable
            ``call(p, q)`` computes and returns the inner products (collective).
        """

    def corrected(
        self, new: Field, residual: Field, scaled: Field, x: Field, correction: Field, b: Field
    ) -> Callable[[float, float], NDArray[np.float64]] | None:
        """Bind ``new = x + c correction``, ``residual = b - A new`` and ``scaled = s residual`` as one pass.

        Parameters
        ----------
        new, residual : Field
            FP64 results; the residual is wanted for its norm, and what its field holds afterwards is not defined.
        scaled : Field
            The residual in the format of an inner solver.
        x, correction, b : Field
            The iterate and the right-hand side, FP64, and the correction in any format; the ghosts of the first two
            are filled by the call.

        Returns
        -------
        callable or None
            ``call(c, s)`` computes and returns the squares of the norms of `residual` and `new` (collective); None if
            the operator has no such pass.
        """
        return None

    @abstractmethod
    def in_format(self, format: Format) -> Operator:
        """Return this operator with coefficients in ``format``, divided by a power of two `scale` against overflow."""

    @abstractmethod
    def inverse_diagonal(self) -> NDArray[np.float64] | None:
        """Return 1 / diagonal (local shape), or None if the diagonal is constant or not known."""

    def rows(self) -> Rows | None:
        """Return the coupling along rows, or None if ranks cut the rows or the operator has none (collective)."""
        return None
