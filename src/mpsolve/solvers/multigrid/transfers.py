"""Carry residuals to the coarser grid and corrections back."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from mpsolve.backends.base import Launch
from mpsolve.field import Field
from mpsolve.kernels.transfers.layout import Correction, Overlay, corners
from mpsolve.parallel.cartesian import Cartesian
from mpsolve.parallel.halo import Halo
from mpsolve.solvers.multigrid import relaxation
from mpsolve.solvers.multigrid.coefficients import Coarsening
from mpsolve.solvers.multigrid.galerkin import Interpolation
from mpsolve.solvers.multigrid.gathers import GATHERS
from mpsolve.solvers.multigrid.stencil import Stencil, fill, local_vector


class Transfers(ABC):
    """Between the fields of a level and those of the coarser one.

    Parameters
    ----------
    stencil : Stencil
        The fine operator, with its grid and space.
    coarse_grid : Cartesian
        The coarser division.
    b : Field
        The fine right-hand side.
    fields : tuple of Field
        The two fields of the fine solution.
    coarse_b, coarse_u : Field
        Right-hand side and solution of the coarser grid.
    reach : int
        How deep the ghosts of the coarse solution are filled.
    """

    def __init__(
        self,
        stencil: Stencil,
        coarse_grid: Cartesian,
        b: Field,
        fields: tuple[Field, Field],
        coarse_b: Field,
        coarse_u: Field,
        reach: int = 1,
    ) -> None:
        self.stencil, self.grid, self.coarse_grid = stencil, stencil.grid, coarse_grid
        self.b, self.fields, self.coarse_b, self.coarse_u = b, fields, coarse_b, coarse_u
        self._below = self._halo(coarse_u, reach, grid=coarse_grid)

    @abstractmethod
    def restrict(self, place: int | None) -> None:
        """Set the coarse right-hand side to the residual of a field, by its number, or of zero (collective)."""

    def prolong(self, place: int) -> None:
        """Add the coarse solution to a field, by its number (collective)."""
        self.exchange_below()
        self._prolong[place]()
        self._count(self._prolong_work)

    def exchange_below(self) -> None:
        """Fill the ghosts of the coarse solution (collective)."""
        self._below.exchange()

    _prolong: list[Launch]
    #: Operations and numbers moved for each fine cell.
    _prolong_work: tuple[int, int]

    def _count(self, work: tuple[int, int]) -> None:
        flops, numbers = work
        cells = math.prod(self.grid.shape)
        size = cells * numbers * self.b.format.itemsize
        self.stencil.space.ledger.add("inner", self.b.format.name, flops=cells * flops, bytes=size)

    def _halo(self, field: Field, width: int, grid: Cartesian | None = None) -> Halo:
        return Halo(grid or self.grid, [field], width=width, corners=True, ledger=self.stencil.space.ledger)

    def _overlay(self, halved: tuple[bool, ...]) -> Overlay:
        lows = zip(self.coarse_grid.lo, self.grid.lo, halved, strict=True)
        return Overlay(halved, tuple(2 * coarse - fine if half else 0 for coarse, fine, half in lows))

    def _children(self, weights: list[NDArray[np.float64] | None]) -> list[NDArray | None]:
        """Return the local pieces of weights along the axes.

        None goes to a ghost that stands for the first cell of the next round of an odd periodic axis.
        """
        local: list[NDArray | None] = []
        for axis, weight in enumerate(weights):
            vector = None if weight is None else local_vector(weight, self.b, self.grid, axis)
            cells = self.grid.global_shape[axis]
            if vector is not None and cells % 2 and self.grid.hi[axis] == cells:
                vector[self.b.origin[axis] + self.grid.shape[axis] :] = 0.0
            local.append(vector)
        return local


class UniformTransfers(Transfers):
    """Between grids of uniform operators: weights along each axis; residual and restriction are one pass.

    Parameters
    ----------
    step : Coarsening
        Weights and axes.
    depth : int
        Smoothing steps that share a pass with the correction: ghosts are filled as deep as that needs. 0 if none do.
    """

    def __init__(self, step: Coarsening, depth: int, stencil: Stencil, *others) -> None:
        super().__init__(stencil, *others, reach=depth // 2 + 1)
        overlay, backend, self.depth = self._overlay(step.halved), stencil.space.backend, depth
        children = self._children(step.children)
        beside = [
            None if weight is None else local_vector(weight, self.b, self.grid, axis)
            for axis, weight in enumerate(step.beside)
        ]
        self._restrictions = [
            backend.bind_restriction(
                stencil.residual, self.coarse_b, [field, self.b, *stencil.operator], overlay, children
            )
            for field in self.fields
        ]
        self._restriction = backend.bind_restriction(relaxation.given, self.coarse_b, [self.b], overlay, children)
        self._prolong = [backend.bind_prolongation(field, self.coarse_u, overlay, beside) for field in self.fields]
        self.correction = Correction(self.coarse_u, overlay, beside, self._inside())
        # The second child of the last cell may lie one cell beyond the block, and its neighbour two.
        self._wide = [self._halo(field, max(2, depth)) for field in self.fields]
        self._corners = self._halo(self.b, max(1, depth - 1))
        self._prolong_work = 4, 2

    def _inside(self) -> tuple[tuple[int, int], ...]:
        """Return where there are cells, ghosts included, in the coordinates of the fine block."""
        axes = zip(self.grid.lo, self.grid.shape, self.grid.global_shape, self.grid.periodic, strict=True)
        halo = self.b.halo
        return tuple((-halo, n + halo) if wraps else (-lo, cells - lo) for lo, n, cells, wraps in axes)

    def exchange(self, place: int) -> None:
        """Fill the ghosts of a field, by its number (collective)."""
        self._wide[place].exchange()

    def restrict(self, place: int | None) -> None:
        """See `Transfers.restrict`."""
        self._corners.exchange()
        if place is None:
            self._restriction()
            self._count((2, 1))
            return
        self.exchange(place)
        self._restrictions[place](*self.stencil.residual_scalars)
        self._count((6 * self.b.ndim + 4, 2))


class GalerkinTransfers(Transfers):
    """Between grids of varying operators: a stored interpolation and its transpose.

    The residual is stored first: a coarse cell collects it from cells of its neighbours too.

    Parameters
    ----------
    interpolation : Interpolation
        Of the whole grid.
    residual : Field
        Scratch of the fine block.
    """

    def __init__(self, interpolation: Interpolation, residual: Field, stencil: Stencil, *others) -> None:
        super().__init__(stencil, *others)
        space, halved = stencil.space, interpolation.halved
        overlay, backend = self._overlay(halved), space.backend
        weights = [
            fill(space.zeros(self.b.format), interpolation.weights[corner], self.grid) for corner in corners(halved)
        ]
        ones = [np.ones(n) if half else None for n, half in zip(self.grid.global_shape, halved, strict=True)]
        self._residuals = [
            space.bind(
                stencil.residual,
                [residual],
                [field, self.b, *stencil.operator],
                phase="inner",
                flops=6 * self.b.ndim + 4,
            )
            for field in self.fields
        ]
        self._collect, self._collect_given = (
            backend.bind_restriction(GATHERS[halved], self.coarse_b, [field, *weights], overlay, self._children(ones))
            for field in (residual, self.b)
        )
        self._prolong = [backend.bind_prolongation(field, self.coarse_u, overlay, weights) for field in self.fields]
        self._around = [self._halo(field, 1) for field in self.fields]
        self._behind, self._behind_given = self._halo(residual, 1), self._halo(self.b, 1)
        self._prolong_work = 2 * len(weights), len(weights) + 2

    def restrict(self, place: int | None) -> None:
        """See `Transfers.restrict`."""
        if place is None:
            self._behind_given.exchange()
            self._collect_given()
        else:
            self._around[place].exchange()
            self._residuals[place](*self.stencil.residual_scalars)
            self._behind.exchange()
            self._collect()
        flops, numbers = self._prolong_work
        self._count((flops + 1, numbers))
