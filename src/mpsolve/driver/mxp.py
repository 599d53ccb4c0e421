"""Run the HPL-MxP benchmark by its rules, or another problem in its manner."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from mpsolve import lookup
from mpsolve.backends.base import Backend
from mpsolve.driver import dense
from mpsolve.driver.checkpoints import Resumed
from mpsolve.driver.dense import DenseModel, Prepared
from mpsolve.driver.dense_options import MxpAppOptions
from mpsolve.driver.mxp_text import report
from mpsolve.driver.options import Variant
from mpsolve.driver.outcome import Outcome, Reference, Tally
from mpsolve.energy.base import Reading
from mpsolve.parallel.replicated import total_everywhere
from mpsolve.precision import get_format
from mpsolve.records.run import RunRecord

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm

#: A scaled residual from here on is no valid result.
THRESHOLD = 16.0
#: The solve aims below the threshold by this factor.
MARGIN = 0.5
#: The rules allow no narrower format, from the list of June 2025 on.
LEAST_BITS = 16
#: Most refinements of the reference implementation.
MOST_REFINEMENTS = 50


def scaled_residual(backward_error: float, n: int) -> float:
    """Return ``|A x - b| / (eps (|A| |x| + |b|) n)`` in the infinity norm, eps = 2^-53."""
    return backward_error / (2.0**-53 * n)


def build(comm: Intracomm, options: MxpAppOptions) -> DenseModel:
    """Set up the problem; the FP64 matrix is never stored (collective).

    Raises
    ------
    ShapeError
        If the process grid does not match, or the memory does not suffice.
    """
    chosen, n = options.mxp, options.mxp.n
    layout = dense.deal_out(comm, n, options, stored=False)
    matrix = lookup.find("models.matrices", chosen.problem).create(n, chosen.condition, chosen.seed)
    matrix.prepare(dense.share_of(comm, n), lambda part: total_everywhere(comm, part))
    return DenseModel(layout, matrix, None, dense.right_hand_side(comm, matrix), stored=False)


def prepare(model: DenseModel, backend: Backend, options: MxpAppOptions) -> Prepared:
    """Check and compile; see `mpsolve.driver.dense.prepare` (collective)."""
    rtol = options.solver.rtol or MARGIN * THRESHOLD * model.layout.rows.n * 2.0**-53
    rungs = options.precision.rungs()
    return dense.prepare(model, backend, lambda operator: (options.dense(rtol, rungs, operator.comm.rank), {}))


def run(
    model: DenseModel,
    backend: Backend,
    variant: Variant,
    prepared: Prepared,
    record: RunRecord,
    reference: Reference,
    resumed: Resumed | None = None,
) -> tuple[Outcome, list[Reading]]:
    """Run the benchmark (collective); parameters and result as in `mpsolve.driver.heat.run`."""
    options, comm, tally = variant.options, model.layout.grid.comm, Tally(record.steps)
    solved = dense.solve(model, backend, variant, prepared, record, tally, resumed)
    results = dense.results_of(model, prepared, solved, tally)
    residual = scaled_residual(solved.result.backward_error, model.layout.rows.n)
    results |= {"hpl_mxp_residual": residual, "valid": residual < THRESHOLD}
    against = against_the_rules(options, results)
    results |= {"compliant": not against, "not_compliant_because": against}
    found, why = dense.compared(solved, reference, None)
    why |= dict.fromkeys(("error_l2", "error_linf", "error_reference"), "the benchmark has no exact solution")
    if options.run.fields:
        dense.write_solution(record, comm, solved.x, options.app)
    text = report(variant.label, options, results)
    return Outcome(results | found, dense.NEVER | why, solved.x, dense.advice_of(tally), text), solved.readings


def against_the_rules(options: MxpAppOptions, results: dict[str, Any]) -> list[str]:
    """Return why a result does not count as HPL-MxP; nothing if it does (hpl-mxp.org/rules)."""
    reasons = []
    if options.mxp.problem != "hpl_mxp":
        reasons.append(f"the matrix is {options.mxp.problem}, not that of the benchmark")
    used = [options.precision.inner, *(change["to"] for change in results["escalations"])]
    for name in dict.fromkeys(used):
        reasons += [f"{name} has fewer than {LEAST_BITS} bits"] * (get_format(name).bits < LEAST_BITS)
    if results["flops_per_s"] is None:
        reasons.append("it went on from a checkpoint, so that its time is that of a part")
    if not results["valid"] or math.isnan(results["hpl_mxp_residual"]):
        reasons.append(f"the scaled residual is not below {THRESHOLD:g}")
    if results["iterations"] > MOST_REFINEMENTS:
        reasons.append(f"it took more than {MOST_REFINEMENTS} iterations")
    return reasons
