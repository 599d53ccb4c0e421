"""Geometric multigrid as inner solver: a few cycles a refinement, for diffusion on divided grids."""

from __future__ import annotations

import math

from mpsolve.field import Field
from mpsolve.operators.base import Operator
from mpsolve.solvers.inner.base import InnerResult, InnerSolver
from mpsolve.solvers.multigrid.hierarchy import Hierarchy
from mpsolve.solvers.multigrid.options import MultigridOptions

#: Reduction of the residual that a cycle is counted on for; more refinements make up for a slower one.
CYCLE_REDUCTION = 0.1
#: Cycles of one solve: corrections of a 16-bit format are worth no more than three.
MOST_CYCLES = {8: 1, 16: 3, 32: 6, 64: 10}


class Multigrid(InnerSolver):
    """Cycles of geometric multigrid in the format of the operator, or in a format per level.

    Parameters
    ----------
    operator : Diffusion
        In low precision, with norm of about 1.
    options : MultigridOptions
        Smoothing, cycles, formats.
    """

    def __init__(self, operator: Operator, options: MultigridOptions) -> None:
        hierarchy = Hierarchy(operator, options)
        self._hierarchy = hierarchy
        self.options, self.level, self.gain = options, hierarchy.level, hierarchy.gain
        self.layout = hierarchy.layout
        self.right_hand_side: Field = self.level.b
        self.correction: Field = self.level.u
        self._most = MOST_CYCLES[min(64, max(8, self.level.b.format.itemsize * 8))]

    def solve(self, rtol: float, max_iterations: int) -> InnerResult:
        """Cycle as often as the wanted reduction needs; see `InnerSolver.solve`."""
        wanted = math.ceil(math.log(rtol) / math.log(CYCLE_REDUCTION)) if 0 < rtol < 1 else 1
        cycles = max(1, min(wanted, self._most, max_iterations))
        for number in range(cycles):
            self.level.cycle(number > 0, full=self.options.cycle == "full", more=number < cycles - 1)
        return InnerResult(cycles, None)

    def widened(self) -> tuple[MultigridOptions, str] | None:
        """Look for the level that fails; see `InnerSolver.widened`."""
        return self._hierarchy.widened()


def create(
    operator: Operator,
    accumulate: str = "fp32",
    preconditioner: str = "auto",
    multigrid: MultigridOptions | None = None,
) -> InnerSolver:
    """Return multigrid for an operator; it has no use for the format of sums and for a preconditioner."""
    return Multigrid(operator, multigrid or MultigridOptions())
