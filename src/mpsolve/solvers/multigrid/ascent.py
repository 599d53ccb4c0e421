"""The way up from a coarser grid: its correction and the smoothing after it, in as few passes as the backend allows."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

from mpsolve.backends.base import Launch
from mpsolve.solvers.multigrid import relaxation
from mpsolve.solvers.multigrid.smoothers import Pointwise
from mpsolve.solvers.multigrid.smoothing import Smoothing
from mpsolve.solvers.multigrid.transfers import Transfers, UniformTransfers

#: Steps that share a pass, at most: more need more rows in the second-level cache, and more ghosts.
DEEPEST = 4


class Ascent(ABC):
    """Corrects and smooths."""

    @abstractmethod
    def __call__(self, place: int | None) -> int:
        """Start from the field of that number, or from zero; return the number of the field with the result."""


class OneByOne(Ascent):
    """The correction and each step are passes of their own."""

    def __init__(self, smoothing: Smoothing, transfers: Transfers, count: int) -> None:
        self._smoothing, self._transfers, self._count = smoothing, transfers, count

    def __call__(self, place: int | None) -> int:
        """See `Ascent`."""
        if place is None:
            place = 0
            self._smoothing.u.storage[...] = 0
        self._transfers.prolong(place)
        return self._smoothing.smoother.run(self._count, place)


class Together(Ascent):
    """Several steps share a pass, and the first pass adds the correction.

    Parameters
    ----------
    smoothing : Smoothing
        Of a uniform operator, by polynomials.
    transfers : UniformTransfers
        Fill ghosts as deep as `depth` asks for.
    lengths : list of float
        Of the steps.
    """

    def __init__(self, smoothing: Smoothing, transfers: UniformTransfers, lengths: list[float]) -> None:
        self._smoothing, self._transfers = smoothing, transfers
        depth = transfers.depth
        self._parts = [lengths[start : start + depth] for start in range(0, len(lengths), depth)]
        self._first = {place: self._bound(place, corrected=True) for place in (None, 0, 1)}
        self._next = [self._bound(place, corrected=False) for place in (0, 1)]

    def _target(self, source: int | None) -> int:
        """Return the number of the field that a pass writes: from zero, so that the last pass writes field 0."""
        return (len(self._parts) - 1) % 2 if source is None else 1 - source

    def _bound(self, place: int | None, corrected: bool) -> Launch:
        smoothing, stencil = self._smoothing, self._smoothing.stencil
        ndim = smoothing.b.ndim
        launch = stencil.space.backend.bind_steps(
            relaxation.SWEEPS[ndim, stencil.kind],
            smoothing.fields[self._target(place)],
            None if place is None else smoothing.fields[place],
            [smoothing.b, *stencil.operator, *stencil.inverse],
            along=(2 * ndim - 1, 2 * ndim, 3 * ndim),
            correction=self._transfers.correction if corrected else None,
        )
        assert launch is not None
        return launch

    def __call__(self, place: int | None) -> int:
        """See `Ascent`."""
        self._transfers.exchange_below()
        for number, lengths in enumerate(self._parts):
            launch = self._next[place or 0] if number else self._first[place]
            if number:
                # The way down has filled the ghosts of what the first pass starts from.
                self._transfers.exchange(place or 0)
            launch(self._smoothing.stencil.scalar, *lengths)
            self._count(len(lengths), fields=2 if place is None else 3)
            place = self._target(place)
        return place or 0

    def _count(self, steps: int, fields: int) -> None:
        b, space = self._smoothing.b, self._smoothing.stencil.space
        cells = math.prod(space.shape)
        flops = cells * steps * (6 * b.ndim + 5)
        space.ledger.add("inner", b.format.name, flops=flops, bytes=cells * fields * b.format.itemsize)


def depth(smoothing: Smoothing, coarse_itemsize: int) -> int:
    """Return how many steps of a level share a pass; 0 if each is a pass of its own.

    The numbers between the steps are not rounded, so the answer must not depend on the number of ranks: where a grid is
    divided, its blocks are never as thin as is asked for here (`mpsolve.solvers.multigrid.levels.THINNEST`).

    Parameters
    ----------
    smoothing : Smoothing
        Of the level.
    coarse_itemsize : int
        Bytes of a number of the arithmetic of the coarser grid.
    """
    stencil, grid, smoother = smoothing.stencil, smoothing.grid, smoothing.smoother
    if not stencil.uniform or not isinstance(smoother, Pointwise) or smoother.kind == "red_black":
        return 0
    if not stencil.space.backend.fuses_steps or smoothing.b.format.compute.itemsize != coarse_itemsize:
        return 0
    steps = min(stencil.space.halo, DEEPEST)
    for axis, (cells, wraps) in enumerate(zip(grid.global_shape, grid.periodic, strict=True)):
        thin = grid.smallest_shape[axis] < 2 * steps and (wraps or grid.ranks_per_axis[axis] > 1)
        # Ghosts of an odd ring have other parents than the cells that they stand for.
        if thin or (wraps and smoothing.halved[axis] and cells % 2):
            return 0
    return steps


def choose_ascent(smoothing: Smoothing, transfers: Transfers, count: int) -> Ascent:
    """Return the way up with a number of smoothing steps."""
    if isinstance(transfers, UniformTransfers) and transfers.depth and count:
        assert isinstance(smoothing.smoother, Pointwise)
        return Together(smoothing, transfers, smoothing.smoother.lengths(count))
    return OneByOne(smoothing, transfers, count)
