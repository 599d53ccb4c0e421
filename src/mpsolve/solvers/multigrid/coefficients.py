"""Coefficients of a uniform diffusion operator on a grid and on its coarser ones, FP64.

It is discretised anew on the wider cells, and kept as vectors. Varying ones are in `couplings.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpsolve.operators.diffusion import Coefficients
from mpsolve.parallel.cartesian import Cartesian
from mpsolve.solvers.multigrid.axis import Axis, coarse_resistances
from mpsolve.solvers.multigrid.couplings import WEAK


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
        Per halved axis, the interpolation weight of each global fine cell.
    coarse : LevelCoefficients
        Those of the coarser grid.
    """

    halved: tuple[bool, ...]
    children: list[NDArray[np.float64] | None]
    beside: list[NDArray[np.float64] | None]
    coarse: LevelCoefficients


@dataclass(frozen=True, eq=False)
class LevelCoefficients:
    """A uniform diffusion operator on one grid.

    Attributes
    ----------
    axes : tuple of Axis
        The axes.
    faces : tuple of ndarray
        Conductances between neighbouring cells as in `Coefficients`, of the global grid: one-dimensional per axis.
    reaction : float
        As in `Coefficients`, per volume.
    """

    axes: tuple[Axis, ...]
    faces: tuple[NDArray[np.float64], ...]
    reaction: float

    uniform = True

    @classmethod
    def finest(cls, grid: Cartesian, coefficients: Coefficients) -> LevelCoefficients:
        """Return the coefficients of the given grid."""
        axes = tuple(Axis(np.ones(n), wraps) for n, wraps in zip(grid.global_shape, grid.periodic, strict=True))
        return cls(axes, coefficients.faces, float(coefficients.reaction))

    @property
    def shape(self) -> tuple[int, ...]:
        """Cells of the global grid."""
        return tuple(axis.cells for axis in self.axes)

    def coupled(self) -> float:
        """Bound the part of a row beside the diagonal, over the diagonal."""
        pairs = zip(self.axes, self.faces, strict=True)
        beside = sum(float(np.max((face[:-1] + face[1:]) / axis.widths)) for axis, face in pairs)
        return beside / (self.reaction + beside) if beside > 0 else 0.0

    def strong_axes(self, lines: bool = False) -> tuple[bool, ...]:
        """Return the axes to coarsen: of several cells, and not much weaker coupled than another."""
        strengths = [
            float(np.max(face[1:-1], initial=0.0)) / axis.widths[0] if axis.cells > 1 else 0.0
            for face, axis in zip(self.faces, self.axes, strict=True)
        ]
        return tuple(strength > 0 and strength >= WEAK * max(strengths) for strength in strengths)

    def coarsen(self, halved: tuple[bool, ...]) -> Coarsening:
        """Return the step to the grid in which cells are paired along the halved axes."""
        axes = tuple(axis.coarser() if half else axis for axis, half in zip(self.axes, halved, strict=True))
        faces, beside, children = [], [], []
        for axis, face, half in zip(self.axes, self.faces, halved, strict=True):
            joined, weights = _series(axis, face) if half else (face, None)
            faces.append(joined)
            beside.append(weights)
            children.append(axis.children_weights() if half else None)
        return Coarsening(halved, children, beside, LevelCoefficients(axes, tuple(faces), self.reaction))


def _series(axis: Axis, face: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coarsen the conductances along one axis; return those of the coarse cells and the weights."""
    with np.errstate(divide="ignore"):
        joined, weights = coarse_resistances(axis, 1.0 / face)
        return np.where(joined > 0, 1.0 / joined, 0.0), weights
