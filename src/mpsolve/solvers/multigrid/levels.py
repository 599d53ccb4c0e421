"""The levels of a multigrid cycle, from the finest grid to the one that is solved directly."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from mpsolve.field import Field
from mpsolve.formats.base import Format
from mpsolve.kernels.transfers.layout import Overlay, Weight
from mpsolve.parallel.alone import Alone
from mpsolve.parallel.cartesian import Cartesian
from mpsolve.parallel.halo import Halo
from mpsolve.parallel.space import Space
from mpsolve.solvers.multigrid import relaxation
from mpsolve.solvers.multigrid.coarsest import DirectSolve
from mpsolve.solvers.multigrid.coefficients import Coarsening, LevelCoefficients
from mpsolve.solvers.multigrid.gathering import Gathering
from mpsolve.solvers.multigrid.options import MultigridOptions
from mpsolve.solvers.multigrid.smoothers import Lines, Pointwise, choose_smoother, smallest_rough
from mpsolve.solvers.multigrid.stencil import Stencil, fill, local_vector

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm

#: Ghost layers of every level: the second child of the last cell may lie one cell beyond the block.
HALO = 2
#: Grids of at most so many cells are solved directly.
DIRECT_CELLS = 300
#: Grids of at most so many cells are brought to one rank: their messages would cost more than their arithmetic.
GATHERED_CELLS = 1 << 14
#: Blocks thinner than this are not halved further among ranks.
THINNEST = 8


class Level(ABC):
    """One grid of the hierarchy.

    Attributes
    ----------
    b, u : Field
        Right-hand side and solution, this rank's blocks.
    """

    b: Field
    u: Field

    @abstractmethod
    def cycle(self, guess: bool, full: bool = False) -> None:
        """Improve `u`, from zero or from what it holds; ``full``: start from the coarser grids (collective)."""

    @abstractmethod
    def reductions(self) -> list[float]:
        """Return, for this level and each one below, what the last cycle left of its residual (collective).

        Infinity tells that the right-hand side left the range of the level's format, NaN that the solution did.
        """

    @abstractmethod
    def describe(self) -> list[str]:
        """Return a line for this level and each one below."""


class Direct(Level):
    """The coarsest grid, whole on one rank."""

    def __init__(self, space: Space, coefficients: LevelCoefficients, factor: float, format: Format) -> None:
        self.b, self.u = space.zeros(format), space.zeros(format)
        self.solve = DirectSolve(coefficients, factor, self.b, self.u)

    def cycle(self, guess: bool, full: bool = False) -> None:
        """Solve; see `Level.cycle`."""
        self.solve()

    def reductions(self) -> list[float]:
        """See `Level.reductions`; the solution is as exact as its format."""
        if not np.isfinite(self.b.to_numpy()).all():
            return [math.inf]
        return [0.0 if np.isfinite(self.u.to_numpy()).all() else math.nan]

    def describe(self) -> list[str]:
        """See `Level.describe`."""
        return [f"{'x'.join(map(str, self.b.shape))} {self.b.format.name} direct"]


class Gathered(Level):
    """A grid whose work is done by one rank alone; the others wait."""

    def __init__(
        self,
        grid: Cartesian,
        space: Space,
        coefficients: LevelCoefficients,
        factor: float,
        formats: tuple[Format, ...],
        options: MultigridOptions,
    ) -> None:
        self.b, self.u = space.zeros(formats[0]), space.zeros(formats[0])
        self._gathering = Gathering(grid, space.ledger)
        self._whole, self._comm = cast("Level | None", None), grid.comm
        if grid.comm.rank == 0:
            shape, zero = grid.global_shape, (0,) * grid.ndim
            alone = cast("Intracomm", Alone())
            undivided = Cartesian(alone, shape, grid.periodic, (1,) * grid.ndim, zero, zero, shape)
            self._whole = build(undivided, space, coefficients, factor, formats, options)

    def cycle(self, guess: bool, full: bool = False) -> None:
        """Collect, cycle on one rank, spread; see `Level.cycle`."""
        whole = self._whole
        self._gathering.collect(self.b, whole.b if whole else None)
        if whole:
            whole.cycle(guess, full)
        self._gathering.spread(whole.u if whole else None, self.u)

    def reductions(self) -> list[float]:
        """See `Level.reductions`."""
        return self._comm.bcast(self._whole.reductions() if self._whole else None)

    def describe(self) -> list[str]:
        """See `Level.describe`."""
        return [f"on rank 0: {line}" for line in self._whole.describe()] if self._whole else []


class Smoothed(Level):
    """A grid that is smoothed and has a coarser one."""

    def __init__(
        self,
        grid: Cartesian,
        space: Space,
        coefficients: LevelCoefficients,
        factor: float,
        formats: tuple[Format, ...],
        options: MultigridOptions,
    ) -> None:
        format = formats[0]
        self.grid, self.options = grid, options
        self.b, self.u, self._other = (space.zeros(format) for _ in range(3))
        self._fields = (self.u, self._other)
        self._stencil = Stencil(grid, space, coefficients, factor, format)
        exchange = [self._halo([field], 1).exchange for field in self._fields]
        halved = coefficients.strong_axes()
        kind = choose_smoother(options.smoother, coefficients, grid)
        low = smallest_rough(halved)
        if kind == "lines":
            low = max(low, 0.5)
            self._smoother = Lines(self._stencil, coefficients, factor, self.b, self._fields, exchange, low)
        else:
            exchange_b = self._halo([self.b], 1).exchange
            self._smoother = Pointwise(kind, self._stencil, self.b, self._fields, exchange, exchange_b, low)
        step = coefficients.coarsen(halved)
        coarse_grid = grid.coarser(halved)
        self.coarse = build(coarse_grid, space, step.coarse, factor, formats[1:] or formats, options)
        self._bind_transfers(coarse_grid, step)
        self._kind, self._visits = kind, 2 if options.cycle == "w" else 1

    def _halo(self, fields: list[Field], width: int, corners: bool = False, grid: Cartesian | None = None) -> Halo:
        return Halo(grid or self.grid, fields, width=width, corners=corners, ledger=self._stencil.space.ledger)

    def _bind_transfers(self, coarse_grid: Cartesian, step: Coarsening) -> None:
        halved, space = step.halved, self._stencil.space
        first = tuple(2 * c - f if h else 0 for c, f, h in zip(coarse_grid.lo, self.grid.lo, halved, strict=True))
        overlay = Overlay(halved, first)
        point = relaxation.RESIDUALS[self.b.ndim, self._stencil.uniform]
        children = [
            None if weight is None else local_vector(weight, self.u, self.grid, axis)
            for axis, weight in enumerate(step.children)
        ]
        self._clear_ghost_children(children)
        beside = [self._beside(weight, axis) for axis, weight in enumerate(step.beside)]
        backend = space.backend
        self._restrict = [
            backend.bind_restriction(point, self.coarse.b, [field, self.b, *self._stencil.operator], overlay, children)
            for field in self._fields
        ]
        self._prolong = [backend.bind_prolongation(field, self.coarse.u, overlay, beside) for field in self._fields]
        self._wide = [self._halo([field], HALO, corners=True) for field in self._fields]
        self._corners = self._halo([self.b], 1, corners=True)
        self._below = self._halo([self.coarse.u], 1, corners=True, grid=coarse_grid)
        cells, size = math.prod(self.grid.shape), self.b.format.itemsize
        fields = sum(size for given in self._stencil.operator if isinstance(given, Field))
        self._work = {"flops": cells * (6 * self.b.ndim + 8), "bytes": cells * (5 * size + fields)}

    def _clear_ghost_children(self, children: list[NDArray | None]) -> None:
        """Give no weight to a ghost that stands for the first cell of the next round of an odd periodic axis."""
        for axis, weight in enumerate(children):
            odd = self.grid.global_shape[axis] % 2
            if weight is not None and odd and self.grid.hi[axis] == self.grid.global_shape[axis]:
                weight[self.u.origin[axis] + self.grid.shape[axis] :] = 0.0

    def _beside(self, weight: NDArray | None, axis: int) -> Weight:
        if weight is None:
            return None
        if weight.ndim == 1:
            return local_vector(weight, self.u, self.grid, axis)
        return fill(self._stencil.space.zeros(self.b.format), weight, self.grid)

    def cycle(self, guess: bool, full: bool = False) -> None:
        """Smooth, correct from the coarser grid, smooth; see `Level.cycle`."""
        if full and not guess:
            self.u.storage[...] = 0
            self._correct(0, 1, full=True)
            guess = True
        before, after = self.options.sweeps_before, self.options.sweeps_after
        place = self._smoother.run(before, 0) if guess else self._smoother.start(before)
        self._correct(place, self._visits)
        place = self._smoother.run(after, place)
        if place:
            self.u.storage[...] = self._other.storage

    def _correct(self, place: int, visits: int, full: bool = False) -> None:
        """Solve for the residual on the coarser grid and add what it gives."""
        self._wide[place].exchange()
        self._corners.exchange()
        self._restrict[place](*self._stencil.residual_scalars)
        self.coarse.cycle(False, full)
        for _ in range(visits - 1):
            self.coarse.cycle(True)
        self._below.exchange()
        self._prolong[place]()
        self._stencil.space.ledger.add("inner", self.b.format.name, **self._work)

    def reductions(self) -> list[float]:
        """See `Level.reductions`."""
        self._wide[0].exchange()
        point = relaxation.RESIDUALS[self.b.ndim, self._stencil.uniform]
        measure = self._stencil.space.bind(
            point, [self._other], [self.u, self.b, *self._stencil.operator], dots=((0, 0), (2, 2)), phase="inner"
        )
        left, given = map(float, measure(*self._stencil.residual_scalars))
        if not math.isfinite(given):
            own = math.inf
        else:
            own = math.sqrt(left / given) if given > 0 and left < math.inf else (0.0 if given == 0 else math.nan)
        return [own, *self.coarse.reductions()]

    def describe(self) -> list[str]:
        """See `Level.describe`."""
        line = f"{'x'.join(map(str, self.grid.global_shape))} {self.b.format.name} {self._kind}"
        return [line, *self.coarse.describe()]


def build(
    grid: Cartesian,
    like: Space,
    coefficients: LevelCoefficients,
    factor: float,
    formats: tuple[Format, ...],
    options: MultigridOptions,
) -> Level:
    """Return the level of a grid with all those below it (collective).

    Parameters
    ----------
    grid : Cartesian
        The division of this grid.
    like : Space
        Gives backend and ledger.
    coefficients : LevelCoefficients
        Of the whole grid, FP64.
    factor : float
        The operator is this times the one of the coefficients.
    formats : tuple of Format
        This level's first.
    options : MultigridOptions
        Smoothing and cycles.
    """
    space = Space(grid.comm, like.backend, grid.shape, HALO, like.ledger)
    cells = math.prod(grid.global_shape)
    halved = coefficients.strong_axes()
    last = cells <= DIRECT_CELLS or not any(halved)
    if grid.comm.size > 1 and (last or cells <= GATHERED_CELLS or min(grid.smallest_shape) < THINNEST):
        return Gathered(grid, space, coefficients, factor, formats, options)
    if last:
        return Direct(space, coefficients, factor, formats[0])
    return Smoothed(grid, space, coefficients, factor, formats, options)
