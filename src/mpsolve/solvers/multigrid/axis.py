"""One axis of a grid and of its coarser ones: widths of cells, and where in a pair of cells the coarse centre lies."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Axis:
    """Cells along one global axis; the last ones of coarse grids may be narrower than the others.

    Attributes
    ----------
    widths : ndarray, shape (n,)
        In units of the finest cell.
    periodic : bool
        Whether the last cell is the neighbour of the first.
    """

    widths: NDArray[np.float64]
    periodic: bool

    @property
    def cells(self) -> int:
        """Number of cells."""
        return len(self.widths)

    @cached_property
    def _pairs(self) -> NDArray[np.float64]:
        """Widths of the children of each coarse cell, shape (coarse cells, 2); 0 for a child that does not exist."""
        padded = np.zeros(self.cells + self.cells % 2)
        padded[: self.cells] = self.widths
        return padded.reshape(-1, 2)

    def coarser(self) -> Axis:
        """Return the axis of pairs of cells."""
        return Axis(self._pairs.sum(1), self.periodic)

    def children_weights(self) -> NDArray[np.float64]:
        """Return the share of each fine cell in its coarse cell, shape (n,)."""
        return (self._pairs / self._pairs.sum(1, keepdims=True)).reshape(-1)[: self.cells]

    def shares(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return which part of the way between two children lies before and after the coarse centre, per coarse cell.

        The centre of a coarse cell is ``v0 / 2`` from the centre of its second child, where v0 is the width of the
        first, and the two centres are ``(v0 + v1) / 2`` apart. A single child is at the centre itself.
        """
        first, second = self._pairs.T
        both = first + second
        single = second == 0
        return np.where(single, 0.0, second / both), np.where(single, 0.0, first / both)


def coarse_resistances(axis: Axis, resistance: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Join the resistances between fine cells to those between coarse cells, along the last axis of an array.

    Parameters
    ----------
    axis : Axis
        The fine axis, n cells.
    resistance : ndarray, shape (..., n + 1)
        Between neighbouring cell centres, face by face; infinite where nothing flows.

    Returns
    -------
    joined : ndarray, shape (..., coarse cells + 1)
        In series: the way from one coarse centre to the next.
    weights : ndarray, shape (..., n)
        Of the coarse cell beside the parent, for the linear interpolation at each fine cell: the way from the parent's
        centre to the fine one over the way to the centre beside it.
    """
    coarse = (axis.cells + 1) // 2
    before, after = axis.shares()
    inside = np.zeros((*resistance.shape[:-1], coarse))
    inner = resistance[..., 1 : axis.cells : 2]
    inside[..., : inner.shape[-1]] = inner
    with np.errstate(invalid="ignore"):
        low, high = (np.where(share > 0, share * inside, 0.0) for share in (before, after))
    between = np.concatenate([resistance[..., 0 : axis.cells : 2], resistance[..., -1:]], -1)
    outside = np.zeros((*inside.shape[:-1], 1))
    low_end = np.concatenate([low, low[..., :1] if axis.periodic else outside], -1)
    high_end = np.concatenate([high[..., -1:] if axis.periodic else outside, high], -1)
    joined = high_end + between + low_end
    weights = np.zeros((*inside.shape[:-1], coarse, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        weights[..., 0], weights[..., 1] = low / joined[..., :-1], high / joined[..., 1:]
    # Infinite over infinite: a wall inside the pair, and one outside; nothing is known beyond the first.
    weights = np.nan_to_num(weights.reshape(*inside.shape[:-1], -1)[..., : axis.cells], nan=0.0)
    return joined, weights
