"""A diffusion operator with varying coefficients by the coupling of each cell to its neighbours, FP64.

The finest grid couples cells through their faces. Coarser ones have the product of Galerkin, ``P^T A P``, with an
interpolation P that follows the couplings, so that jumps of the conductivity need not lie on coarse faces (Alcouffe,
Brandt, Dendy and Painter, SIAM J. Sci. Stat. Comput. 2, 1981; Dendy, J. Comput. Phys. 48, 1982).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mpsolve.operators.diffusion import Coefficients
from mpsolve.parallel.cartesian import Cartesian
from mpsolve.parallel.replicated import broadcast

#: The step from a cell to a neighbour.
Offset = tuple[int, ...]
#: Axes coupled less than this part of the strongest one are not coarsened: smoothing does nothing along them.
WEAK = 0.25


def offsets_before(ndim: int, star: bool) -> list[Offset]:
    """Return the steps to the neighbours that come before a cell in memory; ``star``: those through a face only."""
    zero = (0,) * ndim
    steps = [step for step in itertools.product((-1, 0, 1), repeat=ndim) if step < zero]
    return [step for step in steps if not star or sum(map(abs, step)) == 1]


@dataclass(frozen=True, eq=False)
class Couplings:
    """A symmetric operator, ``A u = reaction u - sum over neighbours of coupling (u_neighbour - u)``.

    Known to every rank as a whole.

    Attributes
    ----------
    periodic : tuple of bool
        Axes whose last cell is the neighbour of the first.
    before : dict
        Per step of `offsets_before`, the coupling of each cell to the neighbour there, global shape; 0 where there is
        none.
    reaction : ndarray
        Row sums, global shape: the reaction, and the coupling to what is held on a side.
    """

    periodic: tuple[bool, ...]
    before: dict[Offset, NDArray[np.float64]]
    reaction: NDArray[np.float64]

    uniform = False

    @classmethod
    def finest(cls, grid: Cartesian, coefficients: Coefficients) -> Couplings:
        """Return the couplings of the given grid, collected from all ranks (collective)."""
        reaction = _whole(grid, np.broadcast_to(coefficients.reaction, grid.shape))
        before = {}
        for axis, (face, step) in enumerate(zip(coefficients.faces, offsets_before(grid.ndim, True), strict=True)):
            cells = grid.shape[axis]
            low, high = (_whole(grid, np.take(face, range(start, start + cells), axis)) for start in (0, 1))
            if not grid.periodic[axis]:
                sides = [np.moveaxis(values, axis, 0) for values in (reaction, low, high)]
                sides[0][0] += sides[1][0]
                sides[0][-1] += sides[2][-1]
                sides[1][0] = 0.0
            before[step] = low
        return cls(grid.periodic, before, reaction)

    @property
    def shape(self) -> tuple[int, ...]:
        """Cells of the global grid."""
        return self.reaction.shape

    @property
    def star(self) -> bool:
        """Whether cells are coupled through faces only."""
        return len(self.before) == self.reaction.ndim

    @cached_property
    def around(self) -> dict[Offset, NDArray[np.float64]]:
        """The coupling of each cell to each of its neighbours, before and behind it."""
        axes = tuple(range(self.reaction.ndim))
        behind = {tuple(-n for n in step): np.roll(values, step, axes) for step, values in self.before.items()}
        return {**self.before, **behind}

    @cached_property
    def diagonal(self) -> NDArray[np.float64]:
        """The diagonal."""
        return sum(self.around.values(), self.reaction)

    def bound(self) -> NDArray[np.float64]:
        """Return the diagonal, or half of the row's magnitudes if that is more: twice that bounds the eigenvalues.

        Products of Galerkin may have couplings below zero; then the diagonal alone bounds nothing.
        """
        magnitudes: NDArray[np.float64] = sum((np.abs(values) for values in self.around.values()), self.diagonal)
        return np.maximum(self.diagonal, 0.5 * magnitudes)

    def row_diagonal(self) -> NDArray[np.float64]:
        """Return the diagonal for the solution of whole rows: more than the operator's where rows repel each other.

        Products of Galerkin have couplings of both signs between strong rows, which cancel but for waves along a row;
        those the row's own coupling bounds. So it is the sum over a whole neighbouring row that counts, not each one.
        """
        rows: dict[Offset, NDArray[np.float64]] = {}
        for step, values in self.around.items():
            if any(step[:-1]):
                rows[step[:-1]] = rows.get(step[:-1], 0.0) + values
        zero = np.zeros(self.shape)
        net, sizes = sum(rows.values(), zero), sum(map(np.abs, rows.values()), zero)
        return self.diagonal + np.maximum(0.5 * (sizes - net - self.reaction), 0.0)

    def coupled(self) -> float:
        """Return the largest part of a row's magnitudes beside the diagonal, over the diagonal."""
        beside = sum((np.abs(values) for values in self.around.values()), np.zeros(self.shape))
        return float(np.max(np.divide(beside, self.diagonal, out=np.zeros_like(beside), where=beside > 0), initial=0.0))

    def strengths(self) -> list[float]:
        """Return the largest coupling along each axis; 0 along an axis of one cell."""
        found = []
        for axis, cells in enumerate(self.shape):
            along = [values for step, values in self.around.items() if step[axis] == -1]
            found.append(float(np.max(sum(along[1:], along[0]), initial=0.0)) if cells > 1 else 0.0)
        return found

    def strong_axes(self, lines: bool) -> tuple[bool, ...]:
        """Return the axes to coarsen: of several cells, and not much weaker coupled than another.

        Parameters
        ----------
        lines : bool
            Whether whole rows are smoothed: then the last axis is coarsened anyway, and the others compete alone.
        """
        strengths = self.strengths()
        rivals = strengths[:-1] if lines and any(strengths[:-1]) else strengths
        strong = [strength > 0 and strength >= WEAK * max(rivals) for strength in strengths]
        return (*strong[:-1], strengths[-1] > 0) if lines else tuple(strong)


def _whole(grid: Cartesian, block: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a distributed array as a whole on every rank (collective)."""
    whole = grid.gather(np.ascontiguousarray(block))
    whole = np.empty(grid.global_shape) if whole is None else np.array(whole)
    for row in whole:
        broadcast(grid.comm, row, 0)
    return whole
