"""The stored operator of one multigrid level: what its point functions load, in the level's format."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from mpsolve.backends.base import Input
from mpsolve.field import Field
from mpsolve.formats.base import Format
from mpsolve.parallel.cartesian import Cartesian
from mpsolve.parallel.space import Space
from mpsolve.solvers.multigrid.coefficients import LevelCoefficients
from mpsolve.solvers.multigrid.couplings import Couplings
from mpsolve.solvers.multigrid.relaxation import FULL, RESIDUALS, STAR, UNIFORM


def largest_diagonal(format: Format) -> float:
    """Return the power of two near which the largest diagonal entry of an operator in a format is brought.

    With 1024, FP16 holds coefficients over a range of 1e6, and corrections, which are residuals over eigenvalues, stay
    within its range as well. Formats of 8 bits hold less of either.
    """
    return 1024.0 if format.largest > 1e4 else 16.0


def local_vector(values: NDArray[np.float64], field: Field, grid: Cartesian, axis: int) -> NDArray:
    """Return the piece of a global vector that belongs to a field's block, by storage index, in the compute type.

    Ghosts have the values of the cells they stand for; beyond a side, and in the row padding, there are zeros.
    """
    vector = np.zeros(field.storage.shape[axis] + 1, field.format.compute)
    index, inside = _global_indices(grid, axis, field.halo, len(values))
    start = field.origin[axis] - field.halo
    vector[start : start + len(index)] = np.where(inside, values[index], 0.0)
    return vector


def _global_indices(grid: Cartesian, axis: int, halo: int, count: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the global index of each cell of a block with ghosts, and whether there is such a cell."""
    index = np.arange(grid.lo[axis] - halo, grid.hi[axis] + halo)
    if grid.periodic[axis]:
        return index % grid.global_shape[axis], np.ones(len(index), bool)
    return np.clip(index, 0, count - 1), (index >= 0) & (index < count)


def fill(field: Field, values: NDArray[np.float64], grid: Cartesian) -> Field:
    """Store the block of a global array in a field, ghosts included, and return the field."""
    picks = [_global_indices(grid, axis, field.halo, values.shape[axis]) for axis in range(grid.ndim)]
    block = values[np.ix_(*(index for index, _ in picks))]
    for axis, (_, inside) in enumerate(picks):
        block = block * inside.reshape([-1 if other == axis else 1 for other in range(grid.ndim)])
    halo = (field.halo,) * grid.ndim
    high = tuple(n + h for n, h in zip(field.shape, halo, strict=True))
    field.write(field.format.encode(block), tuple(-h for h in halo), high)
    return field


class Stencil:
    """What the kernels of one level load beside the vectors, and the scalars that go with it.

    Parameters
    ----------
    grid : Cartesian
        The level's division.
    space : Space
        Its vectors; halo 2.
    coefficients : LevelCoefficients or Couplings
        FP64.
    factor : float
        The operator of the level is this times the one of the coefficients.
    format : Format
        Storage of varying coefficients.

    Attributes
    ----------
    operator : list
        Vectors (uniform) or fields (varying) that residuals load.
    inverse : list
        Those whose product is the inverse diagonal, over `diagonal_scale`.
    parity : list of ndarray
        Vectors whose product is 1 on every second cell and -1 on the others.
    uniform : bool
        Whether the coefficients are vectors.
    kind : str
        Key of the point functions: `UNIFORM`, `STAR` (couplings through faces) or `FULL` (to all cells around).
    scalar : float
        The reaction (uniform), or the factor of the stored coefficients (varying).
    diagonal_scale : float
        Factor of a step along the inverse diagonal.
    """

    def __init__(
        self,
        grid: Cartesian,
        space: Space,
        coefficients: LevelCoefficients | Couplings,
        factor: float,
        format: Format,
    ) -> None:
        self.grid, self.space, self.format, self.uniform = grid, space, format, coefficients.uniform
        star = isinstance(coefficients, Couplings) and coefficients.star
        self.kind = UNIFORM if coefficients.uniform else (STAR if star else FULL)
        self.operator: list[Input] = []
        self.inverse: list[Input] = []
        self.parity: list[NDArray] = []
        model = space.zeros(format)
        if isinstance(coefficients, LevelCoefficients):
            self._uniform(model, coefficients, factor)
        else:
            self._varying(coefficients, factor)
        for axis, cells in enumerate(grid.global_shape):
            signs = 1.0 - 2.0 * (np.arange(cells) % 2)
            self.parity.append(local_vector(np.asarray(signs, np.float64), model, grid, axis))

    @property
    def residual(self) -> Callable:
        """The point function of the residual."""
        return RESIDUALS[len(self.grid.global_shape), self.kind]

    @property
    def residual_scalars(self) -> tuple[float, ...]:
        """What the point function of the residual takes."""
        return (self.scalar,) if self.uniform else (1.0, -self.scalar)

    def _uniform(self, model: Field, level: LevelCoefficients, factor: float) -> None:
        self.scalar, self.diagonal_scale = float(level.reaction) * factor, 1.0
        sums, typical = [], []
        for number, (axis, face) in enumerate(zip(level.axes, level.faces, strict=True)):
            low, high = (side * factor / axis.widths for side in (face[:-1], face[1:]))
            self.operator += [local_vector(side, model, self.grid, number) for side in (low, high)]
            sums.append(low + high)
            typical.append(float(np.median(low + high)))
        diagonal = self.scalar + sum(typical)
        for number, (total, middle) in enumerate(zip(sums, typical, strict=True)):
            here = diagonal - middle + total
            # Exact but in corners, where the product of two corrections stands for their sum.
            weight = np.where(here > 0, (diagonal if number else 1.0) / np.where(here > 0, here, 1.0), 0.0)
            self.inverse.append(local_vector(weight, model, self.grid, number))

    def _varying(self, level: Couplings, factor: float) -> None:
        bound = level.bound()
        largest = float(np.max(bound))
        down = 2.0 ** math.frexp(largest / largest_diagonal(self.format))[1] if largest > 0 else 1.0
        self.scalar, self.diagonal_scale = factor * down, 1.0 / (factor * down)
        for values in (*level.before.values(), level.reaction):
            self.operator.append(fill(self.space.zeros(self.format), values / down, self.grid))
        inverse = np.divide(down, bound, out=np.zeros_like(bound), where=bound > 0)
        self.inverse.append(fill(self.space.zeros(self.format), inverse, self.grid))


def dense_matrix(level: LevelCoefficients | Couplings, factor: float) -> NDArray[np.float64]:
    """Return the operator of a whole, small grid as a matrix (per volume if uniform)."""
    shape = level.shape
    count = math.prod(shape)
    places = np.arange(count).reshape(shape)
    matrix = np.zeros((count, count))
    reaction = np.broadcast_to(level.reaction, shape)
    matrix[places.ravel(), places.ravel()] = reaction.ravel()
    if isinstance(level, Couplings):
        for step, values in level.around.items():
            rows, columns = places.ravel(), np.roll(places, [-n for n in step], tuple(range(len(shape)))).ravel()
            matrix[rows, rows] += values.ravel()
            np.add.at(matrix, (rows, columns), -values.ravel())
        return matrix * factor
    for axis, face in enumerate(level.faces):
        low, high = _sides(level, axis, face)
        for side, step in ((low, 1), (high, -1)):
            rows, columns = places, np.roll(places, step, axis)
            matrix[rows.ravel(), rows.ravel()] += side.ravel()
            inside = _has_neighbour(shape, axis, step, level.axes[axis].periodic)
            np.add.at(matrix, (rows[inside], columns[inside]), -side[inside])
    return matrix * factor


def _sides(level: LevelCoefficients, axis: int, face: NDArray) -> Sequence[NDArray]:
    """Return the coefficient towards the lower and the upper neighbour of every cell."""
    wide = [-1 if other == axis else 1 for other in range(len(level.shape))]
    widths = level.axes[axis].widths
    return [np.broadcast_to((part / widths).reshape(wide), level.shape) for part in (face[:-1], face[1:])]


def _has_neighbour(shape: tuple[int, ...], axis: int, step: int, periodic: bool) -> NDArray[np.bool_]:
    inside = np.ones(shape, bool)
    if not periodic:
        edge = 0 if step > 0 else -1
        inside[tuple(edge if other == axis else slice(None) for other in range(len(shape)))] = False
    return inside
