"""The levels of a multigrid cycle, from the finest grid to the one that is solved directly."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, cast

import numpy as np

from mpsolve.field import Field
from mpsolve.formats.base import Format
from mpsolve.parallel.alone import Alone
from mpsolve.parallel.cartesian import Cartesian
from mpsolve.parallel.halo import Halo
from mpsolve.parallel.space import Space
from mpsolve.solvers.multigrid import relaxation
from mpsolve.solvers.multigrid.coarsest import DirectSolve
from mpsolve.solvers.multigrid.coefficients import LevelCoefficients
from mpsolve.solvers.multigrid.couplings import Couplings
from mpsolve.solvers.multigrid.galerkin import galerkin, interpolate
from mpsolve.solvers.multigrid.gathering import Gathering
from mpsolve.solvers.multigrid.options import MultigridOptions
from mpsolve.solvers.multigrid.smoothers import Lines, Pointwise, Smoother, choose_smoother, smallest_rough
from mpsolve.solvers.multigrid.stencil import Stencil
from mpsolve.solvers.multigrid.transfers import GalerkinTransfers, Transfers, UniformTransfers

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

    def __init__(
        self, space: Space, coefficients: LevelCoefficients | Couplings, factor: float, format: Format
    ) -> None:
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
        coefficients: LevelCoefficients | Couplings,
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
        coefficients: LevelCoefficients | Couplings,
        factor: float,
        formats: tuple[Format, ...],
        options: MultigridOptions,
    ) -> None:
        format = formats[0]
        self.grid, self.options = grid, options
        self.b, self.u, self._other = (space.zeros(format) for _ in range(3))
        self._fields = (self.u, self._other)
        self._stencil = Stencil(grid, space, coefficients, factor, format)
        self._kind, halved = plan(coefficients, grid, options)
        residual = None if coefficients.uniform else space.zeros(format)
        self._smoother = self._made_smoother(coefficients, factor, halved, residual)
        coarse_grid = grid.coarser(halved)
        fields = (self.b, self._fields)
        if isinstance(coefficients, LevelCoefficients):
            step = coefficients.coarsen(halved)
            self.coarse = build(coarse_grid, space, step.coarse, factor, formats[1:] or formats, options)
            others = (self._stencil, coarse_grid, *fields, self.coarse.b, self.coarse.u)
            self._transfers: Transfers = UniformTransfers(step, HALO, *others)
        else:
            assert residual is not None
            interpolation = interpolate(coefficients, halved)
            product = galerkin(coefficients, interpolation)
            self.coarse = build(coarse_grid, space, product, factor, formats[1:] or formats, options)
            others = (self._stencil, coarse_grid, *fields, self.coarse.b, self.coarse.u)
            self._transfers = GalerkinTransfers(interpolation, residual, *others)
        self._visits = 2 if options.cycle == "w" else 1

    def _made_smoother(
        self,
        coefficients: LevelCoefficients | Couplings,
        factor: float,
        halved: tuple[bool, ...],
        residual: Field | None,
    ) -> Smoother:
        corners = self._stencil.kind == relaxation.FULL
        exchange = [self._halo(field, corners).exchange for field in self._fields]
        low = smallest_rough(halved)
        if self._kind == "lines":
            assert isinstance(coefficients, Couplings)
            assert residual is not None
            low = max(low, 0.5)
            return Lines(self._stencil, coefficients, factor, self.b, self._fields, residual, exchange, low)
        exchange_b = self._halo(self.b, False).exchange
        return Pointwise(self._kind, self._stencil, self.b, self._fields, exchange, exchange_b, low)

    def _halo(self, field: Field, corners: bool) -> Halo:
        return Halo(self.grid, [field], width=1, corners=corners, ledger=self._stencil.space.ledger)

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
        self._transfers.restrict(place)
        self.coarse.cycle(False, full)
        for _ in range(visits - 1):
            self.coarse.cycle(True)
        self._transfers.prolong(place)

    def reductions(self) -> list[float]:
        """See `Level.reductions`."""
        self._halo(self.u, True).exchange()
        measure = self._stencil.space.bind(
            self._stencil.residual,
            [self._other],
            [self.u, self.b, *self._stencil.operator],
            dots=((0, 0), (2, 2)),
            phase="inner",
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


def plan(
    coefficients: LevelCoefficients | Couplings, grid: Cartesian, options: MultigridOptions
) -> tuple[str, tuple[bool, ...]]:
    """Return the smoother of a grid, and the axes along which the next one is coarser."""
    kind = choose_smoother(options.smoother, coefficients, grid)
    return kind, coefficients.strong_axes(kind == "lines")


def build(
    grid: Cartesian,
    like: Space,
    coefficients: LevelCoefficients | Couplings,
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
    coefficients : LevelCoefficients or Couplings
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
    halved = plan(coefficients, grid, options)[1]
    last = cells <= DIRECT_CELLS or not any(halved)
    if grid.comm.size > 1 and (last or cells <= GATHERED_CELLS or min(grid.smallest_shape) < THINNEST):
        return Gathered(grid, space, coefficients, factor, formats, options)
    if last:
        return Direct(space, coefficients, factor, formats[0])
    return Smoothed(grid, space, coefficients, factor, formats, options)
