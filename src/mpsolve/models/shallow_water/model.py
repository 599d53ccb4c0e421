"""A problem on a divided grid: its constants and initial state, the largest stable step, and cores to step it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from mpsolve.backends.base import Backend
from mpsolve.ledger import Ledger
from mpsolve.models.shallow_water.method import Method, Physics, TermFormats
from mpsolve.models.shallow_water.polar_filter import PolarFilter
from mpsolve.models.shallow_water.problems.base import Problem
from mpsolve.models.shallow_water.stages import SCHEMES
from mpsolve.models.shallow_water.stepping import Core
from mpsolve.parallel.cartesian import Cartesian
from mpsolve.parallel.reductions import maximum, total
from mpsolve.precision import Roles

Array = NDArray[Any]


def filters(problem: Problem, filter_rad: float) -> bool:
    """Return whether zonal waves are filtered from a latitude: on a sphere, unless it is the pole or beyond.

    Not where the flow is fixed: there are no waves, and what crosses a pole is short there.
    """
    return problem.geometry.sphere and filter_rad < math.pi / 2 and not problem.advection


@dataclass(frozen=True, eq=False)
class Given:
    """What files give instead of the problem; global arrays at the centres of the cells, None where they do not.

    Attributes
    ----------
    ground_m : ndarray or None
        Height of the ground.
    state : tuple of ndarray, or None
        Height of the surface in m, eastward and northward velocity in m/s.
    """

    ground_m: Array | None = None
    state: tuple[Array, Array, Array] | None = None

    def halved(self) -> Given:
        """Return the means over squares of four cells."""

        def mean(values: Array) -> Array:
            rows, columns = values.shape
            return values.reshape(rows // 2, 2, columns // 2, 2).mean(axis=(1, 3))

        state = None if self.state is None else tuple(map(mean, self.state))
        return Given(None if self.ground_m is None else mean(self.ground_m), cast("Any", state))


class ShallowWaterModel:
    """A shallow-water problem on the block of this rank.

    Parameters
    ----------
    problem : Problem
        What is solved.
    grid : Cartesian
        The division of its grid.
    filter_rad : float
        Latitude from which zonal waves are filtered; pi / 2 or more: nowhere.
    given : Given
        What files give.
    """

    def __init__(self, problem: Problem, grid: Cartesian, filter_rad: float, given: Given | None = None) -> None:
        self.problem, self.grid, self.filter_rad, self.given = problem, grid, filter_rad, given or Given()
        self.filtered = filters(problem, filter_rad)
        rows, columns = grid.slices
        geometry = problem.geometry
        y, x = geometry.y[rows, None], geometry.x[None, columns]
        self.height = np.broadcast_to(problem.height(y, x), grid.shape)
        self.eastward = np.broadcast_to(problem.eastward(y, geometry.x_edge[None, columns]), grid.shape)
        north = problem.northward(geometry.y_edge[:-1][rows, None], x)
        self.northward = np.broadcast_to(north, grid.shape) * geometry.open[:-1][rows, None]
        self.bottom = None if problem.bottom is None else np.broadcast_to(problem.bottom(y, x), grid.shape)
        self._take_given()
        cells = math.prod(grid.global_shape)
        self.depth_m = total(grid.comm, self.height) / cells

    def _take_given(self) -> None:
        """Put the arrays of files in place of the problem's; velocities go to the faces between two cells."""
        given, slices = self.given, self.grid.slices
        if given.ground_m is not None:
            self.bottom = np.ascontiguousarray(given.ground_m[slices])
        if given.state is not None:
            height, east, north = given.state
            south = np.roll(north, 1, axis=0)
            faces = self.problem.geometry.open[:-1, None] * (north + south) / 2
            self.height = np.ascontiguousarray(height[slices])
            self.eastward = np.ascontiguousarray(((east + np.roll(east, 1, axis=1)) / 2)[slices])
            self.northward = np.ascontiguousarray(faces[slices])

    def answer(self, time_s: float) -> Array | None:
        """Return the exact height of the surface at a time, local block; None if it is not known."""
        if self.given.state is not None or self.given.ground_m is not None:
            return None
        if self.problem.answer is None:
            return self.height if self.problem.steady else None
        rows, columns = self.grid.slices
        geometry = self.problem.geometry
        return self.problem.answer(geometry.y[rows, None], geometry.x[None, columns], time_s)

    def _wind(self, wind_m_s2: float) -> Array:
        """Return the acceleration by the wind on each row: a cosine, zero at the southern and northern end."""
        y, edge = self.problem.geometry.y, self.problem.geometry.y_edge
        middle, width = (edge[0] + edge[-1]) / 2, edge[-1] - edge[0]
        return wind_m_s2 * np.cos(np.pi * (y - middle) / width)

    def largest_dt_s(
        self, scheme: str, viscosity_m2_s: float = -1.0, hyperviscosity_m4_s: float = 0.0, drag_per_s: float = 0.0
    ) -> float:
        """Return the largest stable step: that of the fastest wave on the finest cell, with the flow (collective).

        A wave of two cells has the frequency ``2 c / dx`` on a staggered grid, and the flow carries it at ``u / dx``.
        Friction of rate r and waves of frequency w together are stable inside an ellipse.

        Parameters
        ----------
        scheme : str
            One of `SCHEMES`.
        viscosity_m2_s, hyperviscosity_m4_s : float
            Of the velocities; a negative viscosity is that of the problem.
        drag_per_s : float
            Of the velocities.
        """
        geometry, comm, chosen = self.problem.geometry, self.grid.comm, SCHEMES[scheme]
        if self.problem.advection:
            dx = geometry.dx_m[self.grid.slices[0], None]
            rate = float(np.max(np.abs(self.eastward) / dx + np.abs(self.northward) / geometry.dy_m))
            return chosen.limit / maximum(comm, rate)
        deepest = maximum(comm, float(np.max(self.height)))
        speed = maximum(comm, float(np.max(np.hypot(self.eastward, self.northward))))
        wave = math.sqrt(self.problem.gravity_m_s2 * deepest)
        dx = geometry.dx_m
        shortest = float(np.min(dx))
        if self.filtered:
            shortest = max(shortest, float(np.max(dx / np.cos(geometry.y))) * math.cos(self.filter_rad))
        frequency = (2 * wave + speed) * math.hypot(1 / shortest, 1 / geometry.dy_m)
        viscosity = self.problem.viscosity_m2_s if viscosity_m2_s < 0 else viscosity_m2_s
        # The filter slows friction on rows shorter than the shortest one by their ratio.
        squared = 4 / dx**2 + 4 / geometry.dy_m**2
        rates = (viscosity * squared + hyperviscosity_m4_s * squared**2) * np.minimum(1.0, dx / shortest) + drag_per_s
        return 1 / math.hypot(frequency / chosen.limit, float(np.max(rates)) / chosen.decay)

    def core(
        self,
        backend: Backend,
        ledger: Ledger,
        roles: Roles,
        *,
        fluxes: str,
        scheme: str,
        dt_s: float,
        drag_per_s: float,
        viscosity_m2_s: float,
        wind_m_s2: float = 0.0,
        hyperviscosity_m4_s: float = 0.0,
        terms: TermFormats | None = None,
    ) -> Core:
        """Return a core in the initial state (collective)."""
        problem = self.problem
        physics = Physics(
            self.depth_m, problem.gravity_m_s2, problem.viscosity_m2_s if viscosity_m2_s < 0 else viscosity_m2_s,
            drag_per_s, self._wind(wind_m_s2), self.bottom, hyperviscosity_m4_s,
        )  # fmt: skip
        smooth = PolarFilter(problem.geometry, self.grid, self.filter_rad, ledger) if self.filtered else None
        method = Method(fluxes, scheme, dt_s, smooth, terms or TermFormats(), problem.advection)
        core = Core(problem.geometry, self.grid, backend, ledger, roles, physics, method)
        core.set_state(self.height, self.eastward, self.northward)
        return core
