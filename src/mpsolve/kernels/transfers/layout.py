"""How the cells of a coarse block lie over those of a fine block."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from numpy.typing import NDArray

from mpsolve.errors import ShapeError
from mpsolve.field import Field

#: Weights of an interpolation: per axis a vector by storage index of the fine block, None if the axis is kept; or a
#: field of the fine block for each coarse cell around, see `Backend.bind_prolongation`.
Weights = Sequence[NDArray | None] | Sequence[Field]


@dataclass(frozen=True)
class Overlay:
    """A coarse block over a fine one: along each halved axis, coarse cell I covers the fine cells 2 I and 2 I + 1.

    Attributes
    ----------
    halved : tuple of bool
        Axes along which two fine cells make a coarse one; along the others the cells are the same.
    first : tuple of int
        Fine interior index of the first child of coarse interior cell 0; 0, or 1 where the block starts with the
        second child of a cell of the block before.
    """

    halved: tuple[bool, ...]
    first: tuple[int, ...]

    def start(self, fine: Field, coarse: Field, axis: int) -> int:
        """Return the fine storage index of the first child of coarse storage index 0 (may be negative)."""
        factor = 2 if self.halved[axis] else 1
        return fine.origin[axis] + self.first[axis] - factor * coarse.origin[axis]

    def check(self, fine: Field, coarse: Field) -> None:
        """Refuse blocks that do not lie over each other.

        Raises
        ------
        ShapeError
            If the axes differ in number, or the children of the coarse cells leave the fine storage.
        """
        if not fine.ndim == coarse.ndim == len(self.halved) == len(self.first):
            raise ShapeError(f"fine, coarse and overlay have {fine.ndim}, {coarse.ndim} and {len(self.halved)} axes")
        for axis, (halved, first) in enumerate(zip(self.halved, self.first, strict=True)):
            last = first + (2 if halved else 1) * coarse.shape[axis]
            if first not in ((0, 1) if halved else (0,)) or not -1 <= last - fine.shape[axis] <= 1:
                raise ShapeError(
                    f"axis {axis}: {coarse.shape[axis]} coarse cells from fine cell {first} on do not cover "
                    f"{fine.shape[axis]} fine cells"
                )
            if last > fine.shape[axis] + fine.halo or coarse.halo < (1 if halved else 0):
                raise ShapeError(f"axis {axis}: a transfer needs a fine and a coarse halo of at least 1")


@dataclass(frozen=True, eq=False)
class Correction:
    """A coarse field, and how it is interpolated on a fine block.

    Attributes
    ----------
    coarse : Field
        The coarse field.
    overlay : Overlay
        How the blocks lie over each other.
    weights : sequence of ndarray or None
        Multilinear, see `Backend.bind_prolongation`.
    inside : tuple of (int, int)
        Per axis the first interior coordinate of the fine block that stands for a cell, ghosts included, and the one
        after the last: there is nothing to correct beyond.
    """

    coarse: Field
    overlay: Overlay
    weights: Sequence[NDArray | None]
    inside: tuple[tuple[int, int], ...]


def corners(halved: Sequence[bool]) -> list[tuple[int, ...]]:
    """Return the coarse cells around a fine one: 0 is the parent along an axis, 1 the coarse cell beside it."""
    return list(itertools.product(*((0, 1) if half else (0,) for half in halved)))
