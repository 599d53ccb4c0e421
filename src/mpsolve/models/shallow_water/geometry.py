"""One-dimensional orthogonal metrics of a plane, a channel and the sphere: all that the kernels know of the place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Geometry:
    """A grid of rows along x or longitude, periodic there; global arrays, FP64.

    Attributes
    ----------
    periodic : bool
        Whether the last row is next to the first one; otherwise a wall or a pole bounds each.
    dy_m : float
        Height of a row.
    dx_m : ndarray, rows
        Length of a cell along its row.
    edge_m : ndarray, rows + 1
        Length of the face south of each row, and of the last one's north face; 0 at a pole.
    y, y_edge : ndarray
        Middle and south edge of each row: latitude in rad on a sphere, else metres.
    x, x_edge : ndarray, columns
        Middle and west edge of each column: longitude in rad on a sphere, else metres.
    coriolis : tuple of ndarray
        a and b (rows + 1) and c (columns) of ``f = a + b c`` at the corners, 1/s.
    sphere : bool
        Whether coordinates are angles.
    """

    periodic: bool
    dy_m: float
    dx_m: Array
    edge_m: Array
    y: Array
    y_edge: Array
    x: Array
    x_edge: Array
    coriolis: tuple[Array, Array, Array]
    sphere: bool

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.y), len(self.x)

    @property
    def area_m2(self) -> Array:
        """Area of a cell of each row."""
        return self.dx_m * self.dy_m

    @property
    def open(self) -> Array:
        """1 for faces south of a row that water may cross, 0 for walls and poles; rows + 1."""
        values = np.ones(len(self.edge_m))
        if not self.periodic:
            values[0] = values[-1] = 0.0
        return values

    @property
    def inverse_corner_area(self) -> Array:
        """1 over the area around the corners south of each row, 0 on walls and poles; rows + 1."""
        crossed = self.open > 0
        return np.where(crossed, 1.0 / np.where(crossed, self.edge_m * self.dy_m, 1.0), 0.0)


def plane(
    shape: tuple[int, int], lengths_m: tuple[float, float], coriolis_per_s: float, beta_per_m_s: float, walls: bool
) -> Geometry:
    """Return a rectangle: doubly periodic, or a channel with walls in the south and the north.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns.
    lengths_m : tuple of float
        Extent along y and x.
    coriolis_per_s, beta_per_m_s : float
        f in the middle and its gradient along y.
    walls : bool
        Whether rows end at walls.
    """
    rows, columns = shape
    dy, dx = lengths_m[0] / rows, lengths_m[1] / columns
    y_edge, x_edge = np.arange(rows + 1) * dy, np.arange(columns) * dx
    f = coriolis_per_s + beta_per_m_s * (y_edge - lengths_m[0] / 2)
    return Geometry(
        not walls, dy, np.full(rows, dx), np.full(rows + 1, dx), y_edge[:-1] + dy / 2, y_edge, x_edge + dx / 2, x_edge,
        (f, np.zeros(rows + 1), np.zeros(columns)), False,
    )  # fmt: skip


def sphere(
    shape: tuple[int, int],
    radius_m: float,
    rotation_per_s: float,
    angle_rad: float = 0.0,
    latitudes_rad: tuple[float, float] = (-np.pi / 2, np.pi / 2),
) -> Geometry:
    """Return a grid of latitudes and longitudes; v lies on the poles, where its faces have no length.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns.
    radius_m, rotation_per_s : float
        Of the planet.
    angle_rad : float
        Angle between the axis of rotation and that of the grid, as in the tests of Williamson et al. (J. Comput. Phys.
        102, 1992).
    latitudes_rad : tuple of float
        Southern and northern end; short of the poles, these are walls.
    """
    rows, columns = shape
    south, north = latitudes_rad
    step, turn = (north - south) / rows, 2 * np.pi / columns
    y_edge, x_edge = south + np.arange(rows + 1) * step, np.arange(columns) * turn
    y = y_edge[:-1] + step / 2
    edge = radius_m * turn * np.cos(y_edge)
    # The cosine of pi / 2 is not zero in FP64.
    edge = np.where(np.abs(np.abs(y_edge) - np.pi / 2) < 1e-12, 0.0, edge)
    f = 2 * rotation_per_s
    coriolis = (f * np.sin(y_edge) * np.cos(angle_rad), -f * np.cos(y_edge) * np.sin(angle_rad), np.cos(x_edge))
    return Geometry(
        False, radius_m * step, radius_m * turn * np.cos(y), edge, y, y_edge, x_edge + turn / 2, x_edge, coriolis, True
    )
