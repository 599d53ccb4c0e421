"""The contract of an inner solver: reduce a scaled residual in low precision, as far as the format allows."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from mpsolve.field import Field


@dataclass(frozen=True)
class InnerResult:
    """What an inner solve did.

    Attributes
    ----------
    iterations : int
        Iterations done.
    reduction : float or None
        Norm of the solver's own residual over its initial norm; NaN or infinite after a breakdown, None if the solver
        does not measure it: the FP64 residual that follows tells.
    """

    iterations: int
    reduction: float | None


@dataclass(frozen=True)
class Layout:
    """What an inner solver is made of.

    Attributes
    ----------
    grids : tuple of str
        A line per grid of multigrid, the finest first: cells, format, smoother; empty without multigrid. Rank 0 alone
        knows those that it has for itself.
    notes : tuple of str
        What makes it slower than it might be, and what would help.
    """

    grids: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class InnerSolver(ABC):
    """Solves A d = r approximately; A is an operator in low precision with norm of about 1.

    Attributes
    ----------
    right_hand_side : Field
        r, filled by the caller before `solve`; changed by it.
    correction : Field
        d over `gain`, valid after `solve`.
    gain : float
        A power of two.
    layout : Layout
        Its grids.
    """

    right_hand_side: Field
    correction: Field
    gain: float = 1.0
    layout: Layout = Layout()

    @abstractmethod
    def solve(self, rtol: float, max_iterations: int) -> InnerResult:
        """Solve until the residual has fallen by ``rtol`` or stalls (collective).

        Parameters
        ----------
        rtol : float
            Wanted reduction of the residual.
        max_iterations : int
            Upper bound of the iterations.
        """

    def widened(self) -> tuple[Any, str] | None:
        """Return options (`MultigridOptions`) that give a part that fails a wider format, and what that changes.

        None if nothing can be mended that way (collective).
        """
        return None
