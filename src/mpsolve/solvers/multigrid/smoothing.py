"""One grid of a cycle: its vectors, its operator, its smoother, and what smoothing leaves."""

from __future__ import annotations

import math

from mpsolve.field import Field
from mpsolve.formats.base import Format
from mpsolve.operators.diffusion import MIN_ROW, STRONG_ROWS
from mpsolve.parallel.cartesian import Cartesian
from mpsolve.parallel.halo import Halo
from mpsolve.parallel.space import Space
from mpsolve.solvers.multigrid import relaxation
from mpsolve.solvers.multigrid.coefficients import LevelCoefficients
from mpsolve.solvers.multigrid.couplings import Couplings
from mpsolve.solvers.multigrid.smoothers import Lines, Pointwise, Smoother, smallest_rough
from mpsolve.solvers.multigrid.stencil import Stencil


class Smoothing:
    """The fields of a grid, and steps on them.

    Parameters
    ----------
    grid : Cartesian
        The division.
    space : Space
        Its vectors.
    coefficients : LevelCoefficients or Couplings
        Of the whole grid, FP64.
    factor : float
        The operator is this times the one of the coefficients.
    format : Format
        Of the vectors.
    kind : str
        Of the smoother.
    halved : tuple of bool
        Axes along which the coarser grid has pairs of these cells; none where there is no coarser grid.

    Attributes
    ----------
    b, u : Field
        Right-hand side and solution.
    fields : tuple of Field
        `u`, and a second one that smoothing alternates with.
    residual : Field or None
        Scratch, where coefficients vary.
    notes : list of str
        See `Level.notes`.
    """

    def __init__(
        self,
        grid: Cartesian,
        space: Space,
        coefficients: LevelCoefficients | Couplings,
        factor: float,
        format: Format,
        kind: str,
        halved: tuple[bool, ...],
    ) -> None:
        self.grid, self.kind, self.halved = grid, kind, halved
        self.b, self.u, self._other = (space.zeros(format) for _ in range(3))
        self.fields = (self.u, self._other)
        self.stencil = Stencil(grid, space, coefficients, factor, format)
        self.residual = None if coefficients.uniform else space.zeros(format)
        self.smoother = self._made(coefficients, factor)
        self.notes = _cut_rows(coefficients, grid, kind)

    def _made(self, coefficients: LevelCoefficients | Couplings, factor: float) -> Smoother:
        corners = self.stencil.kind == relaxation.FULL
        exchange = [self._halo(field, corners).exchange for field in self.fields]
        # Where there is no coarser grid the diagonal is all that counts: whole steps along its inverse.
        kind, low = (self.kind, smallest_rough(self.halved)) if any(self.halved) else ("jacobi", 0.0)
        if kind == "lines":
            assert isinstance(coefficients, Couplings)
            assert self.residual is not None
            low = max(low, 0.5)
            return Lines(self.stencil, coefficients, factor, self.b, self.fields, self.residual, exchange, low)
        exchange_b = self._halo(self.b, False).exchange
        return Pointwise(kind, self.stencil, self.b, self.fields, exchange, exchange_b, low)

    def _halo(self, field: Field, corners: bool) -> Halo:
        return Halo(self.grid, [field], width=1, corners=corners, ledger=self.stencil.space.ledger)

    def finish(self, place: int) -> None:
        """Bring the result to `u` from the field of that number."""
        if place:
            self.u.storage[...] = self._other.storage

    def reduction(self) -> float:
        """Return what is left of the right-hand side, as a part; see `Level.reductions` (collective)."""
        self._halo(self.u, True).exchange()
        measure = self.stencil.space.bind(
            self.stencil.residual,
            [self._other],
            [self.u, self.b, *self.stencil.operator],
            dots=((0, 0), (2, 2)),
            phase="inner",
        )
        left, given = map(float, measure(*self.stencil.residual_scalars))
        if not math.isfinite(given):
            return math.inf
        return math.sqrt(left / given) if given > 0 and left < math.inf else (0.0 if given == 0 else math.nan)

    def describe(self) -> str:
        """Return cells, format and smoother."""
        return f"{'x'.join(map(str, self.grid.global_shape))} {self.b.format.name} {self.kind}"


def _cut_rows(coefficients: LevelCoefficients | Couplings, grid: Cartesian, kind: str) -> list[str]:
    """Say so if rows ought to be smoothed as a whole but cannot, because ranks share them."""
    if kind == "lines" or not isinstance(coefficients, Couplings) or grid.ranks_per_axis[-1] == 1:
        return []
    *across, along = coefficients.strengths()
    if coefficients.shape[-1] < MIN_ROW or along <= STRONG_ROWS * max(across):
        return []
    size = "x".join(map(str, grid.global_shape))
    return [
        f"rows of the grid of {size} cells are coupled {along / max(max(across), 1e-300):.0f} times stronger than "
        "columns, but are cut between ranks and so not smoothed as a whole: "
        "run.ranks with 1 for the last axis is faster"
    ]
