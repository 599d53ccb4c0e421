"""Conjugate gradients with one reduction an iteration, for symmetric positive definite operators.

The recurrences are those of Chronopoulos and Gear (J. Comput. Appl. Math. 25, 1989): the product w = A u is formed
before the inner products, so that both travel in a single message.
"""

import math

from mpsolve.formats.base import Format
from mpsolve.operators.base import Operator
from mpsolve.precision import get_format
from mpsolve.solvers.inner.base import InnerResult, InnerSolver
from mpsolve.solvers.multigrid.options import MultigridOptions
from mpsolve.solvers.preconditioners import bind_preconditioner

#: Iterations without a new smallest residual after which the solve is given up as stalled.
PATIENCE = 60


def update(load, a, c, *index):
    """Set p = u + beta p, s = w + beta s, x += alpha p, r -= alpha s; a = (p, s, x, r, w, u), c = (alpha, beta)."""
    p, s, x, r, w, u = a
    alpha, beta = c
    new_p = load(u, *index) + beta * load(p, *index)
    new_s = load(w, *index) + beta * load(s, *index)
    return new_p, new_s, load(x, *index) + alpha * new_p, load(r, *index) - alpha * new_s


def ratio(numerator: float, denominator: float) -> float:
    """Return the quotient; NaN, which ends the iteration, if the denominator is zero."""
    return numerator / denominator if denominator else math.nan


class ConjugateGradients(InnerSolver):
    """Conjugate gradients in the format of the operator.

    Parameters
    ----------
    operator : Operator
        Symmetric positive definite, with norm of about 1.
    accumulate : Format
        Format of the correction, which is a sum of many steps.
    preconditioner : str
        See `mpsolve.solvers.preconditioners`.
    multigrid : MultigridOptions, optional
        Of the preconditioner ``"multigrid"``.
    """

    def __init__(
        self,
        operator: Operator,
        accumulate: Format,
        preconditioner: str = "auto",
        multigrid: MultigridOptions | None = None,
    ) -> None:
        space, format = operator.space, operator.format
        self.operator, self.space = operator, space
        self.right_hand_side, self._p, self._s, self._w = (space.zeros(format) for _ in range(4))
        wide = accumulate if accumulate.significand_bits > format.significand_bits else format
        self.correction = space.zeros(wide)
        cycle = (multigrid or MultigridOptions()).steps(symmetric=True)
        self._precondition = bind_preconditioner(preconditioner, operator, self.right_hand_side, cycle)
        if self._precondition is not None:
            self.layout = self._precondition.layout
        u = self.right_hand_side if self._precondition is None else self._precondition.output
        p, s, x, r, w = self._p, self._s, self.correction, self.right_hand_side, self._w
        self._update = space.bind(update, [p, s, x, r], [p, s, x, r, w, u], phase="inner", flops=8)
        # (r, u) and (w, u), where u is r itself if nothing preconditions.
        fields, dots = ((w, u), ((1, 1), (0, 1))) if u is r else ((w, u, r), ((1, 2), (0, 1)))
        self._apply = operator.affine(*fields, dots=dots, phase="inner")

    def widened(self) -> tuple[MultigridOptions, str] | None:
        """Look for the level of the preconditioner that fails; see `InnerSolver.widened`."""
        return self._precondition.widened() if self._precondition is not None else None

    def solve(self, rtol: float, max_iterations: int) -> InnerResult:
        """Solve from a zero guess; see `InnerSolver.solve`."""
        for field in (self._p, self._s, self.correction):
            field.storage[...] = 0
        if self._precondition is not None:
            self._precondition()
        gamma, delta = map(float, self._apply(0.0, 1.0))
        start = best = gamma
        alpha, beta, best_at, iteration = ratio(gamma, delta), 0.0, 0, 0
        while iteration < max_iterations and math.isfinite(alpha) and alpha > 0:
            self._update(alpha, beta)
            if self._precondition is not None:
                self._precondition()
            iteration += 1
            gamma_old, (gamma, delta) = gamma, map(float, self._apply(0.0, 1.0))
            if not math.isfinite(gamma) or not math.isfinite(delta) or gamma <= rtol * rtol * start:
                break
            best, best_at = (gamma, iteration) if gamma < best else (best, best_at)
            if iteration - best_at > PATIENCE:
                break
            beta = gamma / gamma_old
            alpha = ratio(gamma, delta - beta * gamma / alpha)
        reduction = math.sqrt(gamma / start) if start > 0 and gamma >= 0 else (0.0 if start == 0 else math.nan)
        return InnerResult(iteration, reduction)


def create(
    operator: Operator,
    accumulate: str = "fp32",
    preconditioner: str = "auto",
    multigrid: MultigridOptions | None = None,
) -> InnerSolver:
    """Return conjugate gradients for an operator; ``accumulate`` names the format of the correction."""
    return ConjugateGradients(operator, get_format(accumulate), preconditioner, multigrid)
