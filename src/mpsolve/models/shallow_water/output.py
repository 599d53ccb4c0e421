"""What a run leaves in fields.h5: names, units and coordinates of the CF conventions."""

from __future__ import annotations

from typing import Any

import numpy as np

from mpsolve.models.shallow_water.geometry import Array, Geometry


def fields_of(geometry: Geometry, state: tuple[Array, ...], ground: Array | None) -> dict[str, Any]:
    """Return the entries of `write_fields` for height, velocities and vorticity, each where the grid has it.

    Parameters
    ----------
    geometry : Geometry
        The grid.
    state : tuple of ndarray
        Height of the surface, eastward and northward velocity, relative vorticity; global.
    ground : ndarray or None
        Height of the ground.
    """
    y, x = ("lat", "lon") if geometry.sphere else ("y", "x")
    entries = {
        "height": (state[0], "m", (y, x), "sea_surface_height_above_geoid", "height of the free surface"),
        "u": (state[1], "m s-1", (y, f"{x}_edge"), "eastward_sea_water_velocity", "velocity along the row"),
        "v": (state[2], "m s-1", (f"{y}_edge", x), "northward_sea_water_velocity", "velocity across the row"),
        "vorticity": (
            state[3], "s-1", (f"{y}_edge", f"{x}_edge"), "atmosphere_relative_vorticity", "relative vorticity",
        ),
    }  # fmt: skip
    if ground is not None:
        entries["bottom"] = (ground, "m", (y, x), "ground_level_altitude", "height of the ground")
    fields: dict[str, Any] = {
        name: (values, unit, {"dimensions": place, "standard_name": standard, "long_name": long_name})
        for name, (values, unit, place, standard, long_name) in entries.items()
    }
    unit = {y: "degrees_north", x: "degrees_east"} if geometry.sphere else {y: "m", x: "m"}
    places = {y: geometry.y, f"{y}_edge": geometry.y_edge[:-1], x: geometry.x, f"{x}_edge": geometry.x_edge}
    for name, values in places.items():
        axis = name.removesuffix("_edge")
        standard = {"lat": "latitude", "lon": "longitude"}.get(axis, f"projection_{axis}_coordinate")
        shown = np.degrees(values) if geometry.sphere else values
        fields[name] = (shown, unit[axis], {"standard_name": standard, "long_name": standard.replace("_", " ")})
    return fields
