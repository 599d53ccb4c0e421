"""A problem on a divided grid: its constants and initial state, the largest stable step, and cores to step it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpsolve.backends.base import Backend
from mpsolve.ledger import Ledger
from mpsolve.models.shallow_water.polar_filter import PolarFilter
from mpsolve.models.shallow_water.problems.base import Problem
from mpsolve.models.shallow_water.stages import SCHEMES
from mpsolve.models.shallow_water.stepping import Core, Method, Physics
from mpsolve.parallel.cartesian import Cartesian
from mpsolve.parallel.reductions import maximum, total
from mpsolve.precision import Roles

Array = NDArray[Any]


def filters(problem: Problem, filter_rad: float) -> bool:
    """Return whether zonal waves are filtered from a latitude: on a sphere, unless it is the pole or beyond."""
    return problem.geometry.sphere and filter_rad < math.pi / 2


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
    """

    def __init__(self, problem: Problem, grid: Cartesian, filter_rad: float) -> None:
        self.problem, self.grid, self.filter_rad = problem, grid, filter_rad
        self.filtered = filters(problem, filter_rad)
        rows, columns = grid.slices
        geometry = problem.geometry
        y, x = geometry.y[rows, None], geometry.x[None, columns]
        self.height = np.broadcast_to(problem.height(y, x), grid.shape)
        self.eastward = np.broadcast_to(problem.eastward(y, geometry.x_edge[None, columns]), grid.shape)
        north = problem.northward(geometry.y_edge[:-1][rows, None], x)
        self.northward = np.broadcast_to(north, grid.shape) * geometry.open[:-1][rows, None]
        self.bottom = None if problem.bottom is None else np.broadcast_to(problem.bottom(y, x), grid.shape)
        cells = math.prod(grid.global_shape)
        self.depth_m = total(grid.comm, self.height) / cells

    def largest_dt_s(self, scheme: str) -> float:
        """Return the largest stable step: that of the fastest wave on the finest cell, with the flow (collective).

        A wave of two cells has the frequency ``2 c / dx`` on a staggered grid, and the flow carries it at ``u / dx``.
        """
        geometry, comm = self.problem.geometry, self.grid.comm
        deepest = maximum(comm, float(np.max(self.height)))
        speed = maximum(comm, float(np.max(np.hypot(self.eastward, self.northward))))
        wave = math.sqrt(self.problem.gravity_m_s2 * deepest)
        shortest = float(np.min(geometry.dx_m))
        if self.filtered:
            shortest = max(shortest, float(np.max(geometry.dx_m / np.cos(geometry.y))) * math.cos(self.filter_rad))
        inverse = math.hypot(1 / shortest, 1 / geometry.dy_m)
        return SCHEMES[scheme].limit / ((2 * wave + speed) * inverse)

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
    ) -> Core:
        """Return a core in the initial state (collective)."""
        problem = self.problem
        physics = Physics(
            self.depth_m, problem.gravity_m_s2, problem.viscosity_m2_s if viscosity_m2_s < 0 else viscosity_m2_s,
            drag_per_s, np.zeros(problem.geometry.shape[0]), self.bottom,
        )  # fmt: skip
        smooth = PolarFilter(problem.geometry, self.grid, self.filter_rad) if self.filtered else None
        core = Core(
            problem.geometry, self.grid, backend, ledger, roles, physics, Method(fluxes, scheme, dt_s, smooth)
        )  # fmt: skip
        core.set_state(self.height, self.eastward, self.northward)
        return core
