"""Refinement of dense systems to FP64: classical, then GMRES, then the next format, as the contraction demands."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mpsolve.operators.dense import DenseOperator
from mpsolve.solvers.base import Escalation, Refinement, Result, Status
from mpsolve.solvers.dense.condition import inverse_norm_1
from mpsolve.solvers.dense.gmres import gmres
from mpsolve.solvers.dense.options import DenseOptions
from mpsolve.solvers.dense.rungs import HARMLESS_GROWTH, Factory
from mpsolve.solvers.dense.substitution import FactorSolver

#: A classical refinement that leaves more than this of the error is slower than GMRES, whose iterations cost the same.
SLOW = 0.1
#: A cycle of GMRES that leaves more than this has stagnated.
STUCK = 0.5
#: An inner solve aims below what is wanted by this factor, because it measures another norm.
MARGIN = 0.3
#: Bounds of the reduction asked of one cycle of GMRES: below the first, FP64 Krylov vectors are no longer independent.
LEAST_REDUCTION, MOST_REDUCTION = 1e-11, 0.1
#: Right-hand sides whose Krylov spaces are kept at the same time.
SIDE_BY_SIDE = 16
#: Reduction and iterations that a digit of the inverse may take where the factors are poor.
ONE_DIGIT, DIGIT_ITERATIONS = 0.05, 20


class DenseSolver:
    """Solves A x = b for many right-hand sides at once; the matrix and b are never changed.

    Where rows and columns are scaled, everything is done and measured in the scaled system: in a matrix whose rows
    differ by many orders of magnitude, an error that is small against the largest row says nothing about the others.
    Factors are kept: the next solve starts with the format and the method in which the last one ended.

    Parameters
    ----------
    operator : DenseOperator
        A.
    options : DenseOptions
        Tolerances, ladder, pivoting.
    observe_factors : callable, optional
        Called with (finished steps, steps) during a factorisation.

    Attributes
    ----------
    factory : Factory
        Makes the factors; holds messages and seconds by phase.
    rows, columns : ndarray
        Factors of the rows and columns of the scaled system; one if nothing is scaled.
    norm_inf, norm_1 : float
        Norms of the scaled matrix.
    """

    def __init__(
        self,
        operator: DenseOperator,
        options: DenseOptions,
        observe_factors: Callable[[int, int], None] | None = None,
    ) -> None:
        self.operator, self.options = operator, options
        self.factory = Factory(operator, options, observe_factors)
        self.level = 0
        self.solver: FactorSolver | None = None
        self.growth = 1.0
        self.krylov = options.refiner == "gmres"
        scaling, ones = self.factory.scaling, np.ones(1)
        self.rows, self.columns = (ones, ones) if scaling is None else (scaling.rows, scaling.columns)
        self.norm_inf, self.norm_1 = operator.norms(scaling)

    @property
    def format(self) -> str:
        """Name of the format that factors are made in at present."""
        return self.options.ladder[self.level]

    def forget_factors(self) -> None:
        """Begin anew, with the first format and the pivoting that was asked for."""
        self.solver, self.level, self.growth = None, 0, 1.0
        self.krylov = self.options.refiner == "gmres"
        self.factory.forget()

    def solve(
        self, b: NDArray[np.float64], observe: Callable[[Refinement], None] = lambda entry: None
    ) -> tuple[NDArray[np.float64], Result]:
        """Solve for every right-hand side (collective).

        Parameters
        ----------
        b : ndarray of float64, shape (count, n)
            Right-hand sides, the same on every rank.
        observe : callable
            Called with each entry of the history as it is made.

        Returns
        -------
        x : ndarray of float64, shape (count, n)
            The best solutions found, converged or not; the same on every rank.
        result : Result
            Backward errors are the largest over the right-hand sides, in the infinity norm of the scaled system.

        Raises
        ------
        SingularMatrixError, FormatError
            See `Factory.make`.
        """
        run = _Run(self, b * self.rows, observe)
        status = run.climb()
        return run.best * self.columns, run.result(status)

    def certify(self, x: NDArray[np.float64], b: NDArray[np.float64], result: Result) -> Result:
        """Return the result with an estimate of the condition number and a bound of the forward error (collective).

        The bound is ``|inverse| |b - A x| / |x|`` in the 1-norm of the scaled system, with the residual raised by the
        rounding of its sums. It costs some solves with the factors; without factors, the result is returned as it is.
        """
        if self.solver is None:
            return result
        b, x = b * self.rows, x / self.columns
        with np.errstate(all="ignore"):
            inverse, n = inverse_norm_1(b.shape[1], self._inverse), b.shape[1]
            residual, lengths = np.abs(b - self.product(x)).sum(axis=1), np.abs(x).sum(axis=1)
            residual += (n + 1) * 2.0**-53 * (self.norm_1 * lengths + np.abs(b).sum(axis=1))
            bounds = np.where(lengths > 0, inverse * residual / np.where(lengths > 0, lengths, 1.0), 0.0)
        return replace(result, condition=inverse * self.norm_1, forward_error=float(bounds.max(initial=0.0)))

    def _inverse(self, b: NDArray, transposed: bool) -> NDArray:
        """Apply the inverse to about one digit: the factors alone may be too far from the matrix for that."""
        apply = lambda x: self.product(x, transposed=transposed)  # noqa: E731
        precondition = lambda r: self.precondition(r, transposed=transposed)  # noqa: E731
        if self.krylov:
            return gmres(apply, precondition, b, ONE_DIGIT, min(DIGIT_ITERATIONS, b.shape[1])).vectors
        x = precondition(b)
        return x + precondition(b - apply(x))

    def precondition(self, b: NDArray, *, transposed: bool = False) -> NDArray:
        """Apply the factors (collective)."""
        assert self.solver is not None
        with self.factory.watch("solve"):
            return self.solver.solve(b, transposed=transposed)

    def product(self, x: NDArray, *, transposed: bool = False) -> NDArray:
        """Apply the scaled matrix in FP64 (collective)."""
        before, after = (self.rows, self.columns) if transposed else (self.columns, self.rows)
        with self.factory.watch("residual"):
            return after * self.operator.product(x * before, transposed=transposed)


class _Run:
    """One solve: the iterates, their errors, and what was done about them."""

    def __init__(self, solver: DenseSolver, b: NDArray, observe: Callable[[Refinement], None]) -> None:
        self.solver, self.options, self.b, self.observe = solver, solver.options, b, observe
        self.norm = solver.norm_inf
        self.b_norms = np.abs(b).max(axis=1, initial=0.0)
        self.best, self.residual = np.zeros_like(b), b.copy()
        self.errors = np.where(self.b_norms > 0, 1.0, 0.0)
        self.history: list[Refinement] = []
        self.escalations: list[Escalation] = []
        self.messages = len(solver.factory.messages)
        self._record(0)

    @property
    def converged(self) -> bool:
        """Whether every right-hand side has the backward error that is wanted."""
        return bool(np.all(self.errors <= self.options.rtol))

    def climb(self) -> Status:
        """Refine with the factors of one format after the other."""
        solver = self.solver
        while not self.converged:
            reason = self._ready() or self._refine()
            if self.converged:
                break
            if len(self.history) > self.options.max_refinements:
                return Status.REFINEMENT_LIMIT
            if not self._next(reason):
                finite = np.isfinite(self.errors).all() and solver.growth < math.inf
                return Status.STAGNATED if finite else Status.DIVERGED
        return Status.CONVERGED

    def _ready(self) -> str:
        """Make factors if there are none; return why they cannot be made, if so."""
        solver = self.solver
        if solver.solver is not None:
            return ""
        solver.solver, reason, solver.growth = solver.factory.make(solver.format)
        return reason

    def _next(self, reason: str) -> bool:
        """Go on with row exchanges, or in the next format; False if there is none."""
        solver, factory = self.solver, self.solver.factory
        failed = solver.solver is None
        solver.solver, solver.krylov = None, self.options.refiner == "gmres"
        if factory.undecided and not failed and solver.growth > HARMLESS_GROWTH:
            factory.exchange_rows_from_now_on(
                f"{reason}, and entries grew {solver.growth:.0f} times without row exchanges: "
                "partial pivoting is switched on"
            )
            return True
        if solver.level + 1 >= len(self.options.ladder):
            return False
        old = solver.format
        solver.level += 1
        self.escalations.append(Escalation(len(self.history), old, solver.format, reason))
        return True

    def _refine(self) -> str:
        """Refine until it converges or gains too little; return the reason for giving up."""
        solver = self.solver
        while len(self.history) <= self.options.max_refinements:
            before = self.errors
            iterations, method = 1, "refinement"
            if solver.krylov:
                method = "GMRES"
                correction, iterations = self._krylov()
            else:
                correction = solver.precondition(self.residual)
            self._improve(correction)
            self._record(iterations)
            if self.converged:
                return ""
            waiting = ~(self.errors <= self.options.rtol)
            contraction = float(np.max(self.errors[waiting] / before[waiting]))
            if contraction <= (STUCK if solver.krylov else SLOW):
                continue
            if solver.krylov or self.options.refiner == "classical":
                return f"{method} in {solver.format} left {contraction:.2g} of the error"
            solver.krylov = True
        return "the limit of refinements"

    def _krylov(self) -> tuple[NDArray, int]:
        """Return corrections by GMRES, some right-hand sides at a time, and the iterations of the slowest."""
        solver, iterations = self.solver, 0
        correction = np.zeros_like(self.b)
        waiting = np.flatnonzero(~(self.errors <= self.options.rtol))
        for start in range(0, len(waiting), SIDE_BY_SIDE):
            some = waiting[start : start + SIDE_BY_SIDE]
            needed = float(np.min(self.options.rtol / self.errors[some]))
            rtol = float(np.clip(MARGIN * needed, LEAST_REDUCTION, MOST_REDUCTION))
            most = min(self.options.max_iterations, self.b.shape[1])
            found = gmres(solver.product, solver.precondition, self.residual[some], rtol, most)
            correction[some] = found.vectors
            iterations = max(iterations, found.iterations)
        return correction, iterations

    def _improve(self, correction: NDArray) -> None:
        """Add corrections, and keep those that made a solution better."""
        with np.errstate(all="ignore"):
            x = self.best + correction
            residual = self.b - self.solver.product(x)
            sizes, lengths = np.abs(residual).max(axis=1), np.abs(x).max(axis=1)
            errors = sizes / (self.norm * lengths + self.b_norms)
        errors = np.where(self.b_norms > 0, errors, self.errors)
        better = errors < self.errors
        self.best[better], self.residual[better] = x[better], residual[better]
        # A correction that made things worse leaves all of the error.
        self.errors = np.where(better, errors, self.errors)

    def _record(self, iterations: int) -> None:
        worst = float(self.errors.max(initial=0.0))
        size = float(np.abs(self.residual).max(initial=0.0))
        entry = Refinement(len(self.history), self.solver.format, iterations, size, worst)
        self.history.append(entry)
        self.observe(entry)

    def result(self, status: Status) -> Result:
        """Sum up."""
        solver, worst = self.solver, float(self.errors.max(initial=0.0))
        relative = np.abs(self.residual).max(axis=1) / np.where(self.b_norms > 0, self.b_norms, 1.0)
        return Result(
            status=status,
            backward_error=worst,
            relative_residual=float(relative.max(initial=0.0)),
            iterations=sum(entry.iterations for entry in self.history),
            refinements=len(self.history) - 1,
            format=solver.format,
            escalations=tuple(self.escalations),
            history=tuple(self.history),
            advice=_advice(status, worst, self.options),
            messages=tuple(solver.factory.messages[self.messages :]),
        )


def _advice(status: Status, backward_error: float, options: DenseOptions) -> str:
    """Say what to try after a solve that did not converge."""
    if status is Status.CONVERGED:
        return ""
    reached = f"reached a backward error of {backward_error:.1e}, wanted {options.rtol:.1e}"
    if status is Status.REFINEMENT_LIMIT:
        return f"{reached}; allow more refinements than {options.max_refinements}, or start in a wider format"
    if options.ladder[-1] != "fp64":
        return f"{reached}; let the ladder go up to fp64"
    if options.pivoting == "none":
        return f"{reached}; allow row exchanges (pivoting = auto or partial)"
    if options.refiner == "classical":
        return f"{reached}; allow GMRES (refiner = auto)"
    return f"{reached}; that is what FP64 gives for this matrix: ask for less, or scale the unknowns"
