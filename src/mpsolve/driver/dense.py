"""Run a dense solve: deal the matrix out, factor, refine, measure; what the apps mxp and solve share."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from mpsolve import gemm_probe
from mpsolve.backends.base import Backend
from mpsolve.driver.checkpoints import Moments, Resumed
from mpsolve.driver.dense_checkpoints import DenseCheckpoints, take_up
from mpsolve.driver.dense_options import MxpAppOptions, SolveAppOptions
from mpsolve.driver.metering import open_window, readings_of
from mpsolve.driver.options import Variant
from mpsolve.driver.outcome import Reference, Tally, rounding_error
from mpsolve.driver.progress import Progress
from mpsolve.driver.setup import choose_backend
from mpsolve.energy.base import Reading
from mpsolve.errors import ShapeError
from mpsolve.ledger import Ledger
from mpsolve.models.matrices.base import FormulaMatrix, Matrix
from mpsolve.operators.dense import DenseOperator
from mpsolve.parallel.alone import Alone
from mpsolve.parallel.block_cyclic import BlockCyclic, ProcessGrid
from mpsolve.parallel.launch import agree
from mpsolve.parallel.memory import GIBIBYTE, PeakMemory, check_memory, total_growth
from mpsolve.parallel.replicated import total_everywhere
from mpsolve.precision import get_format, preset
from mpsolve.records.fields import write_fields
from mpsolve.records.run import RunRecord
from mpsolve.solvers.base import Refinement, Result
from mpsolve.solvers.dense.factors import Keeper
from mpsolve.solvers.dense.options import DenseOptions
from mpsolve.solvers.dense.refinement import DenseSolver
from mpsolve.solvers.dense.sizing import bytes_needed, choose_block

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm

#: Figures that a dense system does not have, and why.
NEVER = {
    "mass_drift": "a linear system conserves nothing",
    "energy_drift": "a linear system conserves nothing",
    "bytes_per_s": "limited by arithmetic; the ledger has what solves and residuals moved",
}
#: Block size of the small system that compiles every kernel before the timed one.
WARM_BLOCK = 48


@dataclass(eq=False)
class DenseModel:
    """A system on its grid of ranks.

    Attributes
    ----------
    layout : BlockCyclic
        How the matrix is dealt out.
    matrix : Matrix or None
        Where its entries come from, if each rank can get them.
    local : ndarray or None
        This rank's part in FP64, if it was dealt out by another rank.
    b : ndarray, shape (count, n)
        Right-hand sides, the same on every rank.
    stored : bool
        Whether the matrix is kept in FP64.
    """

    layout: BlockCyclic
    matrix: Matrix | None
    local: NDArray[np.float64] | None
    b: NDArray[np.float64]
    stored: bool
    _operators: dict[str, DenseOperator] = field(default_factory=dict)

    def operator(self, backend: Backend, ledger: Ledger) -> DenseOperator:
        """Return the matrix for a backend; its entries are looked at the first time (collective)."""
        if backend.name not in self._operators:
            self._operators[backend.name] = DenseOperator(
                self.layout, self.matrix, backend, ledger, store=self.stored, local=self.local
            )
        operator = self._operators[backend.name]
        operator.ledger = ledger
        return operator


@dataclass(frozen=True, eq=False)
class Prepared:
    """A system that has passed every check, with compiled kernels.

    Attributes
    ----------
    solver : DenseSolver
        With the memory of its factors.
    ledger : Ledger
        Counts the work of the solver on this rank.
    setup_s : float
        What the preparation took on this rank.
    memory : PeakMemory
        What this process takes, from before that of the factors on.
    notes : dict
        More for the record.
    """

    solver: DenseSolver
    ledger: Ledger
    setup_s: float
    memory: PeakMemory
    notes: dict[str, Any] = field(default_factory=dict)


def deal_out(comm: Intracomm, n: int, options: MxpAppOptions | SolveAppOptions, *, stored: bool) -> BlockCyclic:
    """Arrange the ranks, choose a block size, the same on all of them, and see that the memory suffices (collective).

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm
        The ranks.
    n : int
        Size of the matrix.
    options : MxpAppOptions or SolveAppOptions
        Grid, precision, products, backend.
    stored : bool
        Whether the FP64 matrix is kept.

    Raises
    ------
    ShapeError
        If the grid that was asked for does not match the ranks, or the memory does not suffice.
    """
    chosen, run = options.grid, options.run
    grid = ProcessGrid.create(comm, chosen.rows, chosen.columns)
    backend = choose_backend(comm, run.backend, run.threads, options.backends)
    parts, inner = max(grid.rows, grid.columns), options.precision.inner
    name = "bf16" if inner == "auto" else inner
    block = chosen.block or agree(comm, lambda: _measured_block(n, parts, name, backend, options.solver.gemm))
    layout = BlockCyclic.create(grid, (n, n), min(block, n))
    formats = ("fp64",) if inner == "auto" else options.precision.rungs()[:1]
    free = backend.free_bytes()
    on_node = bytes_needed(layout, formats, stored=stored) if free is None else 8 * math.prod(layout.shape) * stored
    check_memory(comm, on_node, f"a system of n = {n}")
    if free is not None:
        _check_device(comm, bytes_needed(layout, formats, stored=False), free, n, backend.device_name)
    return layout


def _measured_block(n: int, parts: int, name: str, backend: Backend, gemm: str) -> int:
    update, panels = (
        backend.products(get_format(wanted), one) or gemm_probe.choose(wanted, backend.threads, one)
        for wanted, one in ((name, gemm), (preset(name).accumulate, "auto"))
    )
    return choose_block(n, parts, lambda inner: gemm_probe.rate(update, inner), gemm_probe.rate(panels))


def _check_device(comm: Intracomm, needed: int, free: int, n: int, device: str) -> None:
    """Refuse factors that do not fit the device of some rank (collective)."""
    for rank, (wanted, has) in enumerate(comm.allgather((needed, free))):
        if wanted > has:
            raise ShapeError(
                f"n = {n} needs {wanted / GIBIBYTE:.3g} GiB on the {device} of rank {rank}, which has "
                f"{has / GIBIBYTE:.3g} GiB free; n = {int(n * (has / wanted) ** 0.5)} fits, or take more devices"
            )


def share_of(comm: Intracomm, n: int) -> slice:
    """Return the rows that this rank looks at where work is shared by rows."""
    return slice(n * comm.rank // comm.size, n * (comm.rank + 1) // comm.size)


def right_hand_side(comm: Intracomm, matrix: Matrix) -> NDArray[np.float64]:
    """Return the right-hand side that belongs to a matrix, whole on every rank, shape (1, n) (collective)."""
    b, share = np.zeros((1, matrix.n)), share_of(comm, matrix.n)
    if share.stop > share.start:
        b[0, share] = matrix.right_hand_side(share)
    return total_everywhere(comm, b)


def prepare(
    model: DenseModel, backend: Backend, choose: Callable[[DenseOperator], tuple[DenseOptions, dict[str, Any]]]
) -> Prepared:
    """Look at the matrix, choose how to solve, and compile every kernel with a small system (collective).

    Raises
    ------
    FormatError
        If the matrix has NaN or infinite entries.
    BackendUnavailable
        If the products that were asked for do not work here.
    """
    begin, ledger = time.perf_counter(), Ledger()
    operator = model.operator(backend, ledger)
    options, notes = choose(operator)
    grid = model.layout.grid
    small = 2 * WARM_BLOCK * max(grid.rows, grid.columns) + 5
    for pivoting in ("none", "partial") if options.pivoting != "none" else ("none",):
        _warm_up(BlockCyclic.create(grid, (small, small), WARM_BLOCK), backend, options, pivoting)
    # Entries that are computed have kernels too.
    operator.product(np.zeros((1, operator.n)))
    operator.ledger = ledger = Ledger()
    solver, memory = DenseSolver(operator, options), PeakMemory()
    solver.factory.allocate(get_format(options.ladder[0]).compute)
    _fill_a_little(operator, solver)
    return Prepared(solver, ledger, time.perf_counter() - begin, memory, notes)


def _fill_a_little(operator: DenseOperator, solver: DenseSolver) -> None:
    """Compile what computes entries in the type of the factors."""
    if operator.held is not None:
        solver.factory.convert()
    elif operator.entries is not None:
        few = slice(0, min(operator.n, WARM_BLOCK))
        for storage in dict.fromkeys(get_format(name).compute for name in solver.options.ladder):
            operator.entries.fill(few, few, np.empty((few.stop, few.stop), storage))


def _warm_up(layout: BlockCyclic, backend: Backend, options: DenseOptions, pivoting: str) -> None:
    n = layout.rows.n
    matrix = FormulaMatrix(n, lambda i, j: np.where(i == j, 2.0 * n, 1.0 / (1 + i + j)))
    operator = DenseOperator(layout, matrix, backend, Ledger())
    options = replace(
        options, ladder=options.ladder[:1], pivoting=pivoting, rtol=1e-10, equilibrate="never", flips=None
    )
    DenseSolver(operator, options).solve(np.ones((1, n)))


@dataclass(frozen=True, eq=False)
class Solved:
    """A finished solve: the solution, the result, seconds of the whole and of its parts, energy, where it began."""

    x: NDArray[np.float64]
    result: Result
    solver: DenseSolver
    seconds: float
    readings: list[Reading]
    phases: dict[str, float]
    resumed: bool


def solve(
    model: DenseModel,
    backend: Backend,
    variant: Variant,
    prepared: Prepared,
    record: RunRecord,
    tally: Tally,
    resumed: Resumed | None = None,
) -> Solved:
    """Factor and refine, timed and metered, perhaps from a checkpoint on (collective)."""
    comm, run = model.layout.grid.comm, variant.options.run
    progress = Progress(comm.rank == 0, model.layout.columns.blocks, f"{variant.label}: block", run.log_seconds)

    def observe(entry: Refinement) -> None:
        progress.update(model.layout.columns.blocks, f"backward error {entry.backward_error:.1e}")

    solver = prepared.solver
    prepared.memory.forget_peak()
    solver.factory.observe = lambda step, _: progress.update(step)
    told = [] if resumed is None else take_up(resumed, solver)
    moments = Moments(comm, run)
    solver.factory.keeper = DenseCheckpoints(moments, solver.factory, record.directory, variant.options)
    with open_window(comm, backend, tally.log, prepared.ledger) as window, moments:
        x, result = solver.solve(model.b, observe)
    solver.factory.keeper, result = Keeper(), replace(result, messages=(*told, *result.messages))
    progress.close()
    tally.add(1, window.seconds, result, messages=list(result.messages))
    phases, factor_s = _slowest(comm, solver.factory.watch.seconds), solver.factory.factor_s

    def again() -> None:
        solver.forget_factors()
        solver.solve(model.b)

    readings = readings_of(comm, backend, window, run.energy_seconds, prepared.ledger, again)
    solver.factory.factor_s = factor_s
    return Solved(x, result, solver, window.seconds, readings, phases, resumed is not None)


def _slowest(comm: Intracomm, seconds: dict[str, float]) -> dict[str, float]:
    """Return the seconds of each phase on the rank where it took longest (collective)."""
    phases: dict[str, float] = {}
    for one in comm.allgather(seconds):
        for phase, value in one.items():
            phases[phase] = max(phases.get(phase, 0.0), value)
    return phases


def flops(n: int) -> float:
    """Return the operations that the rules of HPL-MxP count: those of LU and of one solve in FP64."""
    return 2 / 3 * n**3 + 3 / 2 * n**2


def results_of(model: DenseModel, prepared: Prepared, solved: Solved, tally: Tally) -> dict[str, Any]:
    """Return the figures that both apps record (collective)."""
    layout, n, factory = model.layout, model.layout.rows.n, solved.solver.factory
    count, result = len(model.b), solved.result
    counted = flops(n) + (count - 1) * 2 * n**2
    return tally.results() | {
        "time_s": solved.seconds,
        "setup_s": prepared.setup_s,
        "unknowns": n * count,
        "unknowns_per_s": n * count / solved.seconds,
        "flops_per_s": None if solved.resumed else counted / solved.seconds,
        "lu_flops_per_s": None if solved.resumed or not factory.factor_s else 2 / 3 * n**3 / factory.factor_s,
        "lu_time_s": factory.factor_s,
        "phases_s": solved.phases,
        "grid": f"{layout.grid.rows}x{layout.grid.columns}",
        "block": layout.columns.block,
        "pivoting": "partial" if factory.pivoting else "none",
        "growth": solved.solver.growth,
        "equilibrated": factory.scaling is not None,
        "peak_memory_bytes": total_growth(layout.grid.comm, prepared.memory),
        "messages": list(result.messages),
        **({"checksum_repairs": factory.repairs} if solved.solver.options.checksums else {}),
        **prepared.notes,
        **_injected(layout.grid.comm, solved.solver),
    }


def _injected(comm: Intracomm, solver: DenseSolver) -> dict[str, int]:
    flips = solver.options.flips
    return {} if flips is None else {"injected_flips": sum(comm.allgather(flips.flipped))}


def compared(
    solved: Solved, reference: Reference, truth: NDArray[np.float64] | None
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the distance from the FP64 run and from the known solution, and why one of them is missing."""
    alone = cast("Intracomm", Alone())
    found, why = rounding_error(alone, solved.x, reference)
    if truth is None:
        reason = "the exact solution is not known; see forward_error_bound"
        return found, why | dict.fromkeys(("error_l2", "error_linf", "error_reference"), reason)
    difference = np.abs(solved.x - truth)
    found |= {
        "error_l2": float(np.linalg.norm(difference) / np.linalg.norm(truth)),
        "error_linf": float(difference.max() / np.abs(truth).max()),
        "error_reference": "analytic",
    }
    return found, why


def write_solution(record: RunRecord, comm: Intracomm, x: NDArray[np.float64], app: str) -> None:
    """Write the solution to the run directory on rank 0 (collective)."""
    values = x[0] if len(x) == 1 else np.ascontiguousarray(x.T)
    fields = {"x": (values, "1", {"long_name": "solution of A x = b"})}
    agree(comm, lambda: write_fields(record.fields_path, fields, {"app": app}))


def advice_of(tally: Tally) -> str:
    """Return what went wrong and what to try, empty if nothing did."""
    return tally.failed.removeprefix("step 1: ")
