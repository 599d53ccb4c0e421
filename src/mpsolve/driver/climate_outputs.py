"""What a shallow-water run leaves beside its record: fields, pictures, an animation."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpsolve.driver.climate_options import ClimateAppOptions
from mpsolve.errors import ConfigError
from mpsolve.models.shallow_water import diagnostics
from mpsolve.models.shallow_water.animation import Film
from mpsolve.models.shallow_water.model import ShallowWaterModel
from mpsolve.models.shallow_water.problems.base import DAY_S
from mpsolve.models.shallow_water.stepping import Core
from mpsolve.parallel.launch import agree
from mpsolve.records.run import RunRecord


def leave(
    record: RunRecord,
    model: ShallowWaterModel,
    core: Core,
    options: ClimateAppOptions,
    film: Film | None,
    exact: NDArray[np.float64] | None,
    *,
    good: bool,
) -> None:
    """Write and draw what the options ask for; no pictures of a run that failed (collective).

    Parameters
    ----------
    record : RunRecord
        Of the run; its folder takes the files.
    model, core : ShallowWaterModel, Core
        At the end of the run.
    options : ClimateAppOptions
        Of the run.
    film : Film or None
        What an animation shows.
    exact : ndarray or None
        The height of the FP64 run of the same sweep, local block.
    good : bool
        Whether the run got to its end.
    """  # fmt: skip
    if options.run.fields:
        _write(record, model, core)
    if options.run.pictures and good and find_spec("matplotlib") is not None:
        _draw(record, model, core, options, exact)
    if film is not None and film.frames:
        from mpsolve.models.shallow_water.picture import animate

        animate(record.directory / "height.gif", model.problem.geometry, film)


def check_animation(wanted: bool) -> None:
    """Refuse an animation that could not be written at the end.

    Raises
    ------
    ConfigError
        If matplotlib or Pillow is not installed.
    """
    missing = [name for name in ("matplotlib", "PIL") if wanted and find_spec(name) is None]
    if missing:
        raise ConfigError(f"climate.animation = true needs {' and '.join(missing)}: pip install 'mpsolve[report]'")


def _write(record: RunRecord, model: ShallowWaterModel, core: Core) -> None:
    """Gather the fields on rank 0 and write them with CF attributes (collective)."""
    from mpsolve.models.shallow_water.output import fields_of
    from mpsolve.records.fields import write_fields

    state = (core.height(), *(field.to_numpy() for field in core.state[1:]))
    whole = [model.grid.gather(values) for values in state]
    spin = model.grid.gather(diagnostics.vorticity(core))
    ground = None if model.bottom is None else model.grid.gather(np.ascontiguousarray(model.bottom))
    attributes = {"app": "climate", "Conventions": "CF-1.8", "time_s": core.steps * core.method.dt_s}

    def write() -> None:
        entries: tuple[Any, ...] = (*whole, spin)
        write_fields(record.fields_path, fields_of(model.problem.geometry, entries, ground), attributes)

    agree(model.grid.comm, write)


def _draw(
    record: RunRecord, model: ShallowWaterModel, core: Core, options: ClimateAppOptions, exact: NDArray | None
) -> None:
    """Draw the maps on rank 0 (collective)."""

    def whole(values: NDArray | None) -> NDArray | None:
        return None if values is None else model.grid.gather(np.ascontiguousarray(values))

    time_s, chosen = core.steps * core.method.dt_s, options.precision
    height, spin = whole(core.height()), whole(diagnostics.vorticity(core))
    truth, ground = whole(model.answer(time_s)), whole(model.bottom)
    exact = None if options.is_fp64 else whole(exact)
    if height is None or spin is None:
        return
    from mpsolve.models.shallow_water.picture import Shown, draw

    formats = chosen.inner if chosen.state == "fp64" else f"{chosen.inner} on {chosen.state}"
    about = f"{options.climate.problem}, day {time_s / DAY_S:.4g}, {formats}"
    draw(record.directory, model.problem.geometry, Shown(height, spin, about, truth, exact, ground))
