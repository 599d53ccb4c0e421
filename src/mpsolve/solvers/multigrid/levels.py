"""The levels of a multigrid cycle, from the finest grid to the one that is solved directly."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, cast

from mpsolve.formats.base import Format
from mpsolve.parallel.alone import Alone
from mpsolve.parallel.cartesian import Cartesian
from mpsolve.parallel.replay import Replay
from mpsolve.parallel.space import Space
from mpsolve.solvers.multigrid.ascent import DEEPEST, choose_ascent, depth
from mpsolve.solvers.multigrid.coarsest import Direct
from mpsolve.solvers.multigrid.coefficients import LevelCoefficients
from mpsolve.solvers.multigrid.couplings import Couplings
from mpsolve.solvers.multigrid.galerkin import galerkin, interpolate
from mpsolve.solvers.multigrid.gathering import Gathering
from mpsolve.solvers.multigrid.level import Level
from mpsolve.solvers.multigrid.options import MultigridOptions
from mpsolve.solvers.multigrid.smoothers import choose_smoother
from mpsolve.solvers.multigrid.smoothing import Smoothing
from mpsolve.solvers.multigrid.transfers import GalerkinTransfers, Transfers, UniformTransfers

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm

#: Ghost layers of every level, at least: the second child of the last cell may lie one cell beyond the block.
HALO = 2
#: As many as are of use: smoothing steps that share a pass need one each.
GHOSTS = max(HALO, DEEPEST)
#: Grids of at most so many cells are solved directly.
DIRECT_CELLS = 300
#: Grids of at most so many cells are brought to one rank: their messages would cost more than their arithmetic.
GATHERED_CELLS = 1 << 14
#: Blocks thinner than this are not halved further among ranks.
THINNEST = 8
#: Where neighbours have no more than this part of each diagonal entry, every step along it gains two digits, and there
#: may be nothing to interpolate by.
HARDLY = 0.01


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
        self._grid, self._gathering = grid, Gathering(grid, space.ledger)
        self._whole, self._comm = cast("Level | None", None), grid.comm
        if grid.comm.rank == 0:
            shape, zero = grid.global_shape, (0,) * grid.ndim
            alone = cast("Intracomm", Alone())
            undivided = Cartesian(alone, shape, grid.periodic, (1,) * grid.ndim, zero, zero, shape)
            whole = build(undivided, space, coefficients, factor, formats, options)
            self._whole = chained(whole, space, options)

    def cycle(self, guess: bool, full: bool = False, more: bool = False) -> None:
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
        return [f"{line} on one rank" for line in self._whole.describe()] if self._whole else []

    def notes(self) -> list[str]:
        """See `Level.notes`."""
        more = self._whole.notes() if self._whole else []
        if math.prod(self._grid.global_shape) <= GATHERED_CELLS:
            return more
        size, blocks = ("x".join(map(str, shape)) for shape in (self._grid.global_shape, self._grid.ranks_per_axis))
        return [
            f"the grid of {size} cells and all coarser ones are solved by one rank, because blocks of {blocks} ranks "
            f"would be thinner than {THINNEST} cells: fewer ranks, or run.ranks with more along the longer axes, "
            "are faster",
            *more,
        ]


class Uncoupled(Level):
    """A grid whose cells are hardly coupled: smoothing solves it, and a coarser grid would see nothing."""

    def __init__(self, smoothing: Smoothing, sweeps: int) -> None:
        self.b, self.u = smoothing.b, smoothing.u
        self._smoothing, self._sweeps = smoothing, sweeps

    def cycle(self, guess: bool, full: bool = False, more: bool = False) -> None:
        """Smooth; see `Level.cycle`."""
        smoother = self._smoothing.smoother
        self._smoothing.finish(smoother.run(self._sweeps, 0) if guess else smoother.start(self._sweeps))

    def reductions(self) -> list[float]:
        """See `Level.reductions`."""
        return [self._smoothing.reduction()]

    def describe(self) -> list[str]:
        """See `Level.describe`."""
        return [f"{self._smoothing.describe()} alone"]


class Smoothed(Level):
    """A grid that is smoothed and has a coarser one."""

    def __init__(self, smoothing: Smoothing, coarse: Level, transfers: Transfers, options: MultigridOptions) -> None:
        self.b, self.u, self.coarse = smoothing.b, smoothing.u, coarse
        self.options = options
        self._smoothing, self._transfers = smoothing, transfers
        self._up = choose_ascent(smoothing, transfers, options.sweeps_after)
        self._visits = 2 if options.cycle == "w" else 1
        #: The number of the field that is corrected; none if that is zero.
        self._place: int | None = 0

    def cycle(self, guess: bool, full: bool = False, more: bool = False) -> None:
        """Smooth, correct from the coarser grid, smooth; see `Level.cycle`."""
        if full and not guess:
            self._transfers.restrict(None)
            self.coarse.cycle(False, full=True)
            self.u.storage[...] = 0
            self._transfers.prolong(0)
            guess, self._place = True, 0
        self.descend(guess)
        self.coarse.cycle(False)
        for _ in range(self._visits - 1):
            self.coarse.cycle(True)
        self.ascend(more)

    def descend(self, guess: bool) -> None:
        """Smooth, and give the residual to the coarser grid (collective)."""
        smoother, count = self._smoothing.smoother, self.options.sweeps_before
        if guess:
            self._place = smoother.run(count, self._place or 0)
        else:
            self._place = smoother.start(count) if count else None
        self._transfers.restrict(self._place)

    def ascend(self, more: bool = False) -> None:
        """Take the correction of the coarser grid, and smooth (collective)."""
        self._place = self._up(self._place)
        if not more:
            self._smoothing.finish(self._place)
            self._place = 0

    def reductions(self) -> list[float]:
        """See `Level.reductions`."""
        return [self._smoothing.reduction(), *self.coarse.reductions()]

    def describe(self) -> list[str]:
        """See `Level.describe`."""
        return [self._smoothing.describe(), *self.coarse.describe()]

    def notes(self) -> list[str]:
        """See `Level.notes`."""
        return [*self._smoothing.notes, *self.coarse.notes()]


class Chain(Level):
    """The grids that a process has for itself: the ways down to the coarsest one and up again are launched as a whole.

    The coarsest grid itself is solved on the host.

    Parameters
    ----------
    top : Smoothed
        The finest of them; of V-cycles.
    space : Space
        Gives backend and ledger.
    """

    def __init__(self, top: Smoothed, space: Space) -> None:
        self.b, self.u, self._top, self._bottom = top.b, top.u, top, cast("Level", top)
        self._levels: list[Smoothed] = []
        while isinstance(self._bottom, Smoothed):
            self._levels.append(self._bottom)
            self._bottom = self._bottom.coarse
        ways = {guess: (partial(self._descend, guess), self._ascend) for guess in (False, True)}
        # Each has its own: the numbers of the fields at the end of the way down are those on the way up.
        self._ways = {guess: [Replay(way, space.backend, space.ledger) for way in pair] for guess, pair in ways.items()}

    def _descend(self, guess: bool) -> None:
        for level in self._levels:
            level.descend(guess and level is self._top)

    def _ascend(self) -> None:
        for level in reversed(self._levels):
            level.ascend()

    def cycle(self, guess: bool, full: bool = False, more: bool = False) -> None:
        """See `Level.cycle`."""
        if full and not guess:
            self._top.cycle(guess, full)
            return
        down, up = self._ways[guess]
        down()
        self._bottom.cycle(False)
        up()

    def reductions(self) -> list[float]:
        """See `Level.reductions`."""
        return self._top.reductions()

    def describe(self) -> list[str]:
        """See `Level.describe`."""
        return self._top.describe()

    def notes(self) -> list[str]:
        """See `Level.notes`."""
        return self._top.notes()


def chained(level: Level, space: Space, options: MultigridOptions) -> Level:
    """Return a level of one process, with those below it, so that it takes few launches where a backend has graphs."""
    if space.backend.captures and options.cycle != "w" and isinstance(level, Smoothed):
        return Chain(level, space)
    return level


def _with_coarser(
    smoothing: Smoothing,
    coefficients: LevelCoefficients | Couplings,
    factor: float,
    formats: tuple[Format, ...],
    options: MultigridOptions,
) -> Smoothed:
    """Return a level with all those below it (collective)."""
    grid, space, halved = smoothing.grid, smoothing.stencil.space, smoothing.halved
    coarse_grid, fields = grid.coarser(halved), (smoothing.b, smoothing.fields)
    if isinstance(coefficients, LevelCoefficients):
        step = coefficients.coarsen(halved)
        coarse = build(coarse_grid, space, step.coarse, factor, formats[1:] or formats, options)
        others = (smoothing.stencil, coarse_grid, *fields, coarse.b, coarse.u)
        shared = depth(smoothing, coarse.b.format.compute.itemsize)
        return Smoothed(smoothing, coarse, UniformTransfers(step, shared, *others), options)
    assert smoothing.residual is not None
    interpolation = interpolate(coefficients, halved)
    product = galerkin(coefficients, interpolation)
    coarse = build(coarse_grid, space, product, factor, formats[1:] or formats, options)
    others = (smoothing.stencil, coarse_grid, *fields, coarse.b, coarse.u)
    return Smoothed(smoothing, coarse, GalerkinTransfers(interpolation, smoothing.residual, *others), options)


def plan(
    coefficients: LevelCoefficients | Couplings, grid: Cartesian, options: MultigridOptions
) -> tuple[str, tuple[bool, ...]]:
    """Return the smoother of a grid, and the axes along which the next one is coarser: none if smoothing is enough."""
    kind = choose_smoother(options.smoother, coefficients, grid)
    if coefficients.coupled() <= HARDLY:
        return kind, (False,) * grid.ndim
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
        Gives backend, ledger and the width of ghosts.
    coefficients : LevelCoefficients or Couplings
        Of the whole grid, FP64.
    factor : float
        The operator is this times the one of the coefficients.
    formats : tuple of Format
        This level's first.
    options : MultigridOptions
        Smoothing and cycles.
    """
    space = Space(grid.comm, like.backend, grid.shape, like.halo, like.ledger)
    cells = math.prod(grid.global_shape)
    kind, halved = plan(coefficients, grid, options)
    direct, coarser = cells <= DIRECT_CELLS, any(halved)
    thin = coarser and min(grid.smallest_shape) < THINNEST
    if grid.comm.size > 1 and (direct or cells <= GATHERED_CELLS or thin):
        return Gathered(grid, space, coefficients, factor, formats, options)
    if direct:
        return Direct(space, coefficients, factor, formats[0])
    smoothing = Smoothing(grid, space, coefficients, factor, formats[0], kind, halved)
    if not coarser:
        return Uncoupled(smoothing, options.sweeps_before + options.sweeps_after)
    return _with_coarser(smoothing, coefficients, factor, formats, options)
