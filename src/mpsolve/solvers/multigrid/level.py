"""What a level of a multigrid cycle promises."""

from __future__ import annotations

from abc import ABC, abstractmethod

from mpsolve.field import Field


class Level(ABC):
    """One grid of the hierarchy.

    Attributes
    ----------
    b, u : Field
        Right-hand side and solution, this rank's blocks.
    """

    b: Field
    u: Field

    @abstractmethod
    def cycle(self, guess: bool, full: bool = False, more: bool = False) -> None:
        """Improve `u`, from zero or from the result of the cycle before (collective).

        Parameters
        ----------
        guess : bool
            Not from zero.
        full : bool
            If from zero, start from the coarser grids.
        more : bool
            Another cycle follows that goes on from here: `u` need not hold the result yet.
        """

    @abstractmethod
    def reductions(self) -> list[float]:
        """Return, for this level and each one below, what the last cycle left of its residual (collective).

        Infinity tells that the right-hand side left the range of the level's format, NaN that the solution did.
        """

    @abstractmethod
    def describe(self) -> list[str]:
        """Return a line for this level and each one below; those of one rank alone are known there only."""

    def notes(self) -> list[str]:
        """Return what makes this level, or one below, slower than it might be; see `describe`."""
        return []
