"""Run a heat problem from the gallery: step it, measure it against its answer, write its field."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mpsolve import lookup
from mpsolve.backends.base import Backend
from mpsolve.driver.options import IMPLICIT, HeatAppOptions
from mpsolve.driver.outcome import Outcome, Tally, rates, relative_errors, rounding_error
from mpsolve.driver.progress import Progress
from mpsolve.driver.setup import divide, stepped_problem
from mpsolve.driver.stream import copy_bandwidth
from mpsolve.energy.base import Reading
from mpsolve.energy.window import Window, all_meters
from mpsolve.errors import ConfigError
from mpsolve.ledger import Ledger
from mpsolve.models.heat import HeatModel
from mpsolve.parallel.reductions import total
from mpsolve.records.fields import write_fields
from mpsolve.records.run import RunRecord
from mpsolve.timestepping.base import SteppedProblem, Stepper

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm

#: Rows of an explicit run in steps.jsonl; implicit runs write one per step.
EXPLICIT_ROWS = 20


def build(comm: Intracomm, options: HeatAppOptions) -> HeatModel:
    """Return the model of the options on its divided grid (collective)."""
    shape = options.heat.shape
    problem = lookup.find("models.gallery", options.heat.problem).create(len(shape))
    periodic = tuple(low == "periodic" for low, _ in problem.sides)
    return HeatModel(problem, divide(comm, shape, periodic, options))


def time_step(model: HeatModel, options: HeatAppOptions) -> float:
    """Return the time step in seconds: given, or by the diffusion number dt k / h^2."""
    if options.time.dt_s:
        return options.time.dt_s
    return options.time.diffusion_number * min(model.spacing_m) ** 2 / model.conductivity_m2_s


@dataclass(frozen=True, eq=False)
class Prepared:
    """A problem that has passed every check, ready to run.

    Attributes
    ----------
    model : HeatModel
        The equation on its divided grid.
    stepper : Stepper
        At time 0.
    ledger : Ledger
        Counts the work of the stepper.
    dt_s : float
        Time step.
    setup_s : float
        What the preparation took on this rank.
    """

    model: HeatModel
    stepper: Stepper
    ledger: Ledger
    dt_s: float
    setup_s: float


def prepare(comm: Intracomm, backend: Backend, options: HeatAppOptions) -> Prepared:
    """Set up a heat problem and its stepper; all that can be wrong with the input shows here (collective).

    Raises
    ------
    MpsolveError
        On every rank.
    """
    begin = time.perf_counter()
    model = build(comm, options)
    dt = time_step(model, options)
    ledger = Ledger()
    problem = stepped_problem(model, backend, options, dt, ledger)
    try:
        stepper = lookup.find("steppers", options.time.stepper).create(problem)
    except ConfigError as error:
        raise ConfigError(f"{error} (seconds): set time.dt_s, or a smaller time.diffusion_number") from None
    return Prepared(model, stepper, ledger, dt, time.perf_counter() - begin)


def run(
    comm: Intracomm,
    backend: Backend,
    options: HeatAppOptions,
    prepared: Prepared,
    record: RunRecord,
    reference: NDArray | None,
) -> tuple[Outcome, list[Reading]]:
    """Run a prepared heat problem (collective).

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm
        The ranks.
    backend : Backend
        Compiles and runs the kernels.
    options : HeatAppOptions
        How to solve it.
    prepared : Prepared
        What `prepare` returned.
    record : RunRecord
        Takes the steps and the field.
    reference : ndarray or None
        Final state of the FP64 run of the same problem, local.

    Returns
    -------
    tuple
        The outcome and the energy readings.
    """
    begin = time.perf_counter()
    model, stepper = prepared.model, prepared.stepper
    warm_up(stepped_problem(model, backend, options, prepared.dt_s, Ledger()), options.time.stepper)
    setup_s = prepared.setup_s + time.perf_counter() - begin
    tally = Tally(record.steps)
    with Window(comm, all_meters()) as window:
        more = _march(comm, stepper, options, tally)
    results = tally.results() if is_implicit(options) else {"converged": True}
    unknowns = int(np.prod(model.grid.global_shape))
    results |= rates(comm, prepared.ledger, window.seconds, unknowns, stepper.steps) | more
    results |= {"time_s": window.seconds, "setup_s": setup_s, "dt_s": prepared.dt_s, "steps": stepper.steps}
    results["stream_bytes_per_s"] = copy_bandwidth(comm)
    outcome = _judge(comm, prepared, options, results, reference)
    if options.run.fields:
        _write(record, model, outcome.state, stepper.time)
    return replace(outcome, advice=tally.failed), window.readings


def is_implicit(options: HeatAppOptions) -> bool:
    """Tell whether the stepper solves a system at each step."""
    return options.time.stepper in IMPLICIT


def warm_up(problem: SteppedProblem, stepper: str) -> None:
    """Compile every kernel with one shortened step, so that the timed phase compiles nothing (collective)."""
    short = replace(problem.refinement, max_refinements=1, max_iterations=2)
    lookup.find("steppers", stepper).create(replace(problem, refinement=short)).advance(
        problem.steps_per_pass + 1, audit=True
    )


def _march(comm: Intracomm, stepper: Stepper, options: HeatAppOptions, tally: Tally) -> dict[str, Any]:
    """Do all steps; implicit ones one by one, explicit ones in chunks with a count of stagnant cells."""
    steps = options.time.steps
    implicit = is_implicit(options)
    chunk = 1 if implicit else max(1, steps // EXPLICIT_ROWS)
    progress = Progress(comm.rank == 0, steps, "step", options.run.log_seconds)
    stagnant = []
    while stepper.steps < steps and not tally.failed:
        report = stepper.advance(min(chunk, steps - stepper.steps), audit=not implicit)
        if report.result is not None:
            tally.add(stepper.steps, stepper.time, report.result)
            progress.update(stepper.steps, f"backward error {report.result.backward_error:.1e}")
        else:
            stagnant.append(report.stagnant_cells)
            tally.log.append(
                step=stepper.steps, time=stepper.time, format=options.precision.inner,
                stagnant_cells=report.stagnant_cells,
            )  # fmt: skip
            progress.update(stepper.steps, f"stagnant cells {report.stagnant_cells}")
    progress.close()
    return {} if implicit else {"stagnant_cells": stagnant[-1], "most_stagnant_cells": max(stagnant)}


def _judge(
    comm: Intracomm, prepared: Prepared, options: HeatAppOptions, results: dict, reference: NDArray | None
) -> Outcome:
    """Compare the final state with the exact one and with the FP64 run."""
    model, stepper = prepared.model, prepared.stepper
    state = stepper.state()
    errors = relative_errors(comm, state, model.exact(stepper.time), model.initial())
    results["error_l2"], results["error_linf"] = errors
    results["error_reference"] = "analytic"
    extra, reasons = rounding_error(comm, state, reference, options.precision.inner)
    drift, why = _mass_drift(comm, model, state)
    return Outcome(results | extra | {"mass_drift": drift}, {**reasons, **why}, state)


def _mass_drift(comm: Intracomm, model: HeatModel, state: NDArray) -> tuple[float | None, dict[str, str]]:
    """Return the relative change of the heat content where nothing may change it."""
    closed = all(side in ("periodic", "neumann") for pair in model.problem.sides for side in pair)
    if not closed or model.problem.reaction or model.problem.source is not None:
        return None, {"mass_drift": "heat leaves through the sides, reacts or is supplied in this problem"}
    before = total(comm, model.initial())
    return (total(comm, state) - before) / before, {}


def _write(record: RunRecord, model: HeatModel, state: NDArray[np.float64], at: float) -> None:
    """Gather the field on rank 0 and write it with its coordinates (collective)."""
    whole = model.grid.gather(state)
    if whole is None:
        return
    axes = ("x", "y", "z")[: model.grid.ndim]
    shape = model.grid.global_shape
    fields: dict[str, Any] = {"temperature": (whole, model.unit, {"dimensions": axes, "time_s": at})}
    for axis, cells, width in zip(axes, shape, model.spacing_m, strict=True):
        fields[axis] = ((np.arange(cells) + 0.5) * width, "m", {"long_name": f"cell centres along {axis}"})
    write_fields(record.fields_path, fields, {"app": "heat", "time_s": at})
