"""Run the climate of the Earth, year by year until it repeats itself, and describe it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mpsolve.backends.base import Backend
from mpsolve.driver import setup
from mpsolve.driver.checkpoints import Checkpoints, Resumed, State, problem_of
from mpsolve.driver.metering import open_window, readings_of
from mpsolve.driver.options import EarthOptions, HeatAppOptions, Variant
from mpsolve.driver.outcome import NEVER, Outcome, Reference, Tally, rates, rounding_error
from mpsolve.driver.progress import Progress
from mpsolve.driver.setup import Prepared, divide, ghost_layers, refinement_options
from mpsolve.energy.base import Reading
from mpsolve.ledger import Ledger
from mpsolve.models.earth.climatology import MonthlyMeans, annual_mean, seasonal_range, summary, zonal_mean
from mpsolve.models.earth.grid import SphereGrid
from mpsolve.models.earth.insolation import Orbit
from mpsolve.models.earth.model import STEPS_PER_YEAR, EarthModel, Scenario
from mpsolve.models.earth.surface import Surface
from mpsolve.models.earth.surface_file import default_surface_path, read_surface
from mpsolve.operators.diffusion import Diffusion
from mpsolve.parallel.launch import agree
from mpsolve.parallel.reductions import total
from mpsolve.parallel.space import Space
from mpsolve.precision import get_format
from mpsolve.records.fields import write_fields
from mpsolve.records.run import RunRecord
from mpsolve.records.steps import StepLog
from mpsolve.solvers.refinement import RefinementSolver
from mpsolve.timestepping.base import Stepper

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm

#: Figures that the climate does not have, and why.
NO_ANSWER = dict.fromkeys(
    ("error_l2", "error_linf", "error_reference"), "the climate has no analytic answer; see rounding_error"
) | {
    "mass_drift": "the climate gains and loses heat by radiation",
    "last_change_k": "the first year has none before it to compare with",
}
#: Part of the distance between the steady state and the year's mean that is added after each year. The model is
#: linear and the trapezoidal rule telescopes, so the mean of the states of a repeating year is the steady state.
MEAN_CORRECTION = 0.7


def build(comm: Intracomm, options: HeatAppOptions) -> EarthModel:
    """Read the map on rank 0 and set up the model on its divided grid (collective)."""
    chosen = options.earth
    sphere, scenario = agree(comm, lambda: (_sphere(chosen), _scenario(chosen)))
    # Whole circles of latitude stay on one rank, so that the solver can treat them as lines.
    split = (True, comm.size > sphere.shape[0])
    grid = divide(comm, sphere.shape, (False, True), options, split)
    surface: Surface = agree(comm, lambda: read_surface(chosen.surface or default_surface_path()))
    return EarthModel(surface, sphere, scenario, grid)


def _sphere(chosen: EarthOptions) -> SphereGrid:
    make = SphereGrid.cells if chosen.points == "cells" else SphereGrid.nodes
    return make(chosen.latitudes, chosen.longitudes)


def _scenario(chosen: EarthOptions) -> Scenario:
    orbit = Orbit(chosen.eccentricity, chosen.obliquity_rad, chosen.perihelion_rad, chosen.solar_constant_w_m2)
    return Scenario(chosen.co2_ppm, orbit)


def prepare(model: EarthModel, backend: Backend, options: HeatAppOptions) -> Prepared:
    """Check and compile the climate; see `mpsolve.driver.setup.prepare` (collective)."""
    return setup.prepare(model, backend, options, 1.0 / STEPS_PER_YEAR)


def run(
    model: EarthModel,
    backend: Backend,
    variant: Variant,
    prepared: Prepared,
    record: RunRecord,
    reference: Reference,
    resumed: Resumed | None = None,
) -> tuple[Outcome, list[Reading]]:
    """Run the climate (collective); parameters and result as in `mpsolve.driver.heat.run`."""
    comm, options, stepper = model.grid.comm, variant.options, prepared.stepper
    tally = Tally(record.steps)
    saving = Checkpoints(model.grid, record.directory, options.run)
    with open_window(comm, backend, record.steps, prepared.ledger) as window, saving:
        given = {} if resumed is None else resumed.arrays(model.grid)
        steady = given["steady"] if given else _steady_state(model, backend, options, prepared.ledger, tally)
        years = _Years(model, stepper, variant, tally, steady, saving)
        if resumed is not None:
            years.restore(given, resumed.numbers)
        months = years.run()
    unknowns = int(np.prod(model.sphere.shape))
    results = tally.results() | rates(comm, prepared.ledger, window.seconds, unknowns, stepper.steps + 1)
    results |= {"time_s": window.seconds, "setup_s": prepared.setup_s} | years.results()
    results |= setup.injected(comm, stepper)
    layout, notes = setup.grids(stepper)
    results |= layout
    results |= tally.work(comm, prepared.ledger)
    reasons = {**NEVER, **NO_ANSWER}
    if tally.failed:
        # Half a year is no climate: there is nothing to compare or to draw.
        return Outcome(results, reasons, stepper.state(), tally.failed, notes), window.readings
    mean = annual_mean(months)
    extra, why = rounding_error(comm, mean, reference)
    results |= extra | _publish(record, model, months, options)
    results["converged"] = years.settled or options.earth.years > 0
    late = "" if results["converged"] else f"no equilibrium within {years.year} years; raise earth.max_years"

    def again() -> None:
        silent = Tally(StepLog(None))
        stepper.steps = 0
        steady = _steady_state(model, backend, options, prepared.ledger, silent)
        _Years(model, stepper, variant, silent, steady).run()

    readings = readings_of(comm, backend, window, options.run.energy_seconds, prepared.ledger, again)
    return Outcome(results, reasons | why, mean, late, notes), readings


def _steady_state(
    model: EarthModel, backend: Backend, options: HeatAppOptions, ledger: Ledger, tally: Tally
) -> NDArray[np.float64]:
    """Solve div(D grad T) - B T = A - mean absorbed sunlight: the mean of the climate's year (collective)."""
    space = Space(model.grid.comm, backend, model.grid.shape, ghost_layers(options), ledger)
    solver = RefinementSolver(
        Diffusion(model.grid, space, model.coefficients, get_format("fp64")), refinement_options(options)
    )
    solver.right_hand_side.set(model.mean_source())
    solver.solution.set(model.initial())
    tally.add(0, 0.0, solver.solve(), phase="steady state")
    return solver.solution.to_numpy()


class _Years:
    """Repeats the year until the annual global mean no longer changes, or for as many years as asked."""

    def __init__(
        self,
        model: EarthModel,
        stepper: Stepper,
        variant: Variant,
        tally: Tally,
        steady: NDArray[np.float64],
        saving: Checkpoints | None = None,
    ) -> None:
        self.options = options = variant.options
        self.comm, self.model, self.stepper = model.grid.comm, model, stepper
        self.saving, self._done = saving, 0
        self._monthly, self._sum = self._new_year()
        self.tally, self.steady = tally, steady
        self.wanted, self.most = options.earth.years, options.earth.years or options.earth.max_years
        self.tolerance = options.earth.equilibrium_k
        self.year, self.settled, self.change = 0, False, float("nan")
        self._mean = float("nan")
        steps, label = self.wanted * STEPS_PER_YEAR, f"{variant.label}: step"
        self._progress = Progress(self.comm.rank == 0, steps, label, options.run.log_seconds)
        stepper.set_state(steady)

    def _new_year(self) -> tuple[MonthlyMeans, NDArray[np.float64]]:
        """Return what a year's monthly means and its mean are added up in."""
        return MonthlyMeans(self.model.grid.shape, STEPS_PER_YEAR), np.zeros(self.model.grid.shape)

    def saved(self) -> State:
        """Return what the next step depends on."""
        arrays, numbers = self.stepper.saved()
        arrays |= {"steady": self.steady, "sum": self._sum}
        arrays |= {f"month_{place:02d}": month for place, month in enumerate(self._monthly.months)}
        counts = {"year": self.year, "done": self._done, "change": self.change, "mean": self._mean}
        saved = {"problem": problem_of(self.options), "stepper": numbers, "tally": self.tally.saved()}
        return arrays, saved | {"years": counts}

    def restore(self, arrays: Mapping[str, NDArray[np.float64]], numbers: Mapping[str, Any]) -> None:
        """Go on from what `saved` returned."""
        self.stepper.restore(arrays, numbers["stepper"])
        self.tally.restore(numbers["tally"])
        counts = numbers["years"]
        self.year, self._done = int(counts["year"]), int(counts["done"])
        self.change, self._mean = float(counts["change"]), float(counts["mean"])
        self._sum = arrays["sum"]
        for place, month in enumerate(self._monthly.months):
            month[...] = arrays[f"month_{place:02d}"]

    def run(self) -> NDArray[np.float64]:
        """Return the monthly means of the last year, local, shape (12, rows, columns)."""
        months = np.zeros((12, *self.model.grid.shape))
        while self.year < self.most and not self.settled and not self.tally.failed:
            months, mean = self._one_year()
            self.year += 1
            new_mean = total(self.comm, mean * self.model.weights)
            self.change, self._mean = abs(new_mean - self._mean), new_mean
            self.settled = self.change < self.tolerance
            if not self.settled and not self.wanted and self.year < self.most:
                self.stepper.set_state(self.stepper.state() + MEAN_CORRECTION * (self.steady - mean))
        self._progress.close()
        return months

    def results(self) -> dict[str, Any]:
        """Return how long it took and whether the year repeats itself."""
        return {
            "years": self.year,
            "equilibrium": self.settled,
            "steps": self.stepper.steps,
            "last_change_k": self.change,
        }

    def _one_year(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Step through a year; return its monthly means and the mean of its states."""
        while self._done < STEPS_PER_YEAR:
            report = self.stepper.advance()
            assert report.result is not None
            self.tally.add(self.stepper.steps, self.stepper.time, report.result)
            if self.tally.failed:
                break
            state = self.stepper.state()
            self._monthly.add(self.stepper.steps, state)
            self._sum += state / STEPS_PER_YEAR
            self._done += 1
            if self.saving is not None:
                self.saving.after(self.stepper.steps, self.saved)
            self._progress.update(self.stepper.steps, f"year {self.year + 1}, last change {self.change:.1e} K")
        months, mean = self._monthly.months, self._sum
        (self._monthly, self._sum), self._done = self._new_year(), 0
        return months, mean


def _publish(record: RunRecord, model: EarthModel, months: NDArray, options: HeatAppOptions) -> dict[str, Any]:
    """Gather the months on rank 0, write fields and pictures there, and return the summary (collective)."""
    gathered = [model.grid.gather(month) for month in months]

    def write() -> dict[str, Any]:
        whole = model.sphere.with_single_poles(np.array(gathered))
        if options.run.fields:
            write_fields(record.fields_path, _fields(model, whole), {"app": "heat", "model": "earth"})
        if options.run.pictures:
            _draw(record, model, whole)
        return summary(whole, model.sphere)

    return agree(model.grid.comm, write)


def _fields(model: EarthModel, months: NDArray) -> dict[str, Any]:
    place, unit = ("lat", "lon"), model.unit
    zonal = zonal_mean(months)
    return {
        "annual_mean": (annual_mean(months), unit, {"dimensions": place, "long_name": "annual mean temperature"}),
        "monthly_mean": (months, unit, {"dimensions": ("month", *place), "long_name": "monthly mean temperature"}),
        "zonal_mean": (zonal, unit, {"dimensions": ("month", "lat"), "long_name": "zonal mean seasonal cycle"}),
        "month": (np.arange(1, 13), "1", {"long_name": "month of the year"}),
        "lat": (model.sphere.lat, "degrees_north", {"long_name": "latitude"}),
        "lon": (model.sphere.lon, "degrees_east", {"long_name": "longitude"}),
    }


def _draw(record: RunRecord, model: EarthModel, months: NDArray) -> None:
    """Draw the annual mean, the seasonal range and the zonal cycle, if matplotlib is installed."""
    from importlib.util import find_spec

    if find_spec("matplotlib") is None:
        return
    from mpsolve.models.earth.map_picture import draw_map, draw_seasonal_cycle

    folder, sphere, surface = record.directory, model.sphere, model.surface
    draw_map(folder / "annual_mean.png", annual_mean(months), sphere, surface, "Annual mean surface temperature")
    draw_map(
        folder / "seasonal_range.png", seasonal_range(months), sphere, surface,
        "Warmest minus coldest month", label="range (K)",
    )  # fmt: skip
    draw_seasonal_cycle(folder / "zonal_cycle.png", zonal_mean(months), sphere, "Zonal mean seasonal cycle")
