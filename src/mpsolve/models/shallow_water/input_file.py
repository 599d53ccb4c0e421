"""Ground and initial state of a shallow-water run from HDF5 or NetCDF-4 files with CF names; local, for one rank."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mpsolve.errors import HDF5_DAMAGE, FileError
from mpsolve.hdf5_reading import open_to_read
from mpsolve.models.shallow_water.geometry import Array, Geometry

#: What a variable may be called: CF standard names, then plain names.
GROUND = ("surface_altitude", "bedrock_altitude", "ground_level_altitude", "bottom", "topography", "orography")
HEIGHT = ("sea_surface_height_above_geoid", "sea_surface_height", "height")
EASTWARD = ("eastward_wind", "eastward_sea_water_velocity", "x_wind", "u")
NORTHWARD = ("northward_wind", "northward_sea_water_velocity", "y_wind", "v")
UNITS = {"m": ("m", "metre", "meter", "metres", "meters"), "m s-1": ("m s-1", "m/s", "m s**-1", "metre second-1")}
DEGREES = ("degrees_north", "degrees_east", "degree_north", "degree_east", "degrees", "degree")
ROWS = ("latitude", "lat", "projection_y_coordinate", "y")
COLUMNS = ("longitude", "lon", "projection_x_coordinate", "x")
#: Coordinates in a file may be off by this part of a cell.
TOLERANCE = 0.05


def read_ground(path: Path, geometry: Geometry) -> Array:
    """Return the height of the ground in m on the cells of a grid.

    Raises
    ------
    FileError
        If there is no such file or variable, or its unit, shape or coordinates are not those of the grid.
    """
    return _read(path, geometry, [(GROUND, "m")])[0]


def read_state(path: Path, geometry: Geometry) -> tuple[Array, Array, Array]:
    """Return height of the surface in m and eastward and northward velocity in m/s at the centres of the cells.

    Raises
    ------
    FileError
        As `read_ground`.
    """
    height, east, north = _read(path, geometry, [(HEIGHT, "m"), (EASTWARD, "m s-1"), (NORTHWARD, "m s-1")])
    return height, east, north


def _read(path: Path, geometry: Geometry, wanted: Sequence[tuple[Sequence[str], str]]) -> list[Array]:
    if not path.is_file():
        raise FileError(f"{path}: {'not a file' if path.exists() else 'no such file'}; give an HDF5 or NetCDF-4 file")

    try:
        with open_to_read(path) as file:
            axes = [_named(file, names) for names in (ROWS, COLUMNS)]
            flip, turn = _orientation(path, file, geometry)
            found = [_variable(path, file, names, unit, geometry, axes) for names, unit in wanted]
    except FileError:
        raise
    except HDF5_DAMAGE as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FileError(
            f"{path}: cannot be read as HDF5 ({reason}); NetCDF-3 files are not: convert with nccopy"
        ) from None
    return [np.roll(values[::-1] if flip else values, -turn, axis=1) for values in found]


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _named(file: Any, names: Sequence[str]) -> Any:
    """Return the first dataset with one of the names, as standard name or as its own; None if there is none."""
    import h5py

    datasets = {key: file[key] for key in file if isinstance(file[key], h5py.Dataset)}
    for name in names:
        for key, dataset in datasets.items():
            if _text(dataset.attrs.get("standard_name", "")) == name or key == name:
                return dataset
    return None


def _variable(path: Path, file: Any, names: Sequence[str], unit: str, geometry: Geometry, axes: Sequence[Any]) -> Array:
    dataset = _named(file, names)
    if dataset is None:
        raise FileError(
            f"{path}: has no variable with standard name or name {', '.join(names)}; it has {', '.join(file)}"
        )
    name, given = dataset.name.lstrip("/"), _text(dataset.attrs.get("units", ""))
    if given not in UNITS[unit]:
        raise FileError(f"{path}: {name!r} has units {given!r}; it must be in {unit}")
    shape = tuple(size for size in dataset.shape if size != 1)
    if shape != geometry.shape:
        raise FileError(f"{path}: {name!r} has shape {dataset.shape}; the grid has {geometry.shape} rows and columns")
    if dataset.dtype.kind not in "fiu":
        raise FileError(f"{path}: {name!r} holds {dataset.dtype}; it must hold numbers")
    _check_places(path, dataset, axes)
    values = _unpacked(dataset).reshape(geometry.shape)
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        raise FileError(f"{path}: {name!r} has no number in row {bad[0][0]}, column {bad[0][1]} (counted from 0)")
    return values


def _check_places(path: Path, dataset: Any, axes: Sequence[Any]) -> None:
    """Refuse a variable whose own coordinates, where it says which they are, are not the rows and columns found."""
    own = [dimension for size, dimension in zip(dataset.shape, dataset.dims, strict=True) if size != 1]
    for what, dimension, axis in zip(("rows", "columns"), own, axes, strict=True):
        places = [scale.name for scale in dimension.values() if scale.shape]
        if places and axis is not None and axis.name not in places:
            raise FileError(
                f"{path}: the {what} of {dataset.name.lstrip('/')!r} lie at {places[0].lstrip('/')!r}; they must lie "
                f"at {axis.name.lstrip('/')!r}, at the centres of the cells"
            )


def _unpacked(dataset: Any) -> Array:
    """Return the numbers of a variable, scaled and offset as its attributes say; NaN where they are missing."""

    def attribute(key: str) -> float:
        return float(np.ravel(dataset.attrs[key])[0])

    values = np.asarray(dataset[()], np.float64)
    missing = [values == attribute(key) for key in ("_FillValue", "missing_value") if key in dataset.attrs]
    if "scale_factor" in dataset.attrs:
        values = values * attribute("scale_factor")
    if "add_offset" in dataset.attrs:
        values = values + attribute("add_offset")
    return np.where(np.logical_or.reduce(missing), np.nan, values) if missing else values


def _orientation(path: Path, file: Any, geometry: Geometry) -> tuple[bool, int]:
    """Return whether rows run from north to south, and how many columns come before the grid's first one."""
    rows = _axis(path, file, ROWS, geometry.y, geometry.sphere)
    columns = _axis(path, file, COLUMNS, geometry.x, geometry.sphere)
    flip = bool(len(rows) > 1 and rows[1] < rows[0])
    _check(path, "rows", rows[::-1] if flip else rows, geometry.y)
    turn = 0
    if geometry.sphere:
        around = 2 * np.pi
        turn = int(np.argmin(np.abs(np.mod(columns - geometry.x[0] + np.pi, around) - np.pi)))
        columns = geometry.x[0] + np.mod(np.roll(columns, -turn) - geometry.x[0] + 1e-9, around) - 1e-9
    _check(path, "columns", columns, geometry.x)
    return flip, turn


def _axis(path: Path, file: Any, names: Sequence[str], wanted: Array, angles: bool) -> Array:
    dataset = _named(file, names)
    if dataset is None:
        raise FileError(f"{path}: has no coordinate {' or '.join(names[:2])}; it has {', '.join(file)}")
    name, unit = dataset.name.lstrip("/"), _text(dataset.attrs.get("units", ""))
    if (unit not in DEGREES) if angles else (unit not in UNITS["m"]):
        raise FileError(f"{path}: {name!r} has units {unit!r}; it must be in {'degrees' if angles else 'm'}")
    if dataset.shape != wanted.shape:
        raise FileError(f"{path}: {name!r} has shape {dataset.shape}; the grid has {wanted.shape}")
    values = np.asarray(dataset[()], np.float64)
    return np.radians(values) if angles else values


def _check(path: Path, what: str, given: Array, wanted: Array) -> None:
    width = abs(wanted[1] - wanted[0])
    off = np.abs(given - wanted)
    if not np.all(off <= TOLERANCE * width):
        place = int(np.argmax(off > TOLERANCE * width))
        raise FileError(
            f"{path}: the {what} are not those of the grid: number {place} is at {given[place]:.6g}, the grid's at "
            f"{wanted[place]:.6g} (rad or m); interpolate the file to the grid, or choose climate.shape"
        )
