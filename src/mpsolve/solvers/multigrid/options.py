"""How multigrid cycles; a table of the configuration."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from mpsolve.formats.base import Format
from mpsolve.precision import get_format

CYCLES = ("v", "w", "full")
SMOOTHERS = ("chebyshev", "jacobi", "red_black", "lines")

#: Smoothing steps before and after the coarser grid. All after it, as one polynomial, damp more than the same number in
#: two parts, and the residual of a zero guess needs no pass; conjugate gradients need a symmetric cycle.
STEPS, SYMMETRIC_STEPS = (0, 4), (2, 2)

#: What a cycle that works leaves of a residual, at most; with smoothing and transfers in order it leaves about a tenth.
WEAK_REDUCTION = 0.5
#: The next format of a level, by the bits of the present one.
PRECISE_BITS = 32
WIDER = {8: "bf16", 16: "fp32", 19: "fp32", 32: "fp64"}


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
        Smoothing steps before and after the coarser grid; both 0: `STEPS`, or `SYMMETRIC_STEPS` where the cycle has to
        be symmetric.
    levels : tuple of str
        Formats, the finest grid first; the last one also holds for all coarser grids. Empty: that of the inner solver.
    """

    cycle: str = "v"
    smoother: str = "auto"
    sweeps_before: int = 0
    sweeps_after: int = 0
    levels: tuple[str, ...] = ()

    def steps(self, symmetric: bool) -> MultigridOptions:
        """Return the options with numbers of steps, if they leave those open."""
        if self.sweeps_before or self.sweeps_after:
            return self
        before, after = SYMMETRIC_STEPS if symmetric else STEPS
        return replace(self, sweeps_before=before, sweeps_after=after)

    def at_least(self, format: Format) -> MultigridOptions:
        """Return the options with no level in a format of fewer bits."""
        levels = tuple(name if get_format(name).bits >= format.bits else format.name for name in self.levels)
        return replace(self, levels=levels)

    def widened(self, format: Format, reductions: list[float]) -> tuple[MultigridOptions, str] | None:
        """Return the options with the weakest level in a wider format, and what was changed; None if none is weak.

        Where all levels have the format of the solver, a coarse one is only taken out if its right-hand side
        overflowed: the next format of the ladder is the remedy for the rest.

        Parameters
        ----------
        format : Format
            Of the levels where `levels` is empty.
        reductions : list of float
            See `Level.reductions`, the finest first.
        """
        given = self.levels or (format.name,)
        names = [given[min(number, len(given) - 1)] for number in range(len(reductions))]
        suspects = _suspects(reductions) if self.levels else [n for n in _overflowed(reductions) if n]
        for number in suspects:
            if wider := _wider(names[number], reductions[number]):
                change = f"level {number} kept {reductions[number]:.1e} of its residual in {names[number]}, now {wider}"
                names[number] = wider
                return replace(self, levels=tuple(names)), change
        return None


def _suspects(reductions: list[float]) -> list[int]:
    """Return the levels that may be at fault, the first suspect first.

    A right-hand side that overflows spoils all levels below it, a solution that overflows or is no good all above.
    """
    upwards = range(len(reductions))[::-1]
    spoiled = [number for number in upwards if math.isnan(reductions[number])]
    weak = [number for number in upwards if WEAK_REDUCTION < reductions[number] < math.inf]
    return [*_overflowed(reductions), *spoiled[:1], *weak]


def _overflowed(reductions: list[float]) -> list[int]:
    """Return the finest level whose right-hand side overflowed, if there is one."""
    return [number for number, left in enumerate(reductions) if left == math.inf][:1]


def _wider(name: str, reduction: float) -> str | None:
    """Return the next format; none for a weak level in FP32, whose rounding is no reason to be weak."""
    bits = get_format(name).bits
    return None if math.isfinite(reduction) and bits >= PRECISE_BITS else WIDER.get(bits)
