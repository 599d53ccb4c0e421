"""Choose an inner solver for an operator."""

from __future__ import annotations

from mpsolve.operators.base import Operator
from mpsolve.operators.diffusion import Diffusion
from mpsolve.solvers.multigrid.levels import HALO


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
        each grid. Other operators, and grids with too few ghosts for multigrid, get conjugate gradients (collective).
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
    return "cg", preconditioner if rows is not None and rows.dominant else "multigrid"
