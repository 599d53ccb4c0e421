"""What a climate scientist asks of a year of temperatures: means, seasons, and the hottest and coldest places."""

import math
from dataclasses import dataclass

import numpy as np

from mpsolve.errors import ShapeError
from mpsolve.models.earth.grid import SphereGrid

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DAYS = (31, 28.2422, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)  # of the tropical year of 365.2422 days
# The vernal equinox, where the model's year starts: 20 March, about 15 h UT in the mean of a leap cycle.
EQUINOX_DAY = 31 + 28.2422 + 19.63  # days since 1 January, 0 h


@dataclass(frozen=True)
class Place:
    """A temperature with its place and, unless it is of the annual mean, its month."""

    temperature_c: float
    lat: float
    lon: float
    month: str = ""

    def __str__(self) -> str:
        """Write it as a climate scientist would, for instance ``-41.2 C at 67.5 N 133.6 E in Jan``."""
        north, east = "NS"[self.lat < 0], "EW"[self.lon < 0]
        where = f"{abs(self.lat):.1f} {north} {abs(self.lon):.1f} {east}"
        if abs(self.lat) == 90.0:
            where = "the North Pole" if self.lat > 0 else "the South Pole"
        return f"{self.temperature_c:.1f} C at {where}" + (f" in {self.month}" if self.month else "")


def month_weights(steps: int = 48) -> np.ndarray:
    """Return the weights that turn the steps of a year into calendar months.

    The state at step k stands for the time from half a step before to half a step after k / steps of a year since
    the vernal equinox.

    Parameters
    ----------
    steps : int
        Time steps a year, at least 1.

    Returns
    -------
    ndarray
        Shape (12, steps), January first; each row sums to 1.
    """
    year = sum(DAYS)
    starts = (np.concatenate([[0.0], np.cumsum(DAYS)]) - EQUINOX_DAY) / year
    edges = (np.arange(-steps, 2 * steps + 1) - 0.5) / steps
    lower = np.maximum(edges[:-1], starts[:-1, None])
    upper = np.minimum(edges[1:], starts[1:, None])
    overlap = np.maximum(upper - lower, 0.0).reshape(12, 3, steps).sum(axis=1)
    return overlap / overlap.sum(axis=1, keepdims=True)


class MonthlyMeans:
    """Monthly means gathered step by step, so that the states of a year need not be kept.

    Parameters
    ----------
    shape : tuple of int
        Shape of the field, local or global.
    steps : int
        Time steps a year.
    """

    def __init__(self, shape: tuple[int, ...], steps: int = 48):
        self.weights = month_weights(steps)
        self.months = np.zeros((12, *shape))

    def add(self, step: int, field: np.ndarray) -> None:
        """Add the state at one step of the year; each step of the year has to be added once.

        Parameters
        ----------
        step : int
            Steps since the vernal equinox; the state after the last step of a year is step 0 of the next.
        field : ndarray
            Temperature in degrees C, of the shape given at the start.
        """
        for month, weight in enumerate(self.weights[:, step % self.weights.shape[1]]):
            if weight > 0.0:
                self.months[month] += weight * field


def monthly_means(fields: np.ndarray) -> np.ndarray:
    """Average the states of a year to calendar months.

    Parameters
    ----------
    fields : ndarray
        Shape (steps, n, m); state k at the time k / steps of a year since the vernal equinox.

    Returns
    -------
    ndarray
        New array, shape (12, n, m), January first.
    """
    means = MonthlyMeans(fields.shape[1:], len(fields))
    for step, field in enumerate(fields):
        means.add(step, field)
    return means.months


def annual_mean(months: np.ndarray) -> np.ndarray:
    """Average calendar months to the year by their length in days.

    Parameters
    ----------
    months : ndarray
        Shape (12, ...).

    Returns
    -------
    ndarray
        New array, shape (...).
    """
    return np.average(months, axis=0, weights=DAYS)


def global_mean(field: np.ndarray, weights: np.ndarray) -> float:
    """Average one field over the sphere by area.

    Parameters
    ----------
    field : ndarray
        Shape (n, m).
    weights : ndarray
        Share of the sphere of one cell of each row, shape (n,), see `SphereGrid.weights`.

    Returns
    -------
    float
        The mean; exact products and sums rounded once, so that it does not depend on the order.

    Raises
    ------
    ShapeError
        If the shapes do not fit.
    """
    if field.ndim != 2 or len(weights) != len(field):
        raise ShapeError(f"a field of shape {field.shape} does not fit {len(weights)} weights; allowed: one per row")
    return math.fsum((field * weights[:, None]).ravel())


def zonal_mean(fields: np.ndarray) -> np.ndarray:
    """Average over longitude: shape (..., n, m) to (..., n); of monthly fields, the zonal mean seasonal cycle."""
    return fields.mean(axis=-1)


def seasonal_range(months: np.ndarray) -> np.ndarray:
    """Return the warmest minus the coldest month of each cell in K: shape (12, n, m) to (n, m)."""
    return months.max(axis=0) - months.min(axis=0)


def hottest(months: np.ndarray, grid: SphereGrid) -> Place:
    """Find the hottest monthly mean: months of shape (12, n, m), global."""
    return _place(months, grid, int(np.argmax(months)))


def coldest(months: np.ndarray, grid: SphereGrid) -> Place:
    """Find the coldest monthly mean: months of shape (12, n, m), global."""
    return _place(months, grid, int(np.argmin(months)))


def _place(months: np.ndarray, grid: SphereGrid, position: int) -> Place:
    """Describe the place at a flat position of the monthly fields."""
    month, row, column = (int(index) for index in np.unravel_index(position, months.shape))
    return Place(float(months[month, row, column]), float(grid.lat[row]), float(grid.lon[column]), MONTHS[month])


def _hemispheric_mean(field: np.ndarray, grid: SphereGrid, side: float) -> float:
    """Average one field over the northern (side 1) or southern (side -1) half of the sphere by area."""
    # A row that the equator cuts counts by the part of it, in sine of latitude, that is on this side.
    edges = np.sort(np.maximum(side * np.sin(grid.lat_edges), 0.0))
    parts = np.diff(edges)[:: int(side)]
    return global_mean(field, parts / len(grid.lon))


def summary(months: np.ndarray, grid: SphereGrid) -> dict[str, float | str]:
    """Summarise a climate in a flat table for a record.

    Parameters
    ----------
    months : ndarray
        Monthly mean temperatures in degrees C, shape (12, n, m), global.
    grid : SphereGrid
        The grid.

    Returns
    -------
    dict
        Global means of the year, January and July, annual means of the two hemispheres (degrees C), the largest
        seasonal range (K) with its place, and the hottest and coldest monthly means with place and month.
    """
    months = grid.with_single_poles(months)
    year, weights, ranges = annual_mean(months), grid.weights, seasonal_range(months)
    row, column = np.unravel_index(int(np.argmax(ranges)), ranges.shape)
    return {
        "global_annual_mean_c": global_mean(year, weights),
        "global_january_mean_c": global_mean(months[0], weights),
        "global_july_mean_c": global_mean(months[6], weights),
        "northern_annual_mean_c": _hemispheric_mean(year, grid, 1.0),
        "southern_annual_mean_c": _hemispheric_mean(year, grid, -1.0),
        "hottest": str(hottest(months, grid)),
        "coldest": str(coldest(months, grid)),
        "largest_seasonal_range_k": float(ranges[row, column]),
        "largest_seasonal_range_lat": float(grid.lat[row]),
        "largest_seasonal_range_lon": float(grid.lon[column]),
    }
