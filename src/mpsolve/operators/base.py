"""The contract of a linear operator: it is applied, and it has a copy of itself in a lower precision."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mpsolve.field import Field
from mpsolve.formats.base import Format
from mpsolve.parallel.space import Space


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
    """

    space: Space
    format: Format
    norm: float
    scale: float = 1.0

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

    @abstractmethod
    def in_format(self, format: Format) -> Operator:
        """Return this operator with coefficients in ``format``, divided by a power of two `scale` that avoids overflow."""

    @abstractmethod
    def inverse_diagonal(self) -> NDArray[np.float64] | None:
        """Return 1 / diagonal (local shape), or None if the diagonal is constant or not known."""
