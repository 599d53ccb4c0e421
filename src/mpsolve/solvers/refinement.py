"""Iterative refinement: FP64 residual, inner solve in low precision, FP64 update, escalation when a format fails."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mpsolve import lookup
from mpsolve.errors import ConfigError
from mpsolve.field import Field
from mpsolve.formats.base import Format
from mpsolve.operators.base import Operator
from mpsolve.parallel.reductions import norm, total
from mpsolve.precision import get_format
from mpsolve.solvers.automatic import choose_inner
from mpsolve.solvers.base import Escalation, Refinement, Result, Status
from mpsolve.solvers.inner.base import InnerSolver
from mpsolve.solvers.multigrid.options import WEAK_REDUCTION
from mpsolve.solvers.refinement_options import RefinementOptions
from mpsolve.solvers.scaling import to_unit
from mpsolve.solvers.stopping import Progress, inner_tolerance
from mpsolve.solvers.vectors import add_scaled, scaled_copy

#: The last inner solve aims below the tolerance by this factor, because its own norm is another one.
MARGIN = 0.3
#: Sums of squares below this may have lost terms that fell below the normal numbers.
SMALLEST_SQUARE = 1e-250

#: Formats that end below this are scaled by the largest entry of a residual.
LEAST_RANGE = 1e4
#: What the scale of a residual that is not known yet may be, over the scale it should have, and what is aimed at.
LEAST_GUESS, GUESS, MOST_GUESS = 2.0**-7, 2.0**-3, 2.0
#: Where the root mean square of a scaled residual comes to lie: entries of 2**18 times as much still fit FP16.
TYPICAL = 0.125


class _Rung:
    """One format of the ladder: its operator, inner solver, and the kernels that carry vectors there and back."""

    def __init__(self, solver: RefinementSolver, place: int) -> None:
        options, operator, residual = solver.options, solver.operator, solver.residual
        name = options.ladder[place]
        self.format = get_format(name)
        low = operator.in_format(self.format)
        self.scale = low.scale
        inner, preconditioner = choose_inner(options.inner, options.preconditioner, low)
        self.name = f"{inner} with multigrid" if preconditioner == "multigrid" and inner != preconditioner else inner
        # Once a format has failed, the grids below must not stay in it.
        multigrid = options.multigrid.at_least(self.format) if place else options.multigrid
        self.solver: InnerSolver = lookup.find("solvers.inner", inner).create(
            low, options.accumulate, preconditioner, multigrid
        )
        bind, scaled, correction = operator.space.bind, self.solver.right_hand_side, self.solver.correction
        self.send = bind(scaled_copy, [scaled], [residual], phase="refinement", flops=1)
        self.receive = [bind(add_scaled, [x], [x, correction], phase="refinement", flops=2) for x in solver.iterates]
        # One loop reads no two formats of one width.
        alike = scaled.format == correction.format or scaled.format.itemsize != correction.format.itemsize
        there_and_back = (solver.iterates, solver.iterates[::-1])
        self.fused = [
            operator.corrected(new, residual, scaled, x, correction, solver.right_hand_side) if alike else None
            for x, new in there_and_back
        ]
        self.rtol = options.inner_rtol or inner_tolerance(self.format, options.rtol)


class RefinementSolver:
    """Solves A x = b to FP64 accuracy for any number of right-hand sides, one after the other.

    Neither the operator nor b is changed. Formats that fail are left for good: the next solve starts in the format
    in which the last one ended.

    Parameters
    ----------
    operator : Operator
        A in FP64; the inner solver works with ``operator.in_format``.
    options : RefinementOptions
        Tolerances and the ladder.

    Attributes
    ----------
    solution, right_hand_side : Field
        FP64 fields of the operator's space; fill `right_hand_side` and the guess in `solution`, then call `solve`.
    homogeneous : bool
        Whether the right-hand side was zero when it was last measured.
    """

    def __init__(self, operator: Operator, options: RefinementOptions) -> None:
        space = operator.space
        double = get_format("fp64")
        self.operator, self.options, self.space = operator, options, space
        self.solution, self.right_hand_side, self.residual, other = (space.zeros(double) for _ in range(4))
        # The present iterate and the best one, which are the same most of the time.
        self.iterates, self._now, self._best = (self.solution, other), 0, 0
        self._evaluate = [
            operator.affine(self.residual, x, self.right_hand_side, dots=((0, 0), (1, 1), (2, 2)), phase="residual")
            for x in self.iterates
        ]
        self._keep = [
            space.bind(scaled_copy, [new], [x], phase="refinement") for x, new in (self.iterates, self.iterates[::-1])
        ]
        self.homogeneous, self._norms, self._measured = False, (0.0, 0.0, 0.0), False
        #: Whether `residual` is that of the present iterate: the fused pass leaves it undefined.
        self._known = False
        self._entries = max(1, sum(space.comm.allgather(math.prod(space.shape))))
        self._rungs: list[_Rung] = []
        self._level, self._sent = 0, 0.0

    def solve(self, observe: Callable[[Refinement], None] = lambda entry: None) -> Result:
        """Refine `solution` until the backward error is at most ``rtol`` (collective).

        Parameters
        ----------
        observe : callable
            Called with each entry of the history as it is made.

        Returns
        -------
        Result
            `solution` holds the best iterate, converged or not.

        Raises
        ------
        ConfigError
            If the operator is singular and no solution exists for this right-hand side.
        """
        if self.operator.singular:
            self._require_compatible()
        self._now, self._best, self._measured, self._sent, self._known = 0, 0, False, 0.0, False
        run = _Run(self, observe)
        status = run.refine()
        if status is not Status.CONVERGED:
            self._now = self._best
        if self._now:
            self._keep[1](1.0)
        return run.result(status)

    @property
    def _x(self) -> Field:
        return self.iterates[self._now]

    def _require_compatible(self) -> None:
        """Refuse a right-hand side that a singular operator cannot reach: one that does not add up to zero."""
        values = self.right_hand_side.to_numpy()
        mean = total(self.space.comm, values) / self._entries
        size = norm(self.space.comm, values)
        # Subtracting the mean in FP64 leaves a rounding of each entry, and the sum of them all.
        allowed = max(self.options.rtol, 8 * get_format("fp64").unit_roundoff) * size
        part = abs(mean) * math.sqrt(self._entries)
        if part > allowed:
            raise ConfigError(
                f"nothing holds the solution (no reaction, no side with a value), and the right-hand side does not add "
                f"up to zero: its mean is {mean:.6e}, a part of {part / size:.1e} of its norm, of which at most "
                f"{allowed / size:.1e} is allowed; subtract the mean, or hold the solution somewhere"
            )

    def rung(self) -> _Rung:
        """Return the present rung of the ladder, made when it is first needed."""
        while len(self._rungs) <= self._level:
            self._rungs.append(self._made(len(self._rungs)))
        return self._rungs[self._level]

    def _made(self, place: int) -> _Rung:
        self._sent = 0.0
        return _Rung(self, place)

    def mend(self, reason: str) -> tuple[str, str, str] | None:
        """Move a level of multigrid that fails to a wider format (collective); see `climb`."""
        format, mended = self.rung().format.name, self.rung().solver.widened()
        if mended is None:
            return None
        self.options = replace(self.options, multigrid=mended[0])
        self._rungs[self._level] = self._made(self._level)
        return format, format, f"{reason}: {mended[1]}"

    def climb(self, reason: str) -> tuple[str, str, str] | None:
        """Mend, or move to the next format; return the old and the new one and why, None if there is no wider one."""
        old = self.rung().format.name
        if (mended := self.mend(reason)) is not None:
            return mended
        if self._level + 1 >= len(self.options.ladder):
            return None
        self._level += 1
        return old, self.rung().format.name, reason

    def progress(self) -> dict[str, Any]:
        """Return which formats have failed so far: the rung of the ladder, and the formats of multigrid's levels."""
        return {"level": self._level, "levels": list(self.options.multigrid.levels)}

    def resume(self, progress: Mapping[str, Any]) -> None:
        """Go on as `progress` says, if this ladder has so many rungs."""
        self._rungs, self._level = [], min(int(progress["level"]), len(self.options.ladder) - 1)
        self.options = replace(
            self.options, multigrid=replace(self.options.multigrid, levels=tuple(progress["levels"]))
        )  # fmt: skip

    def measure(self) -> tuple[float, float, float]:
        """Compute the FP64 residual; return its norm, the backward error and the relative residual (collective)."""
        if not self._measured:
            squares = self._evaluate[self._now](1.0, -1.0)
            self._known = True
            self._take_norms(squares, (self.residual, self._x, self.right_hand_side))
        residual, x, b = self._norms
        self._measured, self.homogeneous = False, b == 0.0
        size = self.operator.norm * x + b
        backward = residual / size if 0 < size < math.inf else (0.0 if residual == 0 else math.inf)
        return residual, backward, residual / b if b > 0 else backward

    def _take_norms(self, squares: Iterable[float], fields: Sequence[Field]) -> None:
        """Replace the first norms by those of fields whose squares were summed (collective)."""
        norms = tuple(self._norm(float(square), field) for square, field in zip(squares, fields, strict=True))
        self._norms = (*norms, *self._norms[len(norms) :])

    def _know_residual(self) -> None:
        """Compute the residual of the present iterate if its field does not hold it (collective)."""
        if not self._known:
            self._evaluate[self._now](1.0, -1.0)
            self._known = True

    def _norm(self, square: float, field: Field) -> float:
        """Return the root of a sum of squares; if it left the safe range, sum again after scaling (collective)."""
        if SMALLEST_SQUARE < square < math.inf:
            return math.sqrt(square)
        if field is self.residual:
            self._know_residual()
        if square == 0.0 and self.space.largest(field) == 0.0:
            return 0.0
        return norm(self.space.comm, field.to_numpy())

    def step(self, backward_error: float) -> int:
        """Solve for one correction in the present format and add it; return the inner iterations (collective).

        The inner solve goes no further than the last refinement needs. Where the operator can, the correction, the next
        residual and its scaled copy are one pass, whose scale is a guess.
        """
        rung = self.rung()
        scale = unit = self._unit_scale(rung.solver.right_hand_side.format)
        if LEAST_GUESS * unit <= self._sent <= unit * MOST_GUESS:
            scale = self._sent
        else:
            self._know_residual()
            rung.send(scale)
        enough = MARGIN * self.options.rtol / backward_error if backward_error > 0 else 0.0
        rtol = min(0.1, max(rung.rtol, enough))
        flips = self.options.flips
        if flips is not None:
            flips.strike(rung.solver.right_hand_side)
        inner = rung.solver.solve(rtol, self.options.max_iterations)
        if flips is not None:
            flips.strike(rung.solver.correction)
        self._correct(rung, rung.solver.gain / (scale * rung.scale), GUESS * unit * to_unit(rtol))
        return inner.iterations

    def _correct(self, rung: _Rung, gain: float, guess: float) -> None:
        """Add the correction times ``gain`` to the present iterate, without touching the best one."""
        fused, self._sent = rung.fused[self._now], 0.0
        if self._now == self._best and fused is not None:
            self._now = 1 - self._now
            self._known = False
            self._take_norms(fused(gain, guess), (self.residual, self._x))
            self._measured, self._sent = True, guess
            return
        if self._now == self._best:
            self._keep[self._now](1.0)
            self._best = 1 - self._now
        rung.receive[self._now](gain)
        self._known = False

    def _unit_scale(self, format: Format) -> float:
        """Return the power of two that brings the residual into the range of a format (collective for narrow ones).

        By its root mean square, of which the largest entry is at most ``sqrt(n)`` times more; formats with a range too
        small for that are scaled by the largest entry itself.
        """
        if format.largest < LEAST_RANGE:
            self._know_residual()
            return to_unit(self.space.largest(self.residual))
        return to_unit(self._norms[0] / math.sqrt(self._entries)) * TYPICAL

    def zero(self) -> None:
        """Set the present iterate to zero."""
        self._x.storage[...] = 0
        self._known = False

    def keep(self) -> None:
        """Remember the present iterate as the best so far."""
        self._best = self._now

    def restore(self) -> None:
        """Return to the best iterate so far, whose residual is measured anew."""
        self._now, self._sent, self._known = self._best, 0.0, False


class _Run:
    """One solve: the bookkeeping of residuals, formats and reasons."""

    def __init__(self, solver: RefinementSolver, observe: Callable[[Refinement], None]) -> None:
        self.solver, self.observe = solver, observe
        self.history: list[Refinement] = []
        self.escalations: list[Escalation] = []
        self.progress = Progress()
        self.best: Refinement | None = None
        self.relative = math.nan

    def refine(self) -> Status:
        """Iterate until convergence, the limit, or the end of the ladder."""
        options = self.solver.options
        reason = self._record(0)
        if self.solver.homogeneous and not (self.history[-1].backward_error <= options.rtol):
            # No residual is small relative to nothing, but the solution is known.
            self.solver.zero()
            reason = self._record(0)
        while not (self.history[-1].backward_error <= options.rtol):
            if reason and not self._escalate(reason):
                return Status.STAGNATED if math.isfinite(self.history[-1].residual) else Status.DIVERGED
            if len(self.history) > options.max_refinements:
                return Status.REFINEMENT_LIMIT
            reason = self._record(self.solver.step(self.history[-1].backward_error))
            if not reason and self._slow() and (change := self.solver.mend("the cycles are slow")) is not None:
                self.escalations.append(Escalation(len(self.history), *change))
        return Status.CONVERGED

    def _slow(self) -> bool:
        """Whether formats were chosen level by level, and an iteration leaves more than it should with good ones."""
        before, now = self.history[-2:]
        slow = now.residual > WEAK_REDUCTION**now.iterations * before.residual
        return slow and bool(self.solver.options.multigrid.levels)

    def _record(self, iterations: int) -> str:
        """Measure, log and judge the state after a refinement; return why the format fails, if it does."""
        residual, backward, relative = self.solver.measure()
        name = self.solver.rung().format.name
        entry = Refinement(len(self.history), name, iterations, residual, backward)
        self.history.append(entry)
        self.observe(entry)
        if self.best is None or residual < self.best.residual:
            self.best, self.relative = entry, relative
            self.solver.keep()
        return self.progress.judge(residual)

    def _escalate(self, reason: str) -> bool:
        """Go back to the best solution and on to the next format."""
        change = self.solver.climb(reason)
        if change is None:
            return False
        self.solver.restore()
        self.solver.measure()
        self.escalations.append(Escalation(len(self.history), *change))
        self.progress = Progress(best=self.best.residual if self.best else math.inf)
        return True

    def result(self, status: Status) -> Result:
        """Sum up."""
        best = self.best or self.history[-1]
        return Result(
            status=status,
            backward_error=best.backward_error,
            relative_residual=self.relative,
            iterations=sum(entry.iterations for entry in self.history),
            refinements=len(self.history) - 1,
            format=self.history[-1].format,
            inner_solver=self.solver.rung().name,
            escalations=tuple(self.escalations),
            history=tuple(self.history),
            advice=_advice(status, best.backward_error, self.solver.options),
        )


def _advice(status: Status, backward_error: float, options: RefinementOptions) -> str:
    """Say what to try after a solve that did not converge."""
    reached = f"reached a backward error of {backward_error:.1e}, wanted {options.rtol:.1e}"
    if status is Status.CONVERGED:
        return ""
    if not math.isfinite(backward_error):
        return f"{reached}; look for NaN and infinity in the right-hand side, the guess and what the operator returns"
    if status is Status.REFINEMENT_LIMIT:
        return f"{reached} within {options.max_refinements} refinements; raise max_refinements or use a wider format"
    if options.ladder[-1] != "fp64":
        return f"{reached}; end the ladder with fp64 (it is {', '.join(options.ladder)})"
    return f"{reached} even in fp64; raise rtol, or check that the operator is symmetric positive definite"
