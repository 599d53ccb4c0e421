"""Heat conduction in a box: a gallery problem on the cells of a Cartesian grid."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from mpsolve.models.base import DiffusiveModel
from mpsolve.models.gallery.base import HeatProblem
from mpsolve.operators.diffusion import DIRICHLET, NEUMANN, Coefficients, side_source, uniform_coefficients
from mpsolve.parallel.cartesian import Cartesian


class HeatModel(DiffusiveModel):
    """A heat problem on cells of equal size, second order in space.

    Parameters
    ----------
    problem : HeatProblem
        The equation, its sides and its exact solution.
    grid : Cartesian
        The division of the cells; its periodic axes are those of the problem.
    """

    quantity, unit, time_unit = "temperature", "K", "s"

    def __init__(self, problem: HeatProblem, grid: Cartesian) -> None:
        self.problem, self.grid, self.mass = problem, grid, 1.0
        self.spacing_m = tuple(size / n for size, n in zip(problem.lengths_m, grid.global_shape, strict=True))
        self.coefficients = self._coefficients()
        self._side_source = self._constant_source()

    @property
    def conductivity_m2_s(self) -> float:
        """The conductivity, or its value at the centre of the box if it varies."""
        if callable(self.problem.conductivity):
            return float(self.problem.conductivity(*(np.asarray(size / 2) for size in self.problem.lengths_m)))
        return self.problem.conductivity

    def coordinates_m(self, axis: int, faces: bool = False) -> NDArray[np.float64]:
        """Return this rank's cell centres, or its faces, along an axis."""
        places = np.arange(self.grid.lo[axis], self.grid.hi[axis] + faces) + (0.0 if faces else 0.5)
        return np.asarray(places * self.spacing_m[axis], np.float64)

    def _mesh(self, face_axis: int | None = None) -> list[NDArray[np.float64]]:
        axes = [self.coordinates_m(axis, faces=axis == face_axis) for axis in range(self.grid.ndim)]
        return list(np.meshgrid(*axes, indexing="ij", sparse=True))

    def _evaluate(self, function, face_axis: int | None = None) -> NDArray[np.float64]:
        shape = tuple(n + (axis == face_axis) for axis, n in enumerate(self.grid.shape))
        return np.array(np.broadcast_to(function(*self._mesh(face_axis)), shape))

    def _coefficients(self) -> Coefficients:
        problem = self.problem
        if not callable(problem.conductivity):
            shape, sides = self.grid.global_shape, problem.sides
            return uniform_coefficients(shape, self.spacing_m, sides, problem.conductivity, problem.reaction)
        faces = []
        for axis in range(self.grid.ndim):
            face = self._evaluate(problem.conductivity, axis) / self.spacing_m[axis] ** 2
            self._weigh_sides(face, axis)
            faces.append(face)
        return Coefficients(tuple(faces), np.full(self.grid.shape, problem.reaction))

    def _weigh_sides(self, face: NDArray[np.float64], axis: int) -> None:
        """Double the face coefficients on Dirichlet sides and drop those on Neumann sides, in place."""
        at_side = (self.grid.lo[axis] == 0, self.grid.hi[axis] == self.grid.global_shape[axis])
        for end, kind, here in zip((0, -1), self.problem.sides[axis], at_side, strict=True):
            layer = tuple(end if n == axis else slice(None) for n in range(self.grid.ndim))
            if here and kind in (DIRICHLET, NEUMANN):
                face[layer] *= 2.0 if kind == DIRICHLET else 0.0

    def _constant_source(self) -> NDArray[np.float64] | None:
        if self.problem.side_values is None:
            return None
        return side_source(self.grid, self.coefficients, self.problem.side_values)

    def initial(self) -> NDArray[np.float64]:
        """Return the exact solution at time 0."""
        return self.exact(0.0)

    def source(self, time: float) -> NDArray[np.float64] | None:
        """Return the source in K/s, with what fixed side values add; see `DiffusiveModel.source`."""
        if self.problem.source is None:
            return self._side_source
        values = self._evaluate(partial(self.problem.source, time))
        return values if self._side_source is None else values + self._side_source

    def exact(self, time: float) -> NDArray[np.float64]:
        """Return the analytic temperature in K."""
        return self._evaluate(partial(self.problem.exact, time))
