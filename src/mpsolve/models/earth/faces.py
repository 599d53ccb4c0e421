"""Coefficients of the finite-volume diffusion operator on the sphere: one number per face of the cells."""

from dataclasses import dataclass

import numpy as np

from mpsolve.models.earth.grid import SphereGrid


@dataclass(frozen=True, eq=False)
class FaceCoefficients:
    """Diffusion of the faces times their length over the distance across them, in the unit of D.

    The flow of heat through a face is its coefficient times the difference of the two temperatures, and the sum of
    the four flows into a cell is the area of the cell times div(D grad T). The matrix is symmetric by construction.

    Parameters
    ----------
    north_south : ndarray
        Shape (n + 1, m): face i lies between the rows i - 1 and i; zero at the poles, where a face has no length.
    east_west : ndarray
        Shape (n, m + 1): face j lies between the columns j - 1 and j; face m is face 0.
    """

    north_south: np.ndarray
    east_west: np.ndarray


def face_coefficients(grid: SphereGrid, diffusion: np.ndarray) -> FaceCoefficients:
    """Compute the coefficients of the faces from the diffusion of the cells.

    The diffusion of a face is the harmonic mean of its two cells: exactly the flow through two slabs in series, so
    that the flow across a coast, where D jumps at the face, is right; where D is smooth it is second order like
    the arithmetic mean.

    Parameters
    ----------
    grid : SphereGrid
        The global grid, shape (n, m).
    diffusion : ndarray
        D of the cells, positive, shape (n, m).

    Returns
    -------
    FaceCoefficients
        New float64 arrays of the global grid.
    """
    north_south = np.zeros((grid.shape[0] + 1, grid.shape[1]))
    distance = np.diff(grid.lat_rad)
    length = grid.lon_step * np.cos(grid.lat_edges[1:-1])
    north_south[1:-1] = (length / distance)[:, None] * _harmonic_mean(diffusion[:-1], diffusion[1:])
    west = np.roll(diffusion, 1, axis=1)
    east_west = _east_west_ratio(grid)[:, None] * _harmonic_mean(west, diffusion)
    return FaceCoefficients(north_south, np.concatenate([east_west, east_west[:, :1]], axis=1))


def _east_west_ratio(grid: SphereGrid) -> np.ndarray:
    """Return the length of the meridian faces over the distance across them, shape (n,)."""
    height = np.diff(grid.lat_edges)
    # The middle of the face: on a polar cap, whose node is the pole itself, the distance there would be zero.
    middle = (grid.lat_edges[1:] + grid.lat_edges[:-1]) / 2.0
    return height / (np.cos(middle) * grid.lon_step)


def _harmonic_mean(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the harmonic mean of two positive arrays."""
    return 2.0 * first * second / (first + second)
