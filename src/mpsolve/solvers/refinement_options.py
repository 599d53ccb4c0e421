"""How to refine a solution on a grid: formats, tolerances, inner solver."""

from __future__ import annotations

from dataclasses import dataclass

from mpsolve.solvers.injection import BitFlips
from mpsolve.solvers.multigrid.options import MultigridOptions


@dataclass(frozen=True)
class RefinementOptions:
    """How to refine.

    Attributes
    ----------
    inner : str
        Inner solver: the name of a file in ``solvers/inner``, or ``"auto"``: see `choose_inner`.
    ladder : tuple of str
        Formats to try in turn, the first one first.
    preconditioner : str
        Of the inner solver: see `mpsolve.solvers.preconditioners`.
    accumulate : str
        Format of sums inside the inner solver.
    rtol : float
        Wanted FP64 backward error.
    max_refinements : int
        Upper bound of the outer iterations.
    max_iterations : int
        Upper bound of the inner iterations of one refinement.
    inner_rtol : float
        Reduction asked of each inner solve; 0 chooses by the format.
    multigrid : MultigridOptions
        Of the inner solver ``"multigrid"``.
    flips : BitFlips, optional
        Strikes the right-hand side and the correction of each inner solve.
    """

    inner: str = "cg"
    preconditioner: str = "auto"
    ladder: tuple[str, ...] = ("fp64",)
    accumulate: str = "fp32"
    rtol: float = 1e-12
    max_refinements: int = 60
    max_iterations: int = 10_000
    inner_rtol: float = 0.0
    multigrid: MultigridOptions = MultigridOptions()
    flips: BitFlips | None = None
