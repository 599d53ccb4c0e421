"""Preconditioners of the inner solver: nothing, the diagonal, whole rows, or a cycle of multigrid."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mpsolve.errors import ConfigError, UnknownNameError
from mpsolve.field import Field
from mpsolve.operators.base import Operator, Rows
from mpsolve.parallel.reductions import maximum
from mpsolve.precision import get_format
from mpsolve.solvers.inner.base import Layout
from mpsolve.solvers.lines import factorise
from mpsolve.solvers.multigrid.hierarchy import Hierarchy
from mpsolve.solvers.multigrid.options import MultigridOptions
from mpsolve.solvers.vectors import multiply, scaled_copy

PRECONDITIONERS = ("auto", "multigrid", "lines", "jacobi", "none")
#: Binary exponent of the largest weight, so that narrow formats neither overflow nor lose the small ones. A common
#: factor of the preconditioner changes no iterate of a Krylov method.
LARGEST_WEIGHT = 4


@dataclass(frozen=True, eq=False)
class Preconditioner:
    """A bound preconditioner; calling it computes `output` from the residual it was bound to.

    Attributes
    ----------
    output : Field
        The preconditioned residual.
    layout : Layout
        Its grids.
    """

    output: Field
    apply: Callable[[], object]
    layout: Layout = Layout()

    def __call__(self) -> None:
        """Compute the output (collective for multigrid, else local)."""
        self.apply()


def bind_preconditioner(
    kind: str, operator: Operator, residual: Field, multigrid: MultigridOptions | None = None
) -> Preconditioner | None:
    """Return a preconditioner for an operator, or None where there is nothing to gain (collective).

    Parameters
    ----------
    kind : str
        ``"multigrid"`` does one cycle; ``"lines"`` solves the coupling along the last axis exactly, which takes the
        poles of a latitude-longitude grid; ``"jacobi"`` divides by the diagonal; ``"none"``; ``"auto"`` takes lines
        where they are much stronger coupled than columns, else the diagonal where that varies.
    operator : Operator
        The operator in low precision.
    residual : Field
        What it is applied to.
    multigrid : MultigridOptions, optional
        Of the cycle.

    Raises
    ------
    ConfigError
        If lines are asked for but cut between ranks, or the operator has none; or if it cannot be coarsened.
    UnknownNameError
        If the name is unknown.
    """
    if kind not in PRECONDITIONERS:
        raise UnknownNameError("preconditioner", kind, PRECONDITIONERS)
    if kind == "multigrid":
        return _multigrid(operator, residual, multigrid or MultigridOptions())
    rows = operator.rows() if kind in ("auto", "lines") else None
    if kind == "lines" and rows is None:
        raise ConfigError(
            "preconditioner 'lines' needs varying coefficients and rows that are not cut between ranks; "
            "set run.ranks so that the last axis has 1, or take 'jacobi'"
        )
    if rows is not None and (kind == "lines" or rows.dominant):
        return _lines(operator, residual, rows)
    return None if kind == "none" else _jacobi(operator, residual)


def _multigrid(operator: Operator, residual: Field, options: MultigridOptions) -> Preconditioner:
    hierarchy = Hierarchy(operator, options)
    level = hierarchy.level
    copy = operator.space.bind(scaled_copy, [level.b], [residual], phase="inner")

    def apply() -> None:
        copy(1.0)
        level.cycle(False, full=options.cycle == "full")

    return Preconditioner(level.u, apply, hierarchy.layout)


def _jacobi(operator: Operator, residual: Field) -> Preconditioner | None:
    inverse = operator.inverse_diagonal()
    if inverse is None:
        return None
    space = operator.space
    weights = space.zeros(operator.format).set(inverse * _factor(operator, inverse))
    output = space.zeros(operator.format)
    return Preconditioner(output, space.bind(multiply, [output], [weights, residual], phase="inner", flops=1))


def _lines(operator: Operator, residual: Field, rows: Rows) -> Preconditioner:
    space, format = operator.space, operator.format
    # What is left of the diagonal after the row's own coupling bounds the inverse.
    coupling = np.abs(rows.off) + np.abs(np.roll(rows.off, -1, axis=-1))
    coupling[..., -1] = np.abs(rows.off[..., -1]) + np.abs(rows.corner)
    coupling[..., 0] = np.abs(rows.off[..., 1]) + np.abs(rows.corner)
    factor = _factor(operator, 1.0 / (rows.diagonal - coupling))
    lower, inverse, border = factorise(rows.diagonal, rows.off, rows.corner)
    wide = get_format("fp64" if format.name == "fp64" else "fp32")
    # Scaling the inverse pivots scales the solution: both substitutions and the border correction are linear in it.
    stored = [space.zeros(wide).set(values) for values in (lower, inverse * factor, border)]
    output = space.zeros(format)
    return Preconditioner(output, space.bind_lines(output, residual, (stored[0], stored[1], stored[2]), phase="inner"))


def _factor(operator: Operator, weights: np.ndarray) -> float:
    """Return the power of two that brings the largest weight of all ranks to `LARGEST_WEIGHT` (collective)."""
    largest = maximum(operator.space.comm, float(np.max(weights, initial=0.0)))
    return 2.0 ** (LARGEST_WEIGHT - math.frexp(largest)[1])
