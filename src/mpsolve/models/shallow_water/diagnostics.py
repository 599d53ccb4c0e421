"""Invariants and norms of errors, in FP64."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpsolve.field import Field
from mpsolve.models.shallow_water.stepping import Core
from mpsolve.parallel.halo import Halo
from mpsolve.parallel.reductions import maximum, total

Array = NDArray[Any]


def with_ghosts(field: Field) -> Array:
    """Return the decoded block with one ghost layer on each side; the ghosts must be valid."""
    high = tuple(n + 1 for n in field.shape)
    return field.format.decode(field.read((-1, -1), high)).astype(np.float64)


def vorticity(core: Core) -> Array:
    """Return relative vorticity at the south-west corners of this rank's cells, 1/s (collective)."""
    Halo(core.grid, core.state, width=1, corners=True).exchange()
    geometry, rows = core.geometry, core.grid.slices[0]
    _, u, v = (with_ghosts(field) for field in core.state)
    dx = _padded(geometry.dx_m, rows, geometry.periodic)[:, None]
    moved = u * dx
    around = (v[1:-1, 1:-1] - v[1:-1, :-2]) * geometry.dy_m - (moved[1:-1, 1:-1] - moved[:-2, 1:-1])
    return around * geometry.inverse_corner_area[rows, None]


def _padded(values: Array, rows: slice, periodic: bool) -> Array:
    """Return the entries of some rows with one more on each side, zero beyond a wall."""
    whole = np.concatenate([values[-1:], values, values[:1]]) if periodic else np.pad(values, 1)
    return whole[rows.start : rows.stop + 2]


def invariants(core: Core) -> dict[str, float]:
    """Return volume (m3), energy (m5/s2) and potential enstrophy (m/s2), each over density (collective)."""
    spin = vorticity(core)
    geometry, comm = core.geometry, core.grid.comm
    rows, columns = core.grid.slices
    e, u, v = (with_ghosts(field) for field in core.state)
    ground = np.zeros_like(e) if core.bottom is None else with_ghosts(core.bottom)
    h = core.physics.depth_m + e - ground
    area, edge_area = geometry.area_m2[rows, None], (geometry.edge_m * geometry.dy_m)[rows, None]
    here = h[1:-1, 1:-1]
    moving = 0.5 * (h[1:-1, 1:-1] + h[1:-1, :-2]) * u[1:-1, 1:-1] ** 2 * area
    moving = moving + 0.5 * (h[1:-1, 1:-1] + h[:-2, 1:-1]) * v[1:-1, 1:-1] ** 2 * edge_area
    resting = core.physics.gravity_m_s2 * (e[1:-1, 1:-1] + core.physics.depth_m) ** 2 * area
    fa, fb, fc = geometry.coriolis
    absolute = spin + fa[rows, None] + fb[rows, None] * fc[None, columns]
    corner = 0.25 * (h[1:-1, 1:-1] + h[1:-1, :-2] + h[:-2, 1:-1] + h[:-2, :-2])
    # A fixed flow also crosses dry ground.
    inside = (geometry.open[rows, None] > 0) & (corner != 0)
    enstrophy = np.where(inside, 0.5 * absolute**2 / np.where(inside, corner, 1.0) * edge_area, 0.0)
    kinetic, potential = 0.5 * total(comm, moving), 0.5 * total(comm, resting)
    return {
        "volume": total(comm, here * area),
        "energy": kinetic + potential,
        "kinetic_energy": kinetic,
        "potential_enstrophy": total(comm, enstrophy),
    }


def relative_norms(core: Core, values: Array, truth: Array) -> tuple[float, float, float]:
    """Return the area-weighted l1, l2 and linf norms of an error over those of the truth (collective)."""
    comm, area = core.grid.comm, core.geometry.area_m2[core.grid.slices[0], None]
    error = np.abs(values - truth)
    size = np.abs(truth)
    first = total(comm, error * area) / total(comm, size * area)
    second = np.sqrt(total(comm, error**2 * area) / total(comm, size**2 * area))
    largest = maximum(comm, float(error.max(initial=0.0))) / maximum(comm, float(size.max(initial=0.0)))
    return first, float(second), largest


def restore_energy(core: Core, energy: float) -> float:
    """Scale the velocities so that the energy is what it was; return the factor (collective)."""
    now = invariants(core)
    left = energy - (now["energy"] - now["kinetic_energy"])
    factor = float(np.sqrt(left / now["kinetic_energy"])) if left > 0 and now["kinetic_energy"] > 0 else 1.0
    for field in core.state[1:]:
        field.set(field.to_numpy() * factor)
    return factor
