"""Run a heat problem from the gallery: step it, measure it against its answer, write its field."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mpsolve import lookup
from mpsolve.backends.base import Backend
from mpsolve.driver import setup
from mpsolve.driver.checkpoints import Checkpoints, Resumed, State, problem_of
from mpsolve.driver.metering import open_window, readings_of
from mpsolve.driver.options import HeatAppOptions, Variant
from mpsolve.driver.outcome import (
    NEVER,
    NO_SOLVE,
    Outcome,
    Reference,
    Tally,
    rates,
    relative_errors,
    rounding_error,
)
from mpsolve.driver.progress import Progress
from mpsolve.driver.setup import Prepared, divide
from mpsolve.energy.base import Reading
from mpsolve.models.heat import HeatModel
from mpsolve.parallel.launch import agree
from mpsolve.parallel.reductions import total
from mpsolve.records.fields import write_fields
from mpsolve.records.run import RunRecord
from mpsolve.records.steps import StepLog
from mpsolve.timestepping.base import Stepper

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm

RANGE_ADVICE = "keep it in a wider format (time.state_update = increment) or take a wider one (--precision bf16)"
#: Bounds of the work between two reports of progress.
CELLS_AT_ONCE, STEPS_AT_ONCE = 1 << 26, 1000
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


def prepare(model: HeatModel, backend: Backend, options: HeatAppOptions) -> Prepared:
    """Check and compile a heat problem; see `mpsolve.driver.setup.prepare` (collective)."""
    return setup.prepare(model, backend, options, time_step(model, options))


def run(
    model: HeatModel,
    backend: Backend,
    variant: Variant,
    prepared: Prepared,
    record: RunRecord,
    reference: Reference,
    resumed: Resumed | None = None,
) -> tuple[Outcome, list[Reading]]:
    """Run a prepared heat problem (collective).

    Parameters
    ----------
    model : HeatModel
        The equation on its divided grid.
    backend : Backend
        Runs the kernels.
    variant : Variant
        How to solve it.
    prepared : Prepared
        What `prepare` returned.
    record : RunRecord
        Takes the steps and the field.
    reference : Reference
        The FP64 run of the same problem.
    resumed : Resumed, optional
        The checkpoint to go on from.

    Returns
    -------
    tuple
        The outcome and the energy readings.
    """
    comm, options, stepper = model.grid.comm, variant.options, prepared.stepper
    tally = Tally(record.steps)
    if resumed is not None:
        stepper.restore(resumed.arrays(model.grid), resumed.numbers["stepper"])
        tally.restore(resumed.numbers["tally"])
    saving = Checkpoints(model.grid, record.directory, options.run)
    with open_window(comm, backend, record.steps, prepared.ledger) as window, saving:
        more = _march(model, stepper, variant, tally, saving)
    unknowns = int(np.prod(model.grid.global_shape))
    results = rates(comm, prepared.ledger, window.seconds, unknowns, stepper.steps) | more
    results |= {"time_s": window.seconds, "setup_s": prepared.setup_s}
    results |= {"dt_s": stepper.problem.dt, "steps": stepper.steps} | tally.work(comm, prepared.ledger)
    results |= setup.injected(comm, stepper)
    layout, notes = setup.grids(stepper)
    results |= layout
    outcome = _judge(model, stepper, options, results, reference)
    if options.run.fields:
        _write(record, model, outcome.state, stepper.time)

    def again() -> None:
        stepper.set_state(model.initial())
        stepper.steps = 0
        _march(model, stepper, variant, Tally(StepLog(None)))

    readings = readings_of(comm, backend, window, options.run.energy_seconds, prepared.ledger, again)
    return replace(outcome, advice=tally.failed or outcome.advice, text=notes), readings


def _march(
    model: HeatModel, stepper: Stepper, variant: Variant, tally: Tally, saving: Checkpoints | None = None
) -> dict[str, Any]:
    """Do all steps; implicit ones one by one, explicit ones in chunks with a count of stagnant cells."""
    options, steps = variant.options, variant.options.time.steps

    def state() -> State:
        arrays, numbers = stepper.saved()
        return arrays, {"problem": problem_of(options), "stepper": numbers, "tally": tally.saved()}

    row = 1 if options.implicit else max(1, steps // EXPLICIT_ROWS)
    chunk = _steps_at_once(model, options)
    progress = Progress(model.grid.comm.rank == 0, steps, f"{variant.label}: step", options.run.log_seconds)
    stagnant = []
    while stepper.steps < steps and not tally.failed:
        end = min((stepper.steps // row + 1) * row, steps)
        while end - stepper.steps > chunk:
            stepper.advance(chunk)
            progress.update(stepper.steps)
            if saving is not None:
                saving.after(stepper.steps, state)
        report = stepper.advance(end - stepper.steps, audit=not options.implicit)
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
        if saving is not None:
            saving.after(stepper.steps, state, last=stepper.steps == steps or bool(tally.failed))
    progress.close()
    if options.implicit:
        return tally.results()
    counts = {"stagnant_cells": stagnant[-1] if stagnant else None, "most_stagnant_cells": max(stagnant, default=None)}
    return {"format": options.precision.inner, **counts}


def _steps_at_once(model: HeatModel, options: HeatAppOptions) -> int:
    """Return after how many steps progress is reported: the same on all ranks, some tenths of a second on most."""
    several = CELLS_AT_ONCE // int(np.prod(model.grid.global_shape))
    return max(options.time.steps_per_pass, min(several, STEPS_AT_ONCE))


def _judge(model: HeatModel, stepper: Stepper, options: HeatAppOptions, results: dict, reference: Reference) -> Outcome:
    """Compare the final state with the exact one and with the FP64 run."""
    comm, state = model.grid.comm, stepper.state()
    errors = relative_errors(comm, state, model.exact(stepper.time), model.initial())
    results["error_l2"], results["error_linf"] = errors
    results["error_reference"] = "analytic"
    extra, reasons = rounding_error(comm, state, reference)
    drift, why = _mass_drift(comm, model, state)
    results |= extra | {"mass_drift": drift}
    advice = ""
    if not options.implicit:
        reasons |= NO_SOLVE
        results["converged"] = math.isfinite(results["error_l2"])
        advice = (
            "" if results["converged"] else f"the state left the range of {options.precision.inner}; {RANGE_ADVICE}"
        )
    return Outcome(results, {**NEVER, **reasons, **why}, state, advice)


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
    axes = ("x", "y", "z")[: model.grid.ndim]
    shape = model.grid.global_shape
    fields: dict[str, Any] = {"temperature": (whole, model.unit, {"dimensions": axes, "time_s": at})}
    for axis, cells, width in zip(axes, shape, model.spacing_m, strict=True):
        fields[axis] = ((np.arange(cells) + 0.5) * width, "m", {"long_name": f"cell centres along {axis}"})
    agree(model.grid.comm, lambda: write_fields(record.fields_path, fields, {"app": "heat", "time_s": at}))
