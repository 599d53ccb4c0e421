"""What a run found: the figures of its record, its final field, and the errors against an answer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mpsolve.ledger import Ledger
from mpsolve.parallel.reductions import maximum, norm, total
from mpsolve.solvers.base import Result

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm

    from mpsolve.records.steps import StepLog

#: Figures that heat does not have, whatever the problem, and why.
NEVER = {
    "hpl_mxp_residual": "a figure of dense linear systems",
    "energy_drift": "diffusion conserves heat (mass_drift) and nothing else",
}
#: Figures of implicit steps that explicit ones do not have, and why.
NO_SOLVE = dict.fromkeys(("iterations", "refinements", "backward_error"), "explicit steps solve no system")


@dataclass
class Tally:
    """Adds up the solves of a run and writes a row for each.

    Attributes
    ----------
    log : StepLog
        Where the rows go.
    format, inner_solver : str
        Of the last inner solve.
    residuals : int
        FP64 residuals that were evaluated.
    decades : float
        Powers of ten by which all solves together reduced their residuals.
    failed : str
        What went wrong first, with advice; empty if every solve converged.
    """

    log: StepLog
    iterations: int = 0
    refinements: int = 0
    format: str = ""
    inner_solver: str = ""
    escalations: list[dict[str, Any]] = field(default_factory=list)
    worst: float = 0.0
    residuals: int = 0
    decades: float = 0.0
    failed: str = ""

    def add(self, step: int, time: float, result: Result, **more: Any) -> None:
        """Count one solve and log it with each of its refinements."""
        self.iterations += result.iterations
        self.refinements += result.refinements
        self.worst, self.format = max(self.worst, result.backward_error), result.format
        self.inner_solver = result.inner_solver
        self.residuals += len(result.history) + len(result.escalations)
        self.decades += _decades(result)
        for change in result.escalations:
            self.escalations.append(
                {"step": step, "from": change.old_format, "to": change.new_format, "reason": change.reason}
            )
        for entry in result.history:
            self.log.append(
                kind="refinement", step=step, time=time, residual=entry.backward_error, format=entry.format,
                escalations=len(self.escalations), refinement=entry.refinement, iterations=entry.iterations,
            )  # fmt: skip
        self.log.append(
            step=step, time=time, residual=result.backward_error, format=result.format,
            escalations=len(self.escalations), iterations=result.iterations, status=str(result.status), **more,
        )  # fmt: skip
        if not result.converged and not self.failed:
            self.failed = f"step {step}: {result.status}: {result.advice}"

    def saved(self) -> dict[str, Any]:
        """Return what was counted so far, as JSON holds it."""
        return {entry.name: getattr(self, entry.name) for entry in fields(self) if entry.name != "log"}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Count on from what `saved` returned."""
        for entry in fields(self):
            if entry.name in saved:
                setattr(self, entry.name, saved[entry.name])

    def results(self) -> dict[str, Any]:
        """Return the figures of the solves under their standard names."""
        return {
            "iterations": self.iterations,
            "refinements": self.refinements,
            "backward_error": self.worst,
            "format": self.format,
            "escalations": self.escalations,
            "converged": not self.failed,
            **({"inner_solver": self.inner_solver} if self.inner_solver else {}),
            **({"reduction_per_iteration": 10 ** (-self.decades / self.iterations)} if self.decades else {}),
        }

    def work(self, comm: Intracomm, ledger: Ledger) -> dict[str, float]:
        """Return the work of the inner solves, over all ranks (collective).

        Returns
        -------
        dict
            ``inner_bytes``, and ``work_units``: flops over those of one FP64 residual; empty if none was evaluated.
        """
        inner, residual = (list(ledger.counts.get(phase, {}).values()) for phase in ("inner", "residual"))
        counts = sum(work.flops for work in inner), sum(work.bytes for work in inner), sum(w.flops for w in residual)
        flops, moved, one = (total(comm, np.array([float(count)])) for count in counts)
        return {"inner_bytes": moved, "work_units": flops * self.residuals / one} if one and self.residuals else {}


def _decades(result: Result) -> float:
    """Return the powers of ten between the first and the smallest residual of a solve; 0 where one is 0 or unknown."""
    residuals = [entry.residual for entry in result.history if math.isfinite(entry.residual)]
    if result.iterations == 0 or not residuals or min(residuals) <= 0:
        return 0.0
    return math.log10(residuals[0] / min(residuals))


@dataclass(frozen=True, eq=False)
class Reference:
    """The FP64 answer of the same problem.

    Attributes
    ----------
    state : ndarray or None
        Final field of the FP64 run, local block.
    reason : str
        Why there is none.
    iterations : int
        Inner iterations of the FP64 run; 0 if it has none.
    """

    state: NDArray[np.float64] | None
    reason: str = ""
    iterations: int = 0

    def penalised(self, results: dict[str, Any]) -> dict[str, float]:
        """Return the unknowns per second of a run, divided by how many more iterations it needs than the FP64 run.

        HPG-MxP counts so, lest iterations be made cheap and many (Kashi et al., arXiv 2507.11512). Empty without an
        FP64 run.
        """
        if not (self.iterations and results.get("iterations") and results.get("unknowns_per_s")):
            return {}
        return {
            "penalised_unknowns_per_s": results["unknowns_per_s"] / max(1.0, results["iterations"] / self.iterations)
        }


@dataclass(frozen=True, eq=False)
class Outcome:
    """The end of a run.

    Attributes
    ----------
    results : dict
        Figures by standard name.
    reasons : dict
        Why a figure is missing.
    state : ndarray
        The final field, local block, FP64.
    advice : str
        What to try if it did not converge.
    text : str
        What the app prints about this run above the table; empty: nothing.
    """

    results: dict[str, Any]
    reasons: dict[str, str]
    state: NDArray[np.float64]
    advice: str = ""
    text: str = ""

    @property
    def converged(self) -> bool:
        """Whether every solve reached its tolerance."""
        return bool(self.results.get("converged"))


def relative_errors(comm: Intracomm, state: NDArray, truth: NDArray, scale: NDArray) -> tuple[float, float]:
    """Return the error relative to the size of ``scale``, in the 2-norm and in the largest-value norm (collective).

    A solution that decays would make its own size a misleading scale, so the exact initial field is one.
    """
    difference = state - truth
    largest = maximum(comm, float(np.max(np.abs(scale), initial=0.0)))
    distance = maximum(comm, float(np.max(np.abs(difference), initial=0.0)))
    return norm(comm, difference) / (norm(comm, scale) or 1.0), distance / (largest or 1.0)


def rates(comm: Intracomm, ledger: Ledger, time_s: float, unknowns: int, solves: int) -> dict[str, float]:
    """Return unknowns, flops and bytes per second of the timed phase, over all ranks (collective)."""
    counts = [work for formats in ledger.counts.values() for work in formats.values()]
    flops = total(comm, np.array([float(sum(work.flops for work in counts))]))
    moved = total(comm, np.array([float(sum(work.bytes for work in counts))]))
    return {
        "unknowns": unknowns,
        "unknowns_per_s": unknowns * solves / time_s,
        "flops_per_s": flops / time_s,
        "bytes_per_s": moved / time_s,
    }


def rounding_error(comm: Intracomm, state: NDArray, reference: Reference) -> tuple[dict[str, float], dict[str, str]]:
    """Return the distance from the FP64 run over its norm, or the reason why there is none (collective)."""
    if reference.state is None:
        return {}, {"rounding_error": reference.reason}
    return {"rounding_error": norm(comm, state - reference.state) / (norm(comm, reference.state) or 1.0)}, {}
