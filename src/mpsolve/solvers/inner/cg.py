"""Conjugate gradients with one reduction an iteration, for symmetric positive definite operators.

The recurrences are those of Chronopoulos and Gear (J. Comput. Appl. Math. 25, 1989): the product w = A u is formed
before the inner products, so that both travel in a single message.
"""

import math

from mpsolve.field import Field
from mpsolve.formats.base import Format
from mpsolve.operators.base import Operator
from mpsolve.parallel.reductions import maximum
from mpsolve.precision import get_format
from mpsolve.solvers.inner.base import InnerResult, InnerSolver

#: Iterations without a new smallest residual after which the solve is given up as stalled.
PATIENCE = 60
#: Binary exponent of the largest entry of the diagonal preconditioner.
LARGEST_WEIGHT = 4


def update(load, a, c, *index):
    """p = r + beta p; s = w + beta s; x = x + alpha p; r = r - alpha s; a = (p, s, x, r, w), c = (alpha, beta)."""
    p, s, x, r, w = a
    alpha, beta = c
    new_p = load(r, *index) + beta * load(p, *index)
    new_s = load(w, *index) + beta * load(s, *index)
    return new_p, new_s, load(x, *index) + alpha * new_p, load(r, *index) - alpha * new_s


def update_preconditioned(load, a, c, *index):
    """`update` with u = M r in place of r where p is built; a = (p, s, x, r, w, u, m), c = (alpha, beta)."""
    p, s, x, r, w, u, m = a
    alpha, beta = c
    new_p = load(u, *index) + beta * load(p, *index)
    new_s = load(w, *index) + beta * load(s, *index)
    new_r = load(r, *index) - alpha * new_s
    return new_p, new_s, load(x, *index) + alpha * new_p, new_r, load(m, *index) * new_r


def multiply(load, a, c, *index):
    """The product of two vectors, cell by cell; a = (left, right)."""
    left, right = a
    return load(left, *index) * load(right, *index)


class ConjugateGradients(InnerSolver):
    """Conjugate gradients, preconditioned by the diagonal where that varies.

    Parameters
    ----------
    operator : Operator
        Symmetric positive definite, with norm of about 1.
    accumulate : Format
        Format of the correction, which is a sum of many steps.
    """

    def __init__(self, operator: Operator, accumulate: Format) -> None:
        space, format = operator.space, operator.format
        self.operator, self.space = operator, space
        self.right_hand_side, self._p, self._s, self._w = (space.zeros(format) for _ in range(4))
        wide = accumulate if accumulate.significand_bits > format.significand_bits else format
        self.correction = space.zeros(wide)
        self._m = self._preconditioner(format)
        self._u = self.right_hand_side if self._m is None else space.zeros(format)
        self._bind()

    def _preconditioner(self, format: Format) -> Field | None:
        """Encode the inverse diagonal times a power of two that keeps it within narrow formats.

        A common factor changes no iterate of the method.
        """
        inverse = self.operator.inverse_diagonal()
        if inverse is None:
            return None
        largest = maximum(self.space.comm, float(inverse.max(initial=0.0)))
        return self.space.zeros(format).set(inverse * 2.0 ** (LARGEST_WEIGHT - math.frexp(largest)[1]))

    def _bind(self) -> None:
        r, p, s, x, w, u, m = (
            self.right_hand_side, self._p, self._s, self.correction, self._w, self._u, self._m
        )  # fmt: skip
        bind = self.space.bind
        if m is None:
            self._update = bind(update, [p, s, x, r], [p, s, x, r, w], phase="inner", flops=8)
            self._precondition = None
            dots = ((1, 1), (0, 1))
        else:
            inputs = [p, s, x, r, w, u, m]
            self._update = bind(update_preconditioned, [p, s, x, r, u], inputs, phase="inner", flops=9)
            self._precondition = bind(multiply, [u], [m, r], phase="inner", flops=1)
            dots = ((1, 2), (0, 1))
        self._apply = self.operator.affine(w, u, None if m is None else r, dots=dots, phase="inner")

    def solve(self, rtol: float, max_iterations: int) -> InnerResult:
        """Solve from a zero guess; see `InnerSolver.solve`."""
        for field in (self._p, self._s, self.correction):
            field.storage[...] = 0
        if self._precondition is not None:
            self._precondition()
        gamma, delta = self._apply(0.0, 1.0)
        start = best = gamma
        alpha, beta, best_at, iteration = gamma / delta if delta else math.nan, 0.0, 0, 0
        while iteration < max_iterations and math.isfinite(alpha) and alpha > 0:
            self._update(alpha, beta)
            iteration += 1
            gamma_old, (gamma, delta) = gamma, self._apply(0.0, 1.0)
            if not math.isfinite(gamma) or not math.isfinite(delta) or gamma <= rtol * rtol * start:
                break
            best, best_at = (gamma, iteration) if gamma < best else (best, best_at)
            if iteration - best_at > PATIENCE:
                break
            beta = gamma / gamma_old
            alpha = gamma / (delta - beta * gamma / alpha)
        reduction = math.sqrt(gamma / start) if start > 0 and gamma >= 0 else (0.0 if start == 0 else math.nan)
        return InnerResult(iteration, reduction)


def create(operator: Operator, accumulate: str = "fp32") -> InnerSolver:
    """Return conjugate gradients for an operator; ``accumulate`` names the format of the correction."""
    return ConjugateGradients(operator, get_format(accumulate))

