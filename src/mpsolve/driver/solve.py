"""Solve the user's own system, or one of the gallery of matrices."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mpsolve import lookup
from mpsolve.backends.base import Backend
from mpsolve.driver import dense
from mpsolve.driver.checkpoints import Resumed
from mpsolve.driver.dense import DenseModel, Prepared
from mpsolve.driver.dense_options import SolveAppOptions, SystemOptions
from mpsolve.driver.options import Variant
from mpsolve.driver.outcome import Outcome, Reference, Tally
from mpsolve.energy.base import Reading
from mpsolve.errors import FormatError, ShapeError, UnknownNameError
from mpsolve.library.agreement import together
from mpsolve.models.matrices.base import Matrix
from mpsolve.models.matrix_files.base import reader_of, suffixes
from mpsolve.operators.dense import DenseOperator
from mpsolve.parallel.block_cyclic import BlockCyclic
from mpsolve.parallel.launch import agree
from mpsolve.parallel.replicated import total_everywhere
from mpsolve.precision import ladder_from
from mpsolve.records.run import RunRecord
from mpsolve.solvers.dense.options import DenseOptions
from mpsolve.solvers.dense.prediction import measured_rate, predict

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm

GALLERY = "models.matrices"


def build(comm: Intracomm, options: SolveAppOptions) -> DenseModel:
    """Read the system, or make it (collective).

    Raises
    ------
    UnknownNameError, FileError, ShapeError, FormatError
        If the matrix or the right-hand side is not there, or not what it should be.
    """
    chosen = options.system
    n, shared = agree(comm, lambda: _look(chosen))
    layout = dense.deal_out(comm, n, options, stored=True)
    matrix, local = _matrix(comm, layout, chosen, shared)
    b = _right_hand_sides(comm, chosen, n)
    if b is None:
        b = _sums_of_rows(comm, layout, matrix, local)
    return DenseModel(layout, matrix, local, b, stored=True)


def _look(chosen: SystemOptions) -> tuple[int, bool]:
    """Return the size, and whether every rank can get its own entries; reads headers alone where it can (local)."""
    if chosen.matrix in lookup.names(GALLERY):
        return chosen.n, True
    path = Path(chosen.matrix)
    if not path.exists() and not any(chosen.matrix.lower().endswith(suffix) for suffix in suffixes()):
        raise UnknownNameError("matrix", chosen.matrix, [*lookup.names(GALLERY), "a file"])
    reader = reader_of(path)
    return reader.open_matrix(path, chosen.dataset).n, reader.SHARED


def _open(chosen: SystemOptions) -> Matrix:
    if chosen.matrix in lookup.names(GALLERY):
        return lookup.find(GALLERY, chosen.matrix).create(chosen.n, chosen.condition, chosen.seed)
    return reader_of(Path(chosen.matrix)).open_matrix(Path(chosen.matrix), chosen.dataset)


def _matrix(
    comm: Intracomm, layout: BlockCyclic, chosen: SystemOptions, shared: bool
) -> tuple[Matrix | None, NDArray[np.float64] | None]:
    """Return what gives every rank its entries, or this rank's entries where one rank reads the file (collective)."""
    if shared:
        matrix = together(comm, partial(_open, chosen))
        matrix.prepare(dense.share_of(comm, matrix.n), lambda part: total_everywhere(comm, part))
        return matrix, None
    whole = None
    if comm.rank == 0:
        matrix = _open(chosen)
        whole = matrix.block(slice(0, matrix.n), slice(0, matrix.n))
    local = np.empty(layout.shape)
    layout.scatter(whole, local)
    return None, local


def _right_hand_sides(comm: Intracomm, chosen: SystemOptions, n: int) -> NDArray[np.float64] | None:
    """Return the right-hand sides of a file, shape (count, n), or None if there are none (collective)."""
    return agree(comm, lambda: _read_right_hand_sides(chosen, n))


def _read_right_hand_sides(chosen: SystemOptions, n: int) -> NDArray[np.float64] | None:
    path, dataset = Path(chosen.rhs), chosen.rhs_dataset
    if not chosen.rhs:
        path = Path(chosen.matrix)
        gallery = chosen.matrix in lookup.names(GALLERY)
        holds = None if gallery else getattr(reader_of(path), "holds_vectors", None)
        if holds is None or not (dataset or holds(path)):
            return None
    values = reader_of(path).read_vectors(path, dataset)
    if values.shape[0] != n:
        raise ShapeError(f"the right-hand side in {path} has shape {values.shape}, but the matrix has {n} rows")
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        raise FormatError(f"the right-hand side in {path} has NaN or infinity in row {bad[0][0]}; give finite numbers")
    return np.ascontiguousarray(values.reshape(n, -1).T)


def _sums_of_rows(
    comm: Intracomm, layout: BlockCyclic, matrix: Matrix | None, local: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """Return the right-hand side that belongs to the matrix, or the sum of each row (collective)."""
    if matrix is not None:
        return dense.right_hand_side(comm, matrix)
    sums = np.zeros((1, layout.rows.n))
    if local is not None:
        sums[0, layout.rows.indices()] = local.sum(axis=1)
    return total_everywhere(comm, sums)


def prepare(model: DenseModel, backend: Backend, options: SolveAppOptions) -> Prepared:
    """Check and compile, and choose a format if that is left open (collective)."""

    def choose(operator: DenseOperator) -> tuple[DenseOptions, dict[str, Any]]:
        inner, notes = options.precision.inner, {}
        if inner == "auto":
            found = predict(operator, options.solver.rtol, partial(measured_rate, operator))
            inner = found.format
            notes = {"predicted_contraction": found.contraction, "predicted_condition": found.condition}
        ladder = ladder_from(inner, options.precision.ladder)
        return options.dense(options.solver.rtol, ladder, operator.comm.rank), notes

    return dense.prepare(model, backend, choose)


def run(
    model: DenseModel,
    backend: Backend,
    variant: Variant,
    prepared: Prepared,
    record: RunRecord,
    reference: Reference,
    resumed: Resumed | None = None,
) -> tuple[Outcome, list[Reading]]:
    """Solve (collective); parameters and result as in `mpsolve.driver.heat.run`."""
    options, comm, tally = variant.options, model.layout.grid.comm, Tally(record.steps)
    solved = dense.solve(model, backend, variant, prepared, record, tally, resumed)
    result = solved.solver.certify(solved.x, model.b, solved.result)
    results = dense.results_of(model, prepared, solved, tally)
    results |= {"condition": result.condition, "forward_error_bound": result.forward_error}
    known = not options.system.rhs and options.system.matrix in lookup.names(GALLERY)
    known = known and options.system.matrix != "hpl_mxp"
    found, why = dense.compared(solved, reference, np.ones_like(solved.x) if known else None)
    why |= {"hpl_mxp_residual": "not the matrix of the benchmark; see backward_error"}
    if options.run.fields:
        dense.write_solution(record, comm, solved.x, options.app)
    text = _text(variant.label, options, results)
    return Outcome(results | found, dense.NEVER | why, solved.x, dense.advice_of(tally), text), solved.readings


def _text(label: str, options: SolveAppOptions, results: dict[str, Any]) -> str:
    """Return what is printed about a solve."""
    lines = [f"{label}: {options.system.matrix}, {results['unknowns']} unknowns, factored in {results['format']}"]
    if "predicted_condition" in results:
        lines.append(
            f"  chosen since the condition number is at least {results['predicted_condition']:.1e}, "
            f"so that a refinement should leave {results['predicted_contraction']:.1e} of the error"
        )
    lines += [f"  {message}" for message in results["messages"]]
    lines += [f"  went on in {change['to']}: {change['reason']}" for change in results["escalations"]]
    lines.append(
        f"  backward error {results['backward_error']:.1e} after {results['refinements']} refinements"
        f" ({results['iterations']} iterations)"
    )
    if results["condition"] is not None:
        lines.append(
            f"  condition number about {results['condition']:.1e}; "
            f"forward error at most about {results['forward_error_bound']:.1e}"
        )
    return "\n".join([*lines, ""])
