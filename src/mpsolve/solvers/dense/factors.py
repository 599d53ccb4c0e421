"""What a factorisation is told and returns, and what is kept of one between two steps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpsolve.parallel.block_cyclic import BlockCyclic
from mpsolve.solvers.injection import BitFlips


class Breakdown(StrEnum):
    """Why a factorisation was given up."""

    ZERO_PIVOT = "zero pivot"
    GROWTH = "growth"
    OVERFLOW = "overflow"
    DAMAGE = "damage"


@dataclass(frozen=True)
class FactorOptions:
    """How to factor.

    Attributes
    ----------
    pivoting : bool
        Partial pivoting, or none.
    growth_limit : float
        Give up when entries have grown by more than this; infinity: never.
    checksums : bool
        Whether checksums go along, and it is given up when one differs.
    flips : BitFlips, optional
        Strikes messages.
    """

    pivoting: bool = False
    growth_limit: float = math.inf
    checksums: bool = False
    flips: BitFlips | None = None


@dataclass(frozen=True, eq=False)
class Partial:
    """A factorisation between two steps; what is done of it lies in the memory of the factors.

    Attributes
    ----------
    step : int
        Steps that are done.
    order : ndarray of int64, shape (n,), or None
        As in `Factors`.
    growth : float
        As in `Factors`.
    """

    step: int = 0
    order: NDArray[np.int64] | None = None
    growth: float = 1.0


class Keeper:
    """Keeps a factorisation between two steps, now and then; this one never does."""

    def due(self, step: int) -> bool:
        """Tell whether to keep what is there after so many steps (collective)."""
        return False

    def keep(self, partial: Partial) -> None:
        """Keep it (collective)."""


@dataclass(frozen=True, eq=False)
class Factors:
    """L and U of a matrix, dealt out as the matrix was.

    Attributes
    ----------
    layout : BlockCyclic
        How they are dealt out.
    local : ndarray, local shape
        U, and below the diagonal L without its unit diagonal.
    order : ndarray of int64, shape (n,), or None
        Row i of the product of L and U is row ``order[i]`` of the matrix; None if no rows were exchanged.
    growth : float
        Largest magnitude of any entry on the way over that of the matrix.
    breakdown : Breakdown or None
        Why the factors are incomplete, if they are.
    column : int
        Where that was, counted from 0.
    block : tuple of int, or None
        Row and column of the block that a fault was found in.
    """

    layout: BlockCyclic
    local: NDArray[Any]
    order: NDArray[np.int64] | None
    growth: float
    breakdown: Breakdown | None = None
    column: int = -1
    block: tuple[int, int] | None = None
