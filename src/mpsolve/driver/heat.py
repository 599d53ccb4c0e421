"""Run a heat problem from the gallery: step it, measure it against its answer, write its field."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mpsolve import lookup
from mpsolve.backends.base import Backend
from mpsolve.driver.options import HeatAppOptions
from mpsolve.driver.outcome import Outcome, Tally, rates, relative_errors, rounding_error
from mpsolve.driver.progress import Progress
from mpsolve.driver.setup import divide, stepped_problem
from mpsolve.driver.stream import copy_bandwidth
from mpsolve.energy.window import Window, all_meters
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


def run(
    comm: Intracomm, backend: Backend, options: HeatAppOptions, record: RunRecord, reference: NDArray | None
) -> tuple[Outcome, Ledger, list]:
    """Run a heat problem (collective).

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm
        The ranks.
    backend : Backend
        Compiles and runs the kernels.
    options : HeatAppOptions
        The problem and how to solve it.
    record : RunRecord
        Takes the steps and the field.
    reference : ndarray or None
        Final state of the FP64 run of the same problem, local.

    Returns
    -------
    tuple
        The outcome, this rank's ledger, and the energy readings.
    """
    begin = time.perf_counter()
    model = build(comm, options)
    dt = time_step(model, options)
    warm_up(stepped_problem(model, backend, options, dt, Ledger()), options.time.stepper)
    ledger = Ledger()
    stepper = lookup.find("steppers", options.time.stepper).create(stepped_problem(model, backend, options, dt, ledger))
    setup_s = time.perf_counter() - begin
    tally = Tally(record.steps)
    with Window(comm, all_meters()) as window:
        more = _march(comm, stepper, options, tally)
    results = tally.results() if options.time.stepper in ("backward_euler", "crank_nicolson") else {"converged": True}
    unknowns = int(np.prod(model.grid.global_shape))
    results |= rates(comm, ledger, window.seconds, unknowns, stepper.steps) | more
    results |= {"time_s": window.seconds, "setup_s": setup_s, "dt_s": dt, "steps": stepper.steps}
    results["stream_bytes_per_s"] = copy_bandwidth(comm)
    outcome = _judge(comm, model, stepper, results, tally, reference)
    if options.run.fields:
        _write(record, model, outcome.state, stepper.time)
    return outcome, ledger, window.readings


def warm_up(problem: SteppedProblem, stepper: str) -> None:
    """Compile every kernel with one shortened step, so that the timed phase compiles nothing (collective)."""
    short = replace(problem.refinement, max_refinements=1, max_iterations=2)
    lookup.find("steppers", stepper).create(replace(problem, refinement=short)).advance(
        problem.steps_per_pass + 1, audit=True
    )


def _march(comm: Intracomm, stepper: Stepper, options: HeatAppOptions, tally: Tally) -> dict[str, Any]:
    """Do all steps; implicit ones one by one, explicit ones in chunks with a count of stagnant cells."""
    steps = options.time.steps
    implicit = np.isinf(stepper.stability) and options.time.stepper in ("backward_euler", "crank_nicolson")
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
    comm: Intracomm, model: HeatModel, stepper: Stepper, results: dict, tally: Tally, reference: NDArray | None
) -> Outcome:
    """Compare the final state with the exact one and with the FP64 run."""
    state = stepper.state()
    results["error_l2"], results["error_linf"] = relative_errors(comm, state, model.exact(stepper.time))
    results["error_reference"] = "analytic"
    extra, reasons = rounding_error(comm, state, reference)
    results |= extra
    drift, why = _mass_drift(comm, model, state)
    results["mass_drift"] = drift
    return Outcome(results, {**reasons, **why}, state, tally.failed)


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
