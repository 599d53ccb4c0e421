"""When to stop refining, when to give up on a format, and how far an inner solve should go."""

import math
from dataclasses import dataclass

from mpsolve.formats.base import Format

#: A refinement must shrink the smallest residual so far at least by this factor, or it counts as a stall.
LEAST_CONTRACTION = 0.7
#: Stalls in a row after which the next format of the ladder is taken.
STALLS_ALLOWED = 2
#: A residual this much larger than the smallest one so far is divergence.
GROWTH = 1e4


def inner_tolerance(format: Format, rtol: float) -> float:
    """Return the reduction to ask of an inner solve: near what rounding in the format allows.

    Parameters
    ----------
    format : Format
        Format of the inner solver.
    rtol : float
        Tolerance of the whole solve.
    """
    return min(0.1, max(0.1 * rtol, 8 * format.unit_roundoff, 1e-14))


@dataclass
class Progress:
    """Watches the residuals of one format and names the reason to leave it."""

    best: float = math.inf
    stalls: int = 0

    def judge(self, residual: float) -> str:
        """Take the next FP64 residual norm; return why the format fails, or an empty string to go on."""
        if not math.isfinite(residual):
            return "the inner solve overflowed or broke down"
        if residual > GROWTH * self.best:
            return f"the residual grew from {self.best:.1e} to {residual:.1e}"
        self.stalls = 0 if residual <= LEAST_CONTRACTION * self.best else self.stalls + 1
        self.best = min(self.best, residual)
        if self.stalls > STALLS_ALLOWED:
            return f"the residual stalled at {self.best:.1e}"
        return ""
