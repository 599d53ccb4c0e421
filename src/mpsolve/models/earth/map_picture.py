"""Pictures of a climate: the map of a temperature or of its seasonal range, and the zonal mean seasonal cycle."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from mpsolve.errors import BackendUnavailable, FileError
from mpsolve.models.earth.climatology import MONTHS
from mpsolve.models.earth.grid import SphereGrid
from mpsolve.models.earth.surface import Surface

LEVEL_STEP_C = 5.0
SIGNED_COLOURS, POSITIVE_COLOURS = "RdYlBu_r", "YlOrRd"
COAST_COLOUR = "0.15"
# A coast drawn from more columns than this cannot be told apart on the page and takes seconds to trace.
COAST_COLUMNS = 1440


def draw_map(
    path: str | Path,
    field: np.ndarray,
    grid: SphereGrid,
    surface: Surface | None = None,
    title: str = "",
    label: str = "surface temperature (°C)",
) -> Path:
    """Draw a map of a temperature with the coasts, in the format that the suffix of the path names.

    Blue is below freezing and red above; a field without negative values, such as a seasonal range, goes from
    yellow to red.

    Parameters
    ----------
    path : str or Path
        Where to write it, for instance ``annual_mean.png``; its folder exists.
    field : ndarray
        Temperature in degrees C, or a range in K, shape (n, m), global.
    grid : SphereGrid
        Its grid.
    surface : Surface or None
        The map of the surface, on its own grid, whose coasts are drawn.
    title : str
        Written above the map.
    label : str
        Written at the colour bar: what is drawn and its unit.

    Returns
    -------
    Path
        The path written.

    Raises
    ------
    BackendUnavailable
        If matplotlib is not installed.
    FileError
        If the path cannot be written.
    """
    figure = _figure((9.0, 5.1))
    axes = figure.add_subplot()
    field = grid.with_single_poles(field)
    caps = [np.full_like(field[row], field[row].mean()) for row in (0, -1)]
    filled = _contours(axes, *_around(grid.lon, *_to_the_poles(grid.lat, field, caps)))
    if surface is not None:
        _draw_coast(axes, surface)
    axes.set(xlim=(-180, 180), ylim=(-90, 90), aspect="equal", title=title)
    axes.set_xticks(range(-180, 181, 60), [_degrees(value, "WE") for value in range(-180, 181, 60)])
    _latitude_axis(axes.yaxis)
    bar = figure.colorbar(filled, ax=axes, orientation="horizontal", aspect=40, shrink=0.8, pad=0.03)
    bar.set_label(label + _freezing_line_note(field))
    return _save(figure, path)


def draw_seasonal_cycle(path: str | Path, zonal: np.ndarray, grid: SphereGrid, title: str = "") -> Path:
    """Draw the zonal mean seasonal cycle: month against latitude.

    Parameters
    ----------
    path : str or Path
        Where to write it; its folder exists.
    zonal : ndarray
        Zonal mean of each month in degrees C, shape (12, n), January first.
    grid : SphereGrid
        Its grid.
    title : str
        Written above the picture.

    Returns
    -------
    Path
        The path written.

    Raises
    ------
    BackendUnavailable
        If matplotlib is not installed.
    FileError
        If the path cannot be written.
    """
    figure = _figure((7.2, 4.6))
    axes = figure.add_subplot()
    lat, rows = _to_the_poles(grid.lat, zonal.T, [zonal[:, 0], zonal[:, -1]])
    # The turn of the year lies half way between December and January.
    turn = (rows[:, :1] + rows[:, -1:]) / 2
    months = np.concatenate([[0.0], np.arange(12) + 0.5, [12.0]])
    filled = _contours(axes, months, lat, np.concatenate([turn, rows, turn], axis=1), labels=True)
    axes.set(xlim=(0, 12), ylim=(-90, 90), title=title)
    axes.set_xticks(np.arange(12) + 0.5, MONTHS)
    axes.tick_params(axis="x", length=0)
    _latitude_axis(axes.yaxis)
    label = "zonal mean surface temperature (°C)" + _freezing_line_note(zonal)
    figure.colorbar(filled, ax=axes, aspect=30, pad=0.02).set_label(label)
    return _save(figure, path)


def _figure(size: tuple[float, float]) -> Any:
    """Make a figure that needs neither a display nor the global state of pyplot."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise BackendUnavailable("pictures need matplotlib; install it with: pip install 'mpsolve[report]'") from error
    figure = Figure(figsize=size, dpi=200, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _contours(axes: Any, x: np.ndarray, lat: np.ndarray, values: np.ndarray, labels: bool = False) -> Any:
    """Fill between levels of 5 degrees and draw the freezing line, where the colours turn from blue to red."""
    low, high = np.floor(values.min() / LEVEL_STEP_C), np.ceil(values.max() / LEVEL_STEP_C)
    levels = np.arange(low, max(high, low + 1) + 1) * LEVEL_STEP_C
    reach = np.abs(levels).max()
    if levels[0] < 0:
        filled = axes.contourf(x, lat, values, levels=levels, cmap=SIGNED_COLOURS, vmin=-reach, vmax=reach)
    else:
        filled = axes.contourf(x, lat, values, levels=levels, cmap=POSITIVE_COLOURS)
    # Vector formats would show hairlines between the bands without an edge of the same colour.
    filled.set_edgecolor("face")
    if labels:
        lines = axes.contour(x, lat, values, levels=levels[levels != 0], colors="0.3", linewidths=0.4)
        axes.clabel(lines, levels[(levels != 0) & (levels % 10 == 0)], fmt="%d", fontsize=7)
    if values.min() < 0 < values.max():
        axes.contour(x, lat, values, levels=[0.0], colors="black", linewidths=1.0, linestyles="dashed")
    return filled


def _freezing_line_note(values: np.ndarray) -> str:
    """Explain the dashed line, if there is one."""
    return ", dashed: 0 °C" if values.min() < 0 < values.max() else ""


def _around(lon: np.ndarray, lat: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Continue a field by a column on either side, so that the map has no gap at its rim."""
    columns = np.concatenate([lon[-1:] - 360.0, lon, lon[:1] + 360.0])
    return columns, lat, np.concatenate([rows[:, -1:], rows, rows[:, :1]], axis=1)


def _to_the_poles(lat: np.ndarray, rows: np.ndarray, caps: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Add a row at either pole, unless they are there already."""
    if lat[0] == -90.0:
        return lat, rows
    return np.concatenate([[-90.0], lat, [90.0]]), np.concatenate([caps[:1], rows, caps[1:]])


def _draw_coast(axes: Any, surface: Surface) -> None:
    """Draw the contour of half land."""
    stride = max(1, len(surface.lon) // COAST_COLUMNS)
    dry = surface.dry_share()[::stride, ::stride]
    lon, lat, dry = _around(surface.lon[::stride], surface.lat[::stride], dry)
    # A map from 0 to 360 is drawn a second time, one turn to the west; the axes cut off what lies outside.
    for turn in (0.0, -360.0) if lon[-2] > 180.0 else (0.0,):
        axes.contour(lon + turn, lat, dry, levels=[0.5], colors=COAST_COLOUR, linewidths=0.6)


def _latitude_axis(axis: Any) -> None:
    """Label latitudes every 30 degrees."""
    axis.set_ticks(range(-90, 91, 30), [_degrees(value, "SN") for value in range(-90, 91, 30)])


def _degrees(value: int, sides: str) -> str:
    """Write a coordinate: 60 with sides "WE" is 60°E."""
    side = sides[value > 0] if value % 180 else ""
    return f"{abs(value)}°{side}"


def _save(figure: Any, path: str | Path) -> Path:
    """Write a figure to a temporary file and rename it, so that no half-written picture is left."""
    path = Path(path)
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        figure.savefig(temporary, format=path.suffix.lstrip(".") or "png")
        temporary.replace(path)
    except (OSError, ValueError) as error:
        temporary.unlink(missing_ok=True)
        reason = str(error).splitlines()[0]
        raise FileError(f"{path}: cannot be written ({reason}); allowed: a writable path ending in .png") from error
    return path
