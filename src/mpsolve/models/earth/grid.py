"""Latitude-longitude grids of the sphere, of cell centres or of nodes with both poles, with their cell areas."""

from dataclasses import dataclass

import numpy as np

from mpsolve.errors import ShapeError


@dataclass(frozen=True, eq=False)
class SphereGrid:
    """A regular grid of finite volumes on the unit sphere, rows from south to north, columns from 180 W eastwards.

    Use `SphereGrid.cells` or `SphereGrid.nodes` to make one.

    Parameters
    ----------
    kind : str
        ``"cells"`` or ``"nodes"``.
    lat : ndarray
        Latitude of each row in degrees, shape (n,), ascending. On a grid of nodes the first and last are the poles.
    lon : ndarray
        Longitude of each column in degrees, shape (m,), ascending and evenly spaced.
    lat_edges : ndarray
        Southern and northern edges of the rows in radians, shape (n + 1,), from -pi/2 to pi/2.
    """

    kind: str
    lat: np.ndarray
    lon: np.ndarray
    lat_edges: np.ndarray

    @classmethod
    def cells(cls, n_lat: int, n_lon: int) -> "SphereGrid":
        """Make a grid of cell centres: the first row is half a cell north of the south pole.

        Parameters
        ----------
        n_lat, n_lon : int
            Numbers of rows and columns, at least 2 and 3.

        Returns
        -------
        SphereGrid
            Shape (n_lat, n_lon).

        Examples
        --------
        >>> SphereGrid.cells(4, 8).lat
        array([-67.5, -22.5,  22.5,  67.5])
        """
        _check_size("cells", n_lat, 2, n_lon)
        lat = (np.arange(n_lat) + 0.5) * 180.0 / n_lat - 90.0
        lon = (np.arange(n_lon) + 0.5) * 360.0 / n_lon - 180.0
        return cls("cells", lat, lon, np.deg2rad(np.arange(n_lat + 1) * 180.0 / n_lat - 90.0))

    @classmethod
    def nodes(cls, n_lat: int, n_lon: int) -> "SphereGrid":
        """Make a grid of nodes with both poles: the finite volume of a node reaches half way to its neighbours.

        Each polar row is a cap of half height, cut into `n_lon` sectors. The sectors couple in longitude across
        their meridian sides, so the cap is one place up to the error of the discretisation; its surface and
        source are the same in all sectors.

        Parameters
        ----------
        n_lat, n_lon : int
            Numbers of rows and columns, at least 3 and 3; the published model has 65 and 128.

        Returns
        -------
        SphereGrid
            Shape (n_lat, n_lon).

        Examples
        --------
        >>> SphereGrid.nodes(5, 8).lat
        array([-90., -45.,   0.,  45.,  90.])
        """
        _check_size("nodes", n_lat, 3, n_lon)
        lat = np.arange(n_lat) * 180.0 / (n_lat - 1) - 90.0
        lon = np.arange(n_lon) * 360.0 / n_lon - 180.0
        edges = np.concatenate([[-90.0], (lat[1:] + lat[:-1]) / 2, [90.0]])
        return cls("nodes", lat, lon, np.deg2rad(edges))

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and columns."""
        return len(self.lat), len(self.lon)

    @property
    def lat_rad(self) -> np.ndarray:
        """Latitude of each row in radians, shape (n,)."""
        return np.deg2rad(self.lat)

    @property
    def lon_step(self) -> float:
        """Distance of two columns in radians of longitude."""
        return 2.0 * np.pi / len(self.lon)

    @property
    def lon_edges(self) -> np.ndarray:
        """Western and eastern edges of the columns in degrees, shape (m + 1,)."""
        columns = len(self.lon)
        return self.lon[0] + (np.arange(columns + 1) - 0.5) * 360.0 / columns

    @property
    def area(self) -> np.ndarray:
        """Area of one finite volume of each row on the unit sphere, shape (n,); all of them sum to 4 pi."""
        return self.lon_step * np.diff(np.sin(self.lat_edges))

    @property
    def weights(self) -> np.ndarray:
        """Share of the sphere of one finite volume of each row, shape (n,); over the whole grid they sum to 1."""
        return np.diff(np.sin(self.lat_edges)) / (2.0 * len(self.lon))

    def with_single_poles(self, fields: np.ndarray) -> np.ndarray:
        """Return fields in which each pole of a grid of nodes has one value, the mean of the sectors of its cap.

        Parameters
        ----------
        fields : ndarray
            Shape (..., n, m), global.

        Returns
        -------
        ndarray
            New array of the same shape, with the same global mean; on a grid of cells a plain copy.
        """
        merged = np.array(fields)
        if self.kind == "nodes":
            for pole in (0, -1):
                merged[..., pole, :] = merged[..., pole, :].mean(axis=-1, keepdims=True)
        return merged


def _check_size(kind: str, n_lat: int, least_lat: int, n_lon: int) -> None:
    """Refuse a grid that cannot be laid over the sphere."""
    if n_lat < least_lat or n_lon < 3:
        raise ShapeError(
            f"a grid of {kind} with {n_lon} longitudes and {n_lat} latitudes does not cover the sphere; "
            f"it needs at least 3 longitudes and {least_lat} latitudes"
        )
