"""What is wrong with a state, where, and which term of its tendency is the largest there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpsolve.field import Field
from mpsolve.models.shallow_water.passes import Terms
from mpsolve.models.shallow_water.stepping import Core

#: Names of the parts of a state.
PARTS = ("height", "eastward velocity", "northward velocity")


@dataclass(frozen=True, order=True)
class Trouble:
    """A bad value.

    Attributes
    ----------
    text : str
        What is wrong and where.
    part : str
        One of `PARTS`.
    row, column : int
        Where, on the whole grid.
    """

    text: str
    part: str
    row: int
    column: int


def trouble(core: Core) -> Trouble | None:
    """Return the first bad value of the state, the same on all ranks; None if there is none (collective)."""
    found = []
    for name, field in zip(PARTS, core.state, strict=True):
        values = field.to_numpy()
        if name == "height" and not core.method.advection:
            ground = 0.0 if core.bottom is None else core.bottom.to_numpy()
            found += _bad(core, core.physics.depth_m + values - ground <= 0, "the depth is not positive", name)
        found += _bad(core, ~np.isfinite(values), f"the {name} is not finite", name)
    return min((one for ones in core.grid.comm.allgather(found) for one in ones), default=None)


def _bad(core: Core, wrong: NDArray[np.bool_], text: str, part: str) -> list[Trouble]:
    if not wrong.any():
        return []
    row, column = (int(at) + start for at, start in zip(np.argwhere(wrong)[0], core.grid.lo, strict=True))
    return [Trouble(f"{text} in row {row}, column {column}", part, row, column)]


def overflow(core: Core) -> str:
    """Return which increment has left the range of its format; empty if none has (collective)."""
    found = [
        f"the increment of the {name} overflows {field.format.name} (largest {field.format.largest:.6g})"
        for increment in core.increments
        for name, field in zip(PARTS, increment, strict=True)
        if field.format.bits <= 16 and not np.isfinite(field.to_numpy()).all()
    ]
    return min((text for texts in core.grid.comm.allgather(found) for text in texts), default="")


def largest_term(core: Core, at: Trouble) -> str:
    """Return the term that moves a value most in the present state, with its size (collective)."""
    core.exchange()
    wide = [core.space.zeros(core.state[0].format) for _ in range(4)]
    Terms(core.place).bind(core.state, core.state, wide)((0.0, 0.0, 0.0))
    inside = all(a <= x < b for a, x, b in zip(core.grid.lo, (at.row, at.column), core.grid.hi, strict=True))
    text = _largest(core, at, wide) if inside else ""
    return max(core.grid.comm.allgather(text))


def _largest(core: Core, at: Trouble, kept: list[Field]) -> str:
    """Return the largest term at a place of this rank's block."""
    lo = (at.row - core.grid.lo[0] - 1, at.column - core.grid.lo[1] - 1)
    hi = (lo[0] + 3, lo[1] + 3)
    fields = [*core.state, *kept]
    e, u, v, s, k, d, z = (field.format.decode(field.read(lo, hi)).astype(np.float64) for field in fields)
    physics, geometry, row = core.physics, core.geometry, at.row
    dx, dy, edge = geometry.dx_m[row], geometry.dy_m, geometry.edge_m[row] or np.inf
    depth = physics.depth_m + e[1, 1]
    if at.part == "height":
        along, across = u[1, 2] - u[1, 1], v[2, 1] * geometry.edge_m[row + 1] - v[1, 1] * geometry.edge_m[row]
        terms = {
            "convergence along rows": -depth * along / dx,
            "convergence across rows": -depth * across / (dx * dy),
        }
        unit = "m/s"
    else:
        east = at.part == "eastward velocity"
        before, length = ((1, 0), dx) if east else ((0, 1), dy)
        other = v[1:, :2].mean() if east else -u[:2, 1:].mean()
        spin = (z[1, 1] - z[2, 1]) / dy if east else (z[1, 2] - z[1, 1]) / edge
        terms = {
            "pressure gradient": -physics.gravity_m_s2 * (e[1, 1] - e[before]) / length,
            "kinetic energy gradient": -(k[1, 1] - k[before]) / length,
            "vorticity flux": s[1, 1] * depth * other,
            "friction": (d[1, 1] - d[before]) / length + spin,
            "drag": -physics.drag_per_s * (u if east else v)[1, 1],
        }
        unit = "m/s2"
    name = max(terms, key=lambda name: np.nan_to_num(abs(terms[name]), nan=np.inf))
    return f"the largest term there a step before is the {name}, {terms[name]:.3g} {unit}"
