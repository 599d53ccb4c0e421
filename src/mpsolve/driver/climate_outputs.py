"""What a shallow-water run leaves beside its record: fields, pictures, an animation."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np

from mpsolve.driver.options import RunOptions
from mpsolve.errors import ConfigError
from mpsolve.models.shallow_water import diagnostics
from mpsolve.models.shallow_water.animation import Film
from mpsolve.models.shallow_water.model import ShallowWaterModel
from mpsolve.models.shallow_water.stepping import Core
from mpsolve.parallel.launch import agree
from mpsolve.records.run import RunRecord


def leave(
    record: RunRecord, model: ShallowWaterModel, core: Core, chosen: RunOptions, film: Film | None, *, good: bool
) -> None:
    """Write and draw what the options ask for; no pictures of a run that failed (collective)."""
    if chosen.fields:
        _write(record, model, core)
    if chosen.pictures and good and find_spec("matplotlib") is not None:
        _draw(record, model, core)
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


def _draw(record: RunRecord, model: ShallowWaterModel, core: Core) -> None:
    """Draw height and vorticity on rank 0 (collective)."""
    answer = model.answer(core.steps * core.method.dt_s)
    truth = None if answer is None else model.grid.gather(np.ascontiguousarray(answer))
    height, spin = model.grid.gather(core.height()), model.grid.gather(diagnostics.vorticity(core))
    if height is None or spin is None:
        return
    from mpsolve.models.shallow_water.picture import draw

    draw(record.directory, model.problem.geometry, height, spin, truth)
