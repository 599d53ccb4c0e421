"""Choose an inner solver for an operator."""

from __future__ import annotations

import math

from mpsolve.operators.base import Operator
from mpsolve.operators.diffusion import Diffusion
from mpsolve.solvers.multigrid.levels import HALO

#: Global cells from which cycles gain more than they cost on a latitude-longitude grid: as measured on the Earth, where
#: both are even at 720 x 360 and cycles are faster at 1440 x 720 (docs/performance.md).
ROWS_ALONE = 400_000


def choose_inner(inner: str, preconditioner: str, operator: Operator) -> tuple[str, str]:
    """Return the names of the inner solver and of the preconditioner, ``"auto"`` resolved as far as it can be here.

    Parameters
    ----------
    inner, preconditioner : str
        As in `RefinementOptions`.
    operator : Operator
        Diffusion with uniform coefficients gets multigrid, with varying ones conjugate gradients with a cycle of
        multigrid as preconditioner, which jumps of the conductivity slow down less. Where rows are coupled much the
        strongest, as on a latitude-longitude grid, solving for rows alone is faster than cycles that do the same on
        each grid, up to `ROWS_ALONE` cells; beyond, flexible GMRES with a cycle as preconditioner is. Other operators,
        and grids with too few ghosts for multigrid, get conjugate gradients (collective).
    """
    if inner != "auto":
        return inner, preconditioner
    if not isinstance(operator, Diffusion) or operator.space.halo < HALO:
        return "cg", preconditioner
    if preconditioner != "auto":
        return "cg", preconditioner
    if operator.coefficients.uniform:
        return "multigrid", preconditioner
    rows = operator.rows()
    if rows is None or not rows.dominant:
        return "cg", "multigrid"
    if math.prod(operator.grid.global_shape) > ROWS_ALONE:
        return "fgmres", "multigrid"
    return "cg", preconditioner
