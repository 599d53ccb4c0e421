"""Choose a backend, divide the grid, and make a stepper that is checked and compiled."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING

from mpsolve import lookup
from mpsolve.backends.base import Backend
from mpsolve.driver.options import IMPLICIT, NOTHING_REPAIRS, HeatAppOptions
from mpsolve.errors import BackendUnavailable, ConfigError
from mpsolve.ledger import Ledger
from mpsolve.models.base import DiffusiveModel
from mpsolve.parallel.cartesian import Cartesian
from mpsolve.parallel.halo import REPEATED
from mpsolve.parallel.launch import threads_per_rank
from mpsolve.parallel.space import Space
from mpsolve.parallel.transport import Transport
from mpsolve.solvers.injection import flips_of
from mpsolve.solvers.multigrid.levels import GHOSTS, HALO
from mpsolve.solvers.multigrid.options import MultigridOptions
from mpsolve.solvers.refinement_options import RefinementOptions
from mpsolve.timestepping.base import SteppedProblem, Stepper, UnstableStep

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm


def choose_backend(comm: Intracomm, name: str, threads: int, preference: Sequence[str]) -> Backend:
    """Return the backend of a name; ``auto`` takes the first preferred one that works on all ranks (collective).

    Raises
    ------
    BackendUnavailable
        If the named backend does not work on every rank; the message says what to install.
    """
    threads = threads or threads_per_rank(comm)
    candidates = preference if name == "auto" else [name]
    problems: list[str] = []
    for candidate in candidates:
        backend, problem = _tried(candidate, threads)
        problems = [found for found in comm.allgather(problem) if found]
        if backend is not None and not problems:
            limit_libraries(threads)
            return backend
    raise BackendUnavailable(problems[0])


def limit_libraries(threads: int) -> None:
    """Let the BLAS that NumPy calls have no more threads than the rank has (local).

    By itself it takes all cores on each rank, and its threads keep them busy while they wait. Without the extra ``cpu``
    it is left as it is.
    """
    if find_spec("threadpoolctl") is None:
        return
    from threadpoolctl import ThreadpoolController

    for library in ThreadpoolController().select(user_api="blas").lib_controllers:
        if library.num_threads > threads:
            library.set_num_threads(threads)


def _tried(name: str, threads: int) -> tuple[Backend | None, str]:
    try:
        return lookup.find("backends", name).create(threads), ""
    except BackendUnavailable as error:
        return None, str(error)


def divide(
    comm: Intracomm,
    shape: tuple[int, ...],
    periodic: tuple[bool, ...],
    options: HeatAppOptions,
    split: tuple[bool, ...] | None = None,
) -> Cartesian:
    """Divide a grid as the options say; ``split`` tells which axes may be cut if they leave that open.

    Raises
    ------
    ConfigError
        If ``run.ranks`` has another number of axes than the grid.
    ShapeError
        If there are too many ranks for the grid.
    """
    ranks = options.run.ranks
    if ranks and len(ranks) != len(shape):
        raise ConfigError(
            f"run.ranks = {list(ranks)}: must have one entry for each of the {len(shape)} axes of the grid"
        )
    halo = halo_width(options)
    if ranks:
        grid = Cartesian.create(comm, shape, periodic, halo=halo, ranks_per_axis=ranks)
    else:
        grid = Cartesian.create(comm, shape, periodic, halo=halo, split=split)
    # Of other bits than those of the solver.
    faults = flips_of(options.run.inject, comm.size + comm.rank)
    return replace(grid, transport=Transport(options.halo.check, faults))


def halo_width(options: HeatAppOptions) -> int:
    """Return how many ghost layers the stepper, or its inner solver, needs: blocks are no thinner."""
    solver = options.solver
    if options.implicit and (solver.inner in ("auto", "multigrid") or solver.preconditioner == "multigrid"):
        return HALO
    return options.time.steps_per_pass if options.time.stepper == "euler" else 1


def ghost_layers(options: HeatAppOptions) -> int:
    """Return how many ghost layers vectors have: for smoothing steps that share a pass, more than are needed."""
    needed = halo_width(options)
    return GHOSTS if options.implicit and needed == HALO else needed


def refinement_options(options: HeatAppOptions, rank: int = 0) -> RefinementOptions:
    """Collect what the options say about implicit solves.

    Raises
    ------
    ConfigError
        If bits are to be flipped where nothing refines.
    """
    if options.run.inject and not options.implicit:
        raise ConfigError(f"run.inject = {options.run.inject!r}: {NOTHING_REPAIRS}")
    solver, precision = options.solver, options.precision
    return RefinementOptions(
        inner=solver.inner,
        preconditioner=solver.preconditioner,
        ladder=precision.rungs(),
        accumulate=precision.accumulate,
        rtol=solver.rtol,
        max_refinements=solver.max_refinements,
        max_iterations=solver.max_iterations,
        inner_rtol=solver.inner_rtol,
        multigrid=MultigridOptions(**asdict(options.multigrid)),
        flips=flips_of(options.run.inject, rank),
    )


def stepped_problem(
    model: DiffusiveModel, backend: Backend, options: HeatAppOptions, dt: float, ledger: Ledger
) -> SteppedProblem:
    """Describe a model to a stepper; ``dt`` is in the model's time unit."""
    space = Space(model.grid.comm, backend, model.grid.shape, ghost_layers(options), ledger)
    return SteppedProblem(
        grid=model.grid,
        space=space,
        coefficients=model.coefficients,
        mass=model.mass,
        initial=model.initial(),
        source=model.source,
        dt=dt,
        precision=options.precision.roles(),
        refinement=refinement_options(options, model.grid.comm.rank),
        state_update=options.time.state_update,
        steps_per_pass=options.time.steps_per_pass,
        seed=options.time.seed,
    )


@dataclass(frozen=True, eq=False)
class Prepared:
    """A problem that has passed every check and whose kernels are compiled.

    Attributes
    ----------
    stepper : Stepper
        At time 0.
    ledger : Ledger
        Counts the work of the stepper on this rank.
    setup_s : float
        What the preparation took on this rank.
    """

    stepper: Stepper
    ledger: Ledger
    setup_s: float


def prepare(model: DiffusiveModel, backend: Backend, options: HeatAppOptions, dt: float) -> Prepared:
    """Make the stepper of a model; all that can still be wrong with the input shows here (collective).

    Every kernel is compiled by a shortened step of another stepper, so that the timed phase compiles nothing.

    Raises
    ------
    ConfigError
        If the time step is unstable; the message has the largest stable one.
    BackendUnavailable, FormatError
        If the backend cannot compute in a format.
    """
    begin = time.perf_counter()
    create = lookup.find("steppers", options.time.stepper).create
    problem = stepped_problem(model, backend, options, dt, Ledger())
    short = replace(problem.refinement, max_refinements=1, max_iterations=2)
    try:
        create(replace(problem, refinement=short)).advance(problem.steps_per_pass + 1, audit=True)
    except UnstableStep as error:
        raise ConfigError(_unstable(options, error, model.time_unit)) from None
    ledger = Ledger()
    stepper = create(stepped_problem(model, backend, options, dt, ledger))
    return Prepared(stepper, ledger, time.perf_counter() - begin)


def _unstable(options: HeatAppOptions, error: UnstableStep, unit: str) -> str:
    """Word the refusal of a time step in the keys of the configuration."""
    chosen = options.time
    # Less by half a unit of the fifth digit, so that what is printed can be copied into the configuration.
    largest = error.largest_dt * (1 - 5e-5)
    given, allowed = f"time.dt_s = {chosen.dt_s:g}", f"{largest:.5g} {unit}"
    if not chosen.dt_s:
        given = f"time.diffusion_number = {chosen.diffusion_number:g}, a time step of {error.dt:.5g} {unit},"
        allowed = f"{chosen.diffusion_number * largest / error.dt:.5g}, a time step of {allowed}"
    return (
        f"{given} is unstable with time.stepper = {chosen.stepper} on this grid; the largest stable one is {allowed}: "
        f"take no larger one, or an implicit stepper ({', '.join(IMPLICIT)})"
    )


def grids(stepper: Stepper) -> tuple[dict[str, list[str]], str]:
    """Return the grids of the inner solver for the record, and what the app says about them."""
    layout = stepper.layout
    found = {"grids": list(layout.grids), "messages": list(layout.notes)} if layout.grids else {}
    return found, "\n".join(f"note: {note}" for note in layout.notes)


def injected(comm: Intracomm, stepper: Stepper) -> dict[str, int]:
    """Return how many bits were flipped and messages repeated on all ranks, if that was asked for (collective)."""
    found, grid = {}, stepper.problem.grid
    flips, faults = stepper.problem.refinement.flips, grid.transport.faults
    if flips is not None and faults is not None:
        found["injected_flips"] = sum(comm.allgather(flips.flipped + faults.flipped))
        # The next variant of a sweep has the same grid.
        faults.flipped = 0
    return found | repeated(grid, stepper.problem.space.ledger)


def repeated(grid: Cartesian, ledger: Ledger) -> dict[str, int]:
    """Return how many messages were damaged and sent again on all ranks, if they are checked (collective)."""
    if not grid.transport.checked:
        return {}
    mine = sum(work.messages for work in ledger.counts.get(REPEATED, {}).values())
    return {"repeated_messages": sum(grid.comm.allgather(mine))}
