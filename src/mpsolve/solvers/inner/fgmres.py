"""Flexible GMRES: for operators that are not symmetric, and preconditioners that differ from step to step.

Rounding in a narrow format makes a cycle of multigrid such a preconditioner. The preconditioned vectors are kept beside
the basis, so that the correction is made of what was really applied (Saad, SIAM J. Sci. Comput. 14, 1993).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpsolve.field import Field
from mpsolve.formats.base import Format
from mpsolve.operators.base import Operator
from mpsolve.precision import get_format
from mpsolve.solvers.inner.base import InnerResult, InnerSolver
from mpsolve.solvers.multigrid.options import MultigridOptions
from mpsolve.solvers.preconditioners import bind_preconditioner
from mpsolve.solvers.vectors import add_scaled, scaled_copy

#: Vectors of the basis before it is begun anew: each one costs two vectors of memory and a pass over both.
RESTART = 20
#: A basis that reduces the residual by less than this is the last one.
LEAST_GAIN = 0.9


def orthogonalise(load, a, c, *index):
    """Return w - h v; a = (w, v, next), c = (h,): the inner product with the next vector is taken in the same pass."""
    return load(a[0], *index) - c[0] * load(a[1], *index)


@dataclass(frozen=True, eq=False)
class _Step:
    """What step j of the basis does, bound to its vectors.

    Attributes
    ----------
    keep : callable
        Copies the preconditioned vector.
    apply : callable
        w = A z, with (w, v_0).
    remove : list of callable
        Per basis vector i <= j, takes its part from w and returns (w, v_(i+1)), at the last (w, w).
    extend : callable
        Copies w, scaled, to the basis.
    renew : callable
        Adds the new basis vector, scaled, to the first one.
    add : callable
        Adds the kept vector, scaled, to the correction.
    """

    keep: Callable
    apply: Callable
    remove: list[Callable]
    extend: Callable
    renew: Callable
    add: Callable


class FlexibleGmres(InnerSolver):
    """Restarted flexible GMRES in the format of the operator, orthogonalised by modified Gram-Schmidt.

    All basis vectors have the norm of the right-hand side, which lies well within a narrow format's range; unit vectors
    of many entries would not.

    Parameters
    ----------
    operator : Operator
        Any that is not singular, with norm of about 1.
    accumulate : Format
        Format of the correction, which is a sum of many vectors.
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
        self.right_hand_side, self._w, self._v = (space.zeros(format) for _ in range(3))
        wide = accumulate if accumulate.significand_bits > format.significand_bits else format
        self.correction = space.zeros(wide)
        self._precondition = bind_preconditioner(preconditioner, operator, self._v, multigrid)
        if self._precondition is not None:
            self.layout = self._precondition.layout
        self._z = self._v if self._precondition is None else self._precondition.output
        first = self.right_hand_side
        self._basis, self._take, self._steps = [first], [self._copy(self._v, first)], []
        self._size = space.bind(scaled_copy, [self._w], [first], dots=((1, 1),), phase="inner")
        self._shrink = self._copy(first, first)

    def _copy(self, output: Field, given: Field) -> Callable:
        return self.space.bind(scaled_copy, [output], [given], phase="inner", flops=1)

    def _sum(self, output: Field, given: Field) -> Callable:
        return self.space.bind(add_scaled, [output], [output, given], phase="inner", flops=2)

    def _step(self, j: int) -> _Step:
        """Return step j, bound when it is first needed."""
        while len(self._steps) <= j:
            place, kept, following = (
                len(self._steps),
                self.space.zeros(self._z.format),
                self.space.zeros(self._w.format),
            )
            nexts = [*self._basis[1:], self._w]
            self._steps.append(
                _Step(
                    keep=self._copy(kept, self._z),
                    apply=self.operator.affine(self._w, self._z, self._basis[0], dots=((0, 2),), phase="inner"),
                    remove=[self._removal(self._basis[i], nexts[i]) for i in range(place + 1)],
                    extend=self._copy(following, self._w),
                    renew=self._sum(self._basis[0], following),
                    add=self._sum(self.correction, kept),
                )
            )
            self._basis.append(following)
            self._take.append(self._copy(self._v, following))
        return self._steps[j]

    def _removal(self, vector: Field, following: Field) -> Callable:
        """Bind the removal of one vector's part from w; the last one returns the square of what is left."""
        dots = ((0, 0),) if following is self._w else ((0, 3),)
        fields = [self._w, vector, following]
        return self.space.bind(orthogonalise, [self._w], fields, dots=dots, phase="inner", flops=2)

    def solve(self, rtol: float, max_iterations: int) -> InnerResult:
        """Solve from a zero guess; see `InnerSolver.solve`."""
        self.correction.storage[...] = 0
        done, reduction, gained = 0, 1.0, 0.0
        while done < max_iterations and reduction > rtol and gained <= LEAST_GAIN:
            square = float(self._size(1.0)[0])
            if square == 0.0:
                return InnerResult(done, 0.0)
            most = min(RESTART, max_iterations - done)
            steps, gained = self._cycle(square, reduction, rtol / reduction, most)
            done, reduction = done + steps, reduction * gained
        return InnerResult(done, reduction)

    def _cycle(self, square: float, scale: float, rtol: float, most: int) -> tuple[int, float]:
        """Build a basis on the first vector, which is the residual over ``scale``, and add the best correction in it.

        What is left of the residual, at its full size, becomes the first vector of the next basis. Return the steps
        and what is left as a part; NaN if not even one step was possible.
        """
        matrix = np.zeros((most + 1, most))
        weights, left, steps = np.zeros(0), np.ones(1), 0
        while steps < most:
            column = self._arnoldi(steps, square)
            if not np.isfinite(column).all():
                break
            matrix[: steps + 2, steps] = column
            steps += 1
            weights, left = _least_squares(matrix[: steps + 1, :steps])
            if np.linalg.norm(left) <= rtol or column[-1] == 0.0:
                break
        for step, weight in zip(self._steps, weights, strict=False):
            step.add(scale * weight)
        gained = float(np.linalg.norm(left))
        if gained > 0:
            self._shrink(left[0] / gained)
            for step, part in zip(self._steps, left[1:], strict=False):
                step.renew(part / gained)
        return max(steps, 1), gained if steps else math.nan

    def _arnoldi(self, j: int, square: float) -> NDArray[np.float64]:
        """Extend the basis by A times its preconditioned last vector; return the column of the Hessenberg matrix."""
        step = self._step(j)
        self._take[j](1.0)
        if self._precondition is not None:
            self._precondition()
        step.keep(1.0)
        column = np.empty(j + 2)
        value = float(step.apply(0.0, 1.0)[0])
        for i, remove in enumerate(step.remove):
            column[i] = value / square
            value = float(remove(column[i])[0])
        column[-1] = math.sqrt(value / square) if value >= 0 else math.nan
        if 0 < column[-1] < math.inf:
            step.extend(1.0 / column[-1])
        return column


def _least_squares(matrix: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the weights y that make ``e_1 - H y`` smallest, and what is left."""
    first = np.zeros(len(matrix))
    first[0] = 1.0
    weights = np.linalg.lstsq(matrix, first, rcond=None)[0]
    left: NDArray[np.float64] = first - matrix @ weights
    return weights.astype(np.float64), left


def create(
    operator: Operator,
    accumulate: str = "fp32",
    preconditioner: str = "auto",
    multigrid: MultigridOptions | None = None,
) -> InnerSolver:
    """Return flexible GMRES for an operator; ``accumulate`` names the format of the correction."""
    return FlexibleGmres(operator, get_format(accumulate), preconditioner, multigrid)
