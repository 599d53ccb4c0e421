"""Choose a backend, divide the grid, and describe a problem to its stepper."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mpsolve import lookup
from mpsolve.backends.base import Backend
from mpsolve.driver.options import HeatAppOptions
from mpsolve.errors import BackendUnavailable, ConfigError
from mpsolve.ledger import Ledger
from mpsolve.models.base import DiffusiveModel
from mpsolve.parallel.cartesian import Cartesian
from mpsolve.parallel.launch import threads_per_rank
from mpsolve.parallel.space import Space
from mpsolve.solvers.refinement import RefinementOptions
from mpsolve.timestepping.base import SteppedProblem

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm

#: Backends that ``auto`` tries, the fastest first.
PREFERENCE = ("cpu", "reference")


def choose_backend(comm: Intracomm, name: str, threads: int) -> Backend:
    """Return the backend of a name; ``auto`` takes the first that works (collective).

    Raises
    ------
    BackendUnavailable
        If the named backend does not work here; the message says what to install.
    """
    threads = threads or threads_per_rank(comm)
    if name != "auto":
        return lookup.find("backends", name).create(threads)
    for candidate in PREFERENCE[:-1]:
        try:
            return lookup.find("backends", candidate).create(threads)
        except BackendUnavailable:
            continue
    return lookup.find("backends", PREFERENCE[-1]).create(threads)


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
        return Cartesian.create(comm, shape, periodic, halo=halo, ranks_per_axis=ranks)
    return Cartesian.create(comm, shape, periodic, halo=halo, split=split)


def halo_width(options: HeatAppOptions) -> int:
    """Return how many ghost layers the stepper exchanges."""
    return options.time.steps_per_pass if options.time.stepper == "euler" else 1


def refinement_options(options: HeatAppOptions) -> RefinementOptions:
    """Collect what the options say about implicit solves."""
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
    )


def stepped_problem(
    model: DiffusiveModel, backend: Backend, options: HeatAppOptions, dt: float, ledger: Ledger
) -> SteppedProblem:
    """Describe a model to a stepper; ``dt`` is in the model's time unit."""
    space = Space(model.grid.comm, backend, model.grid.shape, halo_width(options), ledger)
    return SteppedProblem(
        grid=model.grid,
        space=space,
        coefficients=model.coefficients,
        mass=model.mass,
        initial=model.initial(),
        source=model.source,
        dt=dt,
        precision=options.precision.roles(),
        refinement=refinement_options(options),
        state_update=options.time.state_update,
        steps_per_pass=options.time.steps_per_pass,
        seed=options.time.seed,
    )
