"""The plane of a field that a picture shows: values, axes, units and colours."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mpsolve.compare import colours
from mpsolve.records.fields import list_fields, read_fields, read_plane

# A picture has no more pixels than this along an axis, so larger fields are drawn from every n-th value.
MOST_PIXELS = 2048

# CF names of units and how people write them.
SYMBOLS = {"degrees_C": "°C", "degrees_north": "°N", "degrees_east": "°E", "degrees": "°", "": "1"}

# One side of 0 must reach this share of the other for 0 to be worth the middle of the colours.
BALANCE = 0.2


@dataclass(frozen=True)
class Axis:
    """One axis of a picture: the coordinates of the cell edges, increasing or decreasing, and the label."""

    edges: np.ndarray
    label: str
    units: str


@dataclass(frozen=True)
class Plane:
    """A plane of a field, ready to be drawn.

    Parameters
    ----------
    values : ndarray
        Rows along `y`, columns along `x`; values that are not finite are NaN.
    x, y : Axis
        The axes.
    title, bar_label : str
        What is shown, and its quantity with unit.
    """

    values: np.ndarray
    x: Axis
    y: Axis
    title: str
    bar_label: str

    def mesh(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the edges along x and y."""
        return self.x.edges, self.y.edges

    def colours(self) -> dict[str, Any]:
        """Return colour map and limits: symmetric about 0 where the values lie well on both sides."""
        low, high = float(np.nanmin(self.values)), float(np.nanmax(self.values))
        if low < 0 < high and min(-low, high) > BALANCE * max(-low, high):
            return {"cmap": colours.DIVERGING, "vmin": -max(-low, high), "vmax": max(-low, high)}
        return {"cmap": colours.SEQUENTIAL, "vmin": low, "vmax": high}

    def equal_scales(self) -> bool:
        """Return whether a unit along x should look as long as one along y."""
        return _kind(self.x.units) == _kind(self.y.units) and 1 / 4 <= self._height_by_width() <= 4

    def figure_size(self) -> tuple[float, float]:
        """Return width and height in inches that suit the shape of the plane."""
        ratio = min(max(self._height_by_width(), 0.4), 1.2) if self.equal_scales() else 0.7
        return 8.0, 8.0 * 0.82 * ratio + 1.3

    def _height_by_width(self) -> float:
        return float(abs(self.y.edges[-1] - self.y.edges[0]) / abs(self.x.edges[-1] - self.x.edges[0]))


def load(path: Path) -> Plane | None:
    """Read the plane to show from a ``fields.h5``.

    Returns
    -------
    Plane or None
        The first field with two dimensions, else the middle plane of the first with three; None without either or
        without a finite value in it.

    Raises
    ------
    FileError
        If the file is damaged.
    """
    listing = list_fields(path)
    candidates = [name for size in (2, 3) for name, entry in listing.items() if len(entry[0]) == size]
    candidates = [name for name in candidates if 0 not in listing[name][0]]
    if not candidates:
        return None
    array, units, attributes = read_plane(path, candidates[0])
    rows, columns = (max(1, -(-extent // MOST_PIXELS)) for extent in array.shape)
    values = array[::rows, ::columns].astype(np.float64)
    values[~np.isfinite(values)] = np.nan
    if np.isnan(values).all():
        return None
    names = attributes["dimensions"]
    y, x = (
        _axis(path, name, extent, step) for name, extent, step in zip(names, array.shape, (rows, columns), strict=True)
    )
    title = str(attributes.get("long_name", candidates[0]))
    plane = f" ({attributes['plane']})" if attributes["plane"] else ""
    return Plane(values, x, y, title + plane, f"{candidates[0]} [{SYMBOLS.get(units, units)}]")


def _axis(path: Path, name: str, extent: int, step: int) -> Axis:
    """The edges of cells around coordinates; cell numbers where the field names none."""
    centres, units, label = np.arange(extent, dtype=np.float64) + 0.5, "", name or "cell"
    if name in list_fields(path):
        fields, _ = read_fields(path, [name])
        array, units, attributes = fields[name]
        centres, label = array.astype(np.float64), str(attributes.get("long_name", name))
    centres = centres[::step]
    if len(centres) == 1:
        edges = centres[0] + np.array([-0.5, 0.5])
    else:
        middle = (centres[1:] + centres[:-1]) / 2
        edges = np.concatenate([[1.5 * centres[0] - centres[1] / 2], middle, [1.5 * centres[-1] - centres[-2] / 2]])
    if units == "degrees_north":
        # The cells of a grid with nodes at the poles end there.
        edges = np.clip(edges, -90.0, 90.0)
    return Axis(edges, f"{label} [{SYMBOLS.get(units, units)}]" if units else label, units)


def _kind(units: str) -> str:
    """Degrees east and degrees north are drawn to one scale."""
    return "degrees" if units.startswith("degree") else units
