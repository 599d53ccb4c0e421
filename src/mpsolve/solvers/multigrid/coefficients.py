"""Coefficients of a diffusion operator on a grid and on its coarser ones, FP64.

Uniform operators are discretised anew on the wider cells. Of varying ones only the faces between two coarse cells
count, as in Galerkin's product with piecewise constant transfers, over the way between the centres: so jumps of the
conductivity need not lie on coarse faces (Wesseling, J. Comput. Phys. 79, 1988).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpsolve.operators.diffusion import Coefficients
from mpsolve.parallel.cartesian import Cartesian
from mpsolve.parallel.replicated import broadcast
from mpsolve.solvers.multigrid.axis import Axis, coarse_resistances, crossing_conductances

#: Axes coupled less than this part of the strongest one are not coarsened: smoothing does nothing along them.
WEAK = 0.25


@dataclass(frozen=True, eq=False)
class Coarsening:
    """The step from one grid to the next coarser one.

    Attributes
    ----------
    halved : tuple of bool
        Axes along which cells are paired.
    children : list of ndarray or None
        Per halved axis, the weight of each global fine cell in its coarse cell.
    beside : list of ndarray or None
        Per halved axis, the interpolation weight of each global fine cell: one-dimensional if uniform.
    coarse : LevelCoefficients
        Those of the coarser grid.
    """

    halved: tuple[bool, ...]
    children: list[NDArray[np.float64] | None]
    beside: list[NDArray[np.float64] | None]
    coarse: LevelCoefficients


@dataclass(frozen=True, eq=False)
class LevelCoefficients:
    """A diffusion operator on one grid, known to every rank as a whole.

    Attributes
    ----------
    axes : tuple of Axis
        The axes.
    faces : tuple of ndarray
        Conductances between neighbouring cells as in `Coefficients`, of the global grid: one-dimensional per axis if
        uniform, else with one more entry along the axis.
    reaction : float or ndarray
        As in `Coefficients`. Of a uniform operator per volume; of a varying one the mean over the finest cells.
    """

    axes: tuple[Axis, ...]
    faces: tuple[NDArray[np.float64], ...]
    reaction: float | NDArray[np.float64]

    @classmethod
    def finest(cls, grid: Cartesian, coefficients: Coefficients) -> LevelCoefficients:
        """Return the coefficients of the given grid, collected from all ranks if they vary (collective)."""
        axes = tuple(Axis(np.ones(n), wraps) for n, wraps in zip(grid.global_shape, grid.periodic, strict=True))
        if coefficients.uniform:
            return cls(axes, coefficients.faces, coefficients.reaction)
        faces = tuple(_whole_face(grid, face, number) for number, face in enumerate(coefficients.faces))
        return cls(axes, faces, _whole(grid, np.broadcast_to(coefficients.reaction, grid.shape)))

    @property
    def uniform(self) -> bool:
        """Whether face coefficients depend on their own axis only."""
        return self.faces[0].ndim == 1

    @property
    def shape(self) -> tuple[int, ...]:
        """Cells of the global grid."""
        return tuple(axis.cells for axis in self.axes)

    def strong_axes(self) -> tuple[bool, ...]:
        """Return the axes to coarsen: of several cells, and not much weaker coupled than another."""
        strengths = []
        for face, axis in zip(self.faces, self.axes, strict=True):
            inner = face[1:-1] / axis.widths[0] if self.uniform else face
            strengths.append(float(np.max(inner, initial=0.0)) if axis.cells > 1 else 0.0)
        largest = max(strengths)
        return tuple(strength > 0 and strength >= WEAK * largest for strength in strengths)

    def coarsen(self, halved: tuple[bool, ...]) -> Coarsening:
        """Return the step to the grid in which cells are paired along the halved axes."""
        axes = tuple(axis.coarser() if half else axis for axis, half in zip(self.axes, halved, strict=True))
        faces, beside, children = [], [], []
        for number, (axis, face, half) in enumerate(zip(self.axes, self.faces, halved, strict=True)):
            joined, weights = _series(axis, face, number) if half else (face, None)
            others = tuple(other and place != number for place, other in enumerate(halved))
            faces.append(joined if self.uniform else pair_sums(joined, others) * 0.5 ** sum(halved))
            beside.append(weights)
            uniform_weights = axis.children_weights() if self.uniform else np.full(axis.cells, 0.5)
            children.append(uniform_weights if half else None)
        reaction = self.reaction if self.uniform else pair_sums(np.asarray(self.reaction), halved) * 0.5 ** sum(halved)
        return Coarsening(halved, children, beside, LevelCoefficients(axes, tuple(faces), reaction))


def _series(axis: Axis, face: NDArray[np.float64], number: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coarsen the conductances along one axis of an array; return those of the coarse cells and the weights."""
    if face.ndim == 1:
        with np.errstate(divide="ignore"):
            joined, weights = coarse_resistances(axis, 1.0 / face)
            return np.where(joined > 0, 1.0 / joined, 0.0), weights
    conductance, weights = crossing_conductances(axis, np.moveaxis(face, number, -1))
    return np.moveaxis(conductance, -1, number), np.moveaxis(weights, -1, number)


def pair_sums(values: NDArray[np.float64], halved: Sequence[bool]) -> NDArray[np.float64]:
    """Return the sums over pairs of cells along the halved axes; a last cell without a partner stays alone."""
    for axis, half in enumerate(halved):
        if half:
            values = np.add.reduceat(values, np.arange(0, values.shape[axis], 2), axis)
    return np.array(values)


def _whole(grid: Cartesian, block: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a distributed array as a whole on every rank (collective)."""
    whole = grid.gather(np.ascontiguousarray(block))
    whole = np.empty(grid.global_shape) if whole is None else whole
    for row in whole:
        broadcast(grid.comm, row, 0)
    return whole


def _whole_face(grid: Cartesian, face: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Return face coefficients as a whole: the lower face of every cell, and the last face of the axis."""
    cells = grid.shape[axis]
    low, high = (_whole(grid, np.take(face, range(start, start + cells), axis)) for start in (0, 1))
    return np.concatenate([low, np.take(high, [-1], axis)], axis)
