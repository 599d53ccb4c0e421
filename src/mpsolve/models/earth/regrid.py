"""Conservative regridding between latitude-longitude grids: averages over the overlap of the cells."""

import numpy as np

from mpsolve.models.earth.grid import SphereGrid


def to_grid(values: np.ndarray, lat_edges: np.ndarray, lon_edges: np.ndarray, grid: SphereGrid) -> np.ndarray:
    """Average a field over the cells of another grid, by the area of the overlaps, so that its integral is kept.

    The overlap of two cells of latitude-longitude grids is a product, so latitude and longitude are averaged one
    after the other. The sums run in the order of the rows, never through a BLAS, so that the result has the same
    bits whatever the number of threads.

    Parameters
    ----------
    values : ndarray
        Cell means, shape (p, q), rows from south to north, columns eastwards.
    lat_edges : ndarray
        Edges of the rows in radians, shape (p + 1,), ascending from -pi/2 to pi/2.
    lon_edges : ndarray
        Edges of the columns in degrees, shape (q + 1,), ascending by 360 in all.
    grid : SphereGrid
        The grid to average to.

    Returns
    -------
    ndarray
        New float64 array of cell means, shape ``grid.shape``. The polar rows of a grid of nodes are caps around
        one place, so they hold the mean of the cap in every column.
    """
    rows = _overlap_means(values, np.sin(lat_edges), np.sin(grid.lat_edges))
    # Two turns of the source: the target starts anywhere within the first one and ends within the second.
    source = np.concatenate([lon_edges[:-1], lon_edges + 360.0])
    turns = np.floor((grid.lon_edges[0] - lon_edges[0]) / 360.0)
    target = grid.lon_edges - 360.0 * turns
    columns = _overlap_means(np.concatenate([rows.T, rows.T]), source, target).T
    return grid.with_single_poles(np.ascontiguousarray(columns))


def _overlap_means(values: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Average the rows of `values` over the target intervals, weighted by the length of each overlap."""
    first = np.maximum(np.searchsorted(source, target[:-1], side="right") - 1, 0)
    last = np.minimum(np.searchsorted(source, target[1:], side="left"), len(source) - 1)
    means = np.empty((len(target) - 1, values.shape[1]))
    for row, (begin, end) in enumerate(zip(first, last, strict=True)):
        lower = np.maximum(source[begin:end], target[row])
        upper = np.minimum(source[begin + 1 : end + 1], target[row + 1])
        overlap = np.maximum(upper - lower, 0.0)
        means[row] = (values[begin:end] * (overlap / overlap.sum())[:, None]).sum(axis=0)
    return means
