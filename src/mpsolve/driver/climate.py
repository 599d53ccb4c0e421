"""Run a shallow-water problem: step it, measure it against its answer and against FP64, write its fields."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mpsolve import lookup
from mpsolve.backends.base import Backend
from mpsolve.driver import climate_outputs as outputs
from mpsolve.driver.checkpoints import Checkpoints, Resumed
from mpsolve.driver.climate_march import March, drifts
from mpsolve.driver.climate_options import ClimateAppOptions, ClimateOptions
from mpsolve.driver.metering import open_window, readings_of
from mpsolve.driver.options import Variant
from mpsolve.driver.outcome import Outcome, Reference, rates
from mpsolve.driver.setup import repeated
from mpsolve.energy.base import Reading
from mpsolve.errors import ConfigError, ShapeError
from mpsolve.ledger import Ledger
from mpsolve.models.shallow_water import diagnostics
from mpsolve.models.shallow_water.animation import Film
from mpsolve.models.shallow_water.defect import Defect
from mpsolve.models.shallow_water.geometry import Geometry
from mpsolve.models.shallow_water.input_file import read_ground, read_state
from mpsolve.models.shallow_water.method import TermFormats
from mpsolve.models.shallow_water.model import Given, ShallowWaterModel, filters
from mpsolve.models.shallow_water.problems.base import DAY_S, Problem
from mpsolve.models.shallow_water.stepping import HALO, Core
from mpsolve.parallel.cartesian import Cartesian
from mpsolve.parallel.launch import agree
from mpsolve.parallel.transport import Transport
from mpsolve.precision import Roles
from mpsolve.records.run import RunRecord
from mpsolve.records.steps import StepLog

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm

#: Rounding may take this part of the truncation error of a precision that is recommended.
ACCEPTED = 0.1
NO_SOLVE: dict[str, str] = dict.fromkeys(
    ("iterations", "refinements", "backward_error", "hpl_mxp_residual"), "explicit steps solve no system"
)


class ClimateModel(ShallowWaterModel):
    """The model of a run, with what its variants share: the estimate of the truncation error, made once."""

    truncation: float | None = None


@dataclass(frozen=True, eq=False)
class Prepared:
    """A core in its initial state, its step and its length."""

    core: Core
    ledger: Ledger
    setup_s: float
    steps: int


def build(comm: Intracomm, options: ClimateAppOptions) -> ClimateModel:
    """Return the model of the options on its divided grid (collective)."""
    chosen = options.climate
    rows, columns = chosen.shape
    problem = lookup.find("models.shallow_water.problems", chosen.problem).create((rows, columns), chosen.angle_rad)
    _check_used(problem, chosen)
    periodic = (problem.geometry.periodic, True)
    # The filter needs whole circles of latitude.
    split = (True, not filters(problem, chosen.filter_rad))
    ranks = options.run.ranks or None
    grid = Cartesian.create(comm, (rows, columns), periodic, halo=HALO, ranks_per_axis=ranks, split=split)
    grid = replace(grid, transport=Transport(options.halo.check))
    model = ClimateModel(problem, grid, chosen.filter_rad, agree(comm, lambda: _given(problem.geometry, chosen)))
    _check_depth(model)
    return model


def _check_used(problem: Problem, chosen: ClimateOptions) -> None:
    """Refuse options that would do nothing in a problem."""
    if chosen.angle_rad and not problem.tilts:
        raise ConfigError(
            f"climate.angle_rad = {chosen.angle_rad:g}: the problem {chosen.problem} has no angle; set it to 0"
        )
    moving = {
        "wind_m_s2": chosen.wind_m_s2, "drag_per_s": chosen.drag_per_s,
        "viscosity_m2_s": max(chosen.viscosity_m2_s, 0.0), "hyperviscosity_m4_s": chosen.hyperviscosity_m4_s,
    }  # fmt: skip
    for name, value in moving.items() if problem.advection else ():
        if value:
            raise ConfigError(
                f"climate.{name} = {value:g}: the flow of the problem {chosen.problem} is fixed; set it to 0"
            )


def _check_depth(model: ShallowWaterModel) -> None:
    """Refuse an initial state or a ground that leaves a cell dry (collective).

    Raises
    ------
    ConfigError
        On every rank.
    """
    if model.problem.advection:
        return
    depth = model.height - (0.0 if model.bottom is None else model.bottom)
    row, column = np.unravel_index(int(np.argmin(depth)), depth.shape)
    mine = (float(depth[row, column]), int(row) + model.grid.lo[0], int(column) + model.grid.lo[1])
    least, row, column = min(model.grid.comm.allgather(mine))
    if not least > 0:
        raise ConfigError(
            f"the depth at the beginning is {least:g} m in row {row}, column {column}: the ground must lie below the "
            "surface everywhere (climate.ground, climate.initial)"
        )


def _given(geometry: Geometry, chosen: ClimateOptions) -> Given:
    """Read what files give instead of the problem."""
    ground = read_ground(Path(chosen.ground), geometry) if chosen.ground else None
    return Given(ground, read_state(Path(chosen.initial), geometry) if chosen.initial else None)


def time_step(model: ShallowWaterModel, options: ClimateAppOptions) -> float:
    """Return the time step: given, or a part of the largest stable one (collective).

    Raises
    ------
    ConfigError
        If the given one is not stable.
    """
    chosen = options.climate
    limit = model.largest_dt_s(
        options.time.stepper, chosen.viscosity_m2_s, chosen.hyperviscosity_m4_s, chosen.drag_per_s
    )
    if options.time.dt_s > limit:
        raise ConfigError(
            f"time.dt_s = {options.time.dt_s:g}: unstable on this grid with time.stepper = {options.time.stepper}; the "
            f"largest stable step is {limit:.4g} s, from the fastest wave and the friction on the smallest cell"
        )
    return options.time.dt_s or options.time.courant * limit


def _core(
    model: ShallowWaterModel, backend: Backend, options: ClimateAppOptions, roles: Roles, dt_s: float, ledger: Ledger,
    terms: TermFormats | None = None,
) -> Core:  # fmt: skip
    chosen = options.climate
    return model.core(
        backend, ledger, roles, fluxes=chosen.fluxes, scheme=options.time.stepper, dt_s=dt_s,
        drag_per_s=chosen.drag_per_s, viscosity_m2_s=chosen.viscosity_m2_s, wind_m_s2=chosen.wind_m_s2,
        hyperviscosity_m4_s=chosen.hyperviscosity_m4_s, terms=terms,
    )  # fmt: skip


def _steps(model: ShallowWaterModel, options: ClimateAppOptions, longest_s: float) -> tuple[int, float]:
    """Return the number of steps and their length, so that the last one ends the last day."""
    length = (options.climate.days or model.problem.days) * DAY_S
    steps = max(1, math.ceil(length / longest_s * (1 - 1e-12)))
    return steps, length / steps


def prepare(model: ClimateModel, backend: Backend, options: ClimateAppOptions) -> Prepared:
    """Check the step and compile the kernels (collective)."""
    begin, ledger = time.perf_counter(), Ledger()
    outputs.check_animation(options.climate.animation)
    steps, dt_s = _steps(model, options, time_step(model, options))
    chosen = options.precision
    core = _core(model, backend, options, chosen.roles(), dt_s, ledger, chosen.terms())
    core.step()
    core.set_state(model.height, model.eastward, model.northward)
    ledger.counts.clear()
    return Prepared(core, ledger, time.perf_counter() - begin, steps)


def run(
    model: ClimateModel,
    backend: Backend,
    variant: Variant,
    prepared: Prepared,
    record: RunRecord,
    reference: Reference,
    resumed: Resumed | None = None,
) -> tuple[Outcome, list[Reading]]:
    """Run a prepared problem (collective); parameters and result as in `mpsolve.driver.heat.run`."""
    options, core, comm = variant.options, prepared.core, model.grid.comm
    begin = diagnostics.invariants(core) | {"surface": core.volume()}
    if resumed is not None:
        core.restore(resumed.arrays(model.grid), resumed.numbers["core"])
        begin = resumed.numbers["begin"]
    first, defect = core.steps, _defect(model, backend, options, core)
    film = Film(core) if options.climate.animation else None
    with (
        open_window(comm, backend, record.steps, prepared.ledger) as window,
        Checkpoints(model.grid, record.directory, options.run) as saving,
    ):
        march = March(
            core, prepared.steps, variant, record.steps, begin, saving=saving, defect=defect,
            seen=film.add if film else None,
        )  # fmt: skip
        problem = march.run()
    results = rates(comm, prepared.ledger, window.seconds, math.prod(model.grid.global_shape) * 3, core.steps)
    results |= repeated(model.grid, prepared.ledger)
    results |= {"time_s": window.seconds, "setup_s": prepared.setup_s, "steps": core.steps, "dt_s": core.method.dt_s}
    results["simulated_days_per_day"] = (core.steps - first) * core.method.dt_s / window.seconds
    results |= {"converged": not problem, "format": options.precision.inner}
    if defect is not None and defect.steps:
        results |= {"defect_steps": defect.steps, "defect_drift": defect.drift}
        results |= {"defect_persistence": defect.persistence} if defect.steps > 1 else {}
    reasons: dict[str, str] = {**NO_SOLVE}
    if not problem:
        results |= drifts(begin, diagnostics.invariants(core))
        found, why = _errors(model, backend, options, core, reference)
        results, reasons = results | found, reasons | why
    outputs.leave(record, model, core, options, film, reference.state, good=not problem)
    advice = f"{problem}; the last good state is in fields.h5: take a shorter step or a wider format" if problem else ""
    label = results.get("label", "")
    outcome = Outcome(results, reasons, core.height(), advice, f"{variant.label}: {label}" if label else "")

    def again() -> None:
        core.set_state(model.height, model.eastward, model.northward)
        March(core, prepared.steps, variant, StepLog(None), begin, defect=defect).run()

    least_s = 0.0 if problem else options.run.energy_seconds
    return outcome, readings_of(comm, backend, window, least_s, prepared.ledger, again)


def _defect(model: ClimateModel, backend: Backend, options: ClimateAppOptions, core: Core) -> Defect | None:
    """Return what does some steps in FP64 too, with the same step; None if that was not asked for or is in vain."""
    if not options.time.defect_steps or options.is_fp64:
        return None
    return Defect(core, _core(model, backend, options, Roles(), core.method.dt_s, Ledger()))


def _errors(
    model: ClimateModel, backend: Backend, options: ClimateAppOptions, core: Core, reference: Reference
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return truncation and rounding apart: the error against the answer or its estimate, and against FP64."""
    height, reasons = core.height(), {}
    # None where there is none, so that the reason is kept beside it.
    results: dict[str, Any] = dict.fromkeys(("truncation_error", "rounding_over_truncation", "accepted"))
    truth = model.answer(core.steps * core.method.dt_s)
    if truth is not None:
        norms = diagnostics.relative_norms(core, height, truth)
        results |= dict(zip(("error_l1", "error_l2", "error_linf"), norms, strict=True))
        results |= {"error_reference": "analytic", "truncation_error": norms[1]}
    else:
        reasons |= dict.fromkeys(("error_l2", "error_linf", "error_reference"), "this problem has no analytic answer")
        if model.truncation is None:
            model.truncation = estimated_truncation(model, backend, options, core, reference)
        results["truncation_error"] = model.truncation
        halves = ("truncation_error", "rounding_over_truncation", "accepted")
        reasons |= dict.fromkeys(halves, "the grid cannot be halved on these ranks to estimate it")
    if reference.state is None:
        reasons |= dict.fromkeys(("rounding_error", "rounding_over_truncation", "accepted"), reference.reason)
        return results, reasons
    results["rounding_error"] = diagnostics.relative_norms(core, height, reference.state)[1]
    if results["truncation_error"]:
        ratio = results["rounding_error"] / results["truncation_error"]
        results |= {"rounding_over_truncation": ratio, "accepted": ratio <= ACCEPTED}
        results |= (
            {} if ratio <= ACCEPTED else {"label": f"not recommended: rounding is {ratio:.0%} of truncation here"}
        )
    return results, reasons


def estimated_truncation(
    model: ClimateModel, backend: Backend, options: ClimateAppOptions, core: Core, reference: Reference
) -> float | None:
    """Return a third of the distance from an FP64 run on half the rows and columns, for order 2 (collective).

    None where the grid has an odd number of either, or too few rows for the ranks.
    """
    rows, columns = model.grid.global_shape
    if rows % 2 or columns % 2 or rows < 16:
        return None
    problem = lookup.find("models.shallow_water.problems", options.climate.problem).create(
        (rows // 2, columns // 2), options.climate.angle_rad
    )
    periodic, ranks = (problem.geometry.periodic, True), model.grid.ranks_per_axis
    try:
        grid = Cartesian.create(
            model.grid.comm, (rows // 2, columns // 2), periodic, halo=HALO, ranks_per_axis=ranks
        )  # fmt: skip
    except ShapeError:  # On all ranks alike.
        return None
    coarse = ShallowWaterModel(problem, grid, model.filter_rad, model.given.halved())
    steps, dt_s = _steps(coarse, options, 2 * core.method.dt_s)
    rough = _core(coarse, backend, options, Roles(), dt_s, Ledger())
    for _ in range(steps):
        rough.step()
    fine = model.grid.gather(reference.state if reference.state is not None else core.height())
    mean = None if fine is None else fine.reshape(rows // 2, 2, columns // 2, 2).mean(axis=(1, 3))
    return diagnostics.relative_norms(rough, rough.height(), grid.scatter(mean))[1] / 3
