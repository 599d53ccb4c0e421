"""How multigrid cycles; a table of the configuration."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mpsolve.formats.base import Format
from mpsolve.precision import get_format

CYCLES = ("v", "w", "full")
SMOOTHERS = ("chebyshev", "jacobi", "red_black", "lines")


@dataclass(frozen=True)
class MultigridOptions:
    """Choices of a multigrid cycle.

    Attributes
    ----------
    cycle : str
        ``"v"``, ``"w"``, or ``"full"``: the first cycle of a solve starts from the coarsest grid, V-cycles follow.
    smoother : str
        One of `SMOOTHERS`, or ``"auto"``: whole rows where the operator couples them much the strongest.
    sweeps_before, sweeps_after : int
        Smoothing steps before and after the coarser grid.
    levels : tuple of str
        Formats, the finest grid first; the last one also holds for all coarser grids. Empty: that of the inner solver.
    """

    cycle: str = "v"
    smoother: str = "auto"
    sweeps_before: int = 2
    sweeps_after: int = 2
    levels: tuple[str, ...] = ()

    def at_least(self, format: Format) -> MultigridOptions:
        """Return the options with no level in a format of fewer bits."""
        levels = tuple(name if get_format(name).bits >= format.bits else format.name for name in self.levels)
        return replace(self, levels=levels)
