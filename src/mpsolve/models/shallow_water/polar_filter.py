"""The polar filter: short zonal waves near the poles are slowed down, so that they do not set the time step."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mpsolve.field import Field
from mpsolve.ledger import Ledger
from mpsolve.models.shallow_water.geometry import Array, Geometry
from mpsolve.parallel.cartesian import Cartesian

#: The ledger's phase, and operations of a real Fourier transform of n numbers over n log2 n.
PHASE, TRANSFORM_FLOPS = "filter", 2.5


class PolarFilter:
    """Multiplies the zonal waves of increments poleward of a latitude (Arakawa and Lamb, Meth. Comput. Phys. 17, 1977).

    The wave m of a row at latitude y is multiplied by ``min(1, cos(y) / cos(latitude) / sin(m dx / 2))``: its frequency
    on the grid is then no larger than that of the shortest wave at the latitude. The mean of a row does not change. It
    is computed in FP64 whatever the format of the field.

    Parameters
    ----------
    geometry : Geometry
        A sphere.
    grid : Cartesian
        Its division; rows are whole.
    latitude_rad : float
        Where it begins.
    ledger : Ledger
        Counts the transforms, and the rows read and written.
    """

    def __init__(self, geometry: Geometry, grid: Cartesian, latitude_rad: float, ledger: Ledger) -> None:
        self._ledger = ledger
        rows = grid.slices[0]
        centres, edges = geometry.y[rows], geometry.y_edge[:-1][rows]
        self._parts = [_parts(latitudes, len(geometry.x), latitude_rad) for latitudes in (centres, centres, edges)]

    def __call__(self, fields: tuple[Field, Field, Field], numbers: Sequence[int] = (0, 1, 2)) -> None:
        """Filter increments of height (0), eastward (1) and northward velocity (2) in place, as asked (local)."""
        for field, parts in ((fields[number], self._parts[number]) for number in numbers):
            columns = field.shape[1]
            for lo, hi, factors in parts:
                values = field.format.decode(field.read((lo, 0), (hi, columns))).astype(np.float64)
                # What is not finite is found at the next row of diagnostics.
                with np.errstate(all="ignore"):
                    waves = np.fft.rfft(values, axis=1) * factors
                    field.write(field.format.encode(np.fft.irfft(waves, columns, axis=1)), (lo, 0), (hi, columns))
                self._count((hi - lo) * columns, columns, field.format.itemsize)

    def _count(self, cells: int, columns: int, itemsize: int) -> None:
        """Count a transform and its inverse with the product between them, and the cells read and written."""
        flops = int(cells * (2 * TRANSFORM_FLOPS * math.log2(columns) + 1))
        self._ledger.add(PHASE, "fp64", flops=flops, bytes=2 * cells * itemsize)


def _parts(latitudes: Array, columns: int, latitude_rad: float) -> list[tuple[int, int, Array]]:
    """Return the first row, the one after the last, and the factors of each run of rows to be filtered."""
    inside = np.abs(latitudes) > latitude_rad
    ends = np.flatnonzero(np.diff(np.concatenate([[False], inside, [False]]).astype(int)))
    return [
        (int(lo), int(hi), _factors(latitudes[lo:hi], columns, latitude_rad))
        for lo, hi in zip(ends[::2], ends[1::2], strict=True)
    ]


def _factors(latitudes: Array, columns: int, latitude_rad: float) -> Array:
    waves = np.sin(np.pi * np.arange(1, columns // 2 + 1) / columns)
    ratio = np.maximum(np.cos(latitudes), 0.0)[:, None] / np.cos(latitude_rad) / waves
    return np.concatenate([np.ones((len(latitudes), 1)), np.minimum(1.0, ratio)], axis=1)
