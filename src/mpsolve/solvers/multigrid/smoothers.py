"""Smoothers: steps along the inverse diagonal, or whole rows, that damp what a coarser grid cannot see."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable

from mpsolve.errors import UnknownNameError
from mpsolve.field import Field
from mpsolve.formats.base import Format
from mpsolve.operators.diffusion import MIN_ROW, STRONG_ROWS
from mpsolve.parallel.cartesian import Cartesian
from mpsolve.parallel.space import Space
from mpsolve.precision import get_format
from mpsolve.solvers.lines import factorise
from mpsolve.solvers.multigrid import relaxation
from mpsolve.solvers.multigrid.coefficients import LevelCoefficients
from mpsolve.solvers.multigrid.couplings import Couplings
from mpsolve.solvers.multigrid.options import SMOOTHERS
from mpsolve.solvers.multigrid.stencil import Stencil
from mpsolve.solvers.vectors import add_scaled, scaled_copy

#: Bound of the eigenvalues of A after division by its diagonal or by its rows (Gershgorin: both are dominant).
LARGEST_EIGENVALUE = 2.0


#: Polynomials of more steps damp waves that the coarser grid sees too, down to this part of the least eigenvalue that
#: it does not see: it is at its worst with the shortest of its waves. By trial, Poisson's equation on 256 x 256 cells.
DAMPED = {1: 1.0, 2: 0.8, 3: 0.65, 4: 0.6}
LEAST_DAMPED = 0.5


def smallest_rough(halved: tuple[bool, ...]) -> float:
    """Return the least eigenvalue, over the diagonal, of a wave that the coarser grid cannot see.

    The wave of four cells along one of k axes that are coupled alike has 2 of 2 k.
    """
    return 1.0 / max(sum(halved), 1) if sum(halved) != 1 else 0.8


def chebyshev_steps(count: int, low: float) -> list[float]:
    """Return the step lengths whose polynomial is smallest on the eigenvalues from ``low`` to the largest.

    The reciprocals of the roots of the Chebyshev polynomial (Golub and Varga, Numer. Math. 3, 1961).
    """
    middle, reach = (LARGEST_EIGENVALUE + low) / 2, (LARGEST_EIGENVALUE - low) / 2
    return [1.0 / (middle + reach * math.cos(math.pi * (2 * k + 1) / (2 * count))) for k in range(count)]


#: Fills the ghosts of a field.
Exchange = Callable[[], None]


class Smoother(ABC):
    """Moves between the two fields of a level."""

    @abstractmethod
    def start(self, count: int) -> int:
        """Do ``count`` steps from zero; return the number (0 or 1) of the field that holds the result (collective)."""

    @abstractmethod
    def run(self, count: int, place: int) -> int:
        """Do ``count`` steps from the field of that number; return that of the field with the result (collective)."""


class Pointwise(Smoother):
    """Damped Jacobi and Chebyshev steps, and red-black Gauss-Seidel.

    Parameters
    ----------
    kind : str
        ``"jacobi"``, ``"chebyshev"`` or ``"red_black"``.
    stencil : Stencil
        The level's operator.
    b : Field
        Right-hand side.
    fields : tuple of Field
        The two fields for the solution.
    exchange : list of callable
        Fills the ghosts of each of the two fields.
    exchange_b : callable
        Fills the ghosts of the right-hand side.
    low : float
        Least eigenvalue to damp.
    """

    def __init__(
        self,
        kind: str,
        stencil: Stencil,
        b: Field,
        fields: tuple[Field, Field],
        exchange: list[Exchange],
        exchange_b: Exchange,
        low: float,
    ) -> None:
        self.kind, self.stencil, self.b, self.fields = kind, stencil, b, fields
        self.exchange, self.exchange_b, self.low = exchange, exchange_b, low
        key = (b.ndim, stencil.kind)
        bind, loaded = stencil.space.bind, [*stencil.operator, *stencil.inverse]
        self._start = bind(relaxation.STARTS[key], [fields[0]], [b, *stencil.inverse], phase="inner", flops=3)
        self._pair = None
        if key == (2, relaxation.UNIFORM) and kind != "red_black":
            self._pair = bind(relaxation.first_uniform_2d, [fields[0]], [b, *loaded], phase="inner", flops=25)
        point = relaxation.COLOURED[key] if kind == "red_black" else relaxation.SWEEPS[key]
        more = stencil.parity if kind == "red_black" else []
        self._sweeps = [
            bind(point, [fields[1 - n]], [fields[n], b, *loaded, *more], phase="inner", flops=6 * b.ndim + 5)
            for n in (0, 1)
        ]

    def lengths(self, count: int) -> list[float]:
        """Return the lengths of steps along the stored inverse diagonal."""
        return [step * self.stencil.diagonal_scale for step in self._steps(count)]

    def _steps(self, count: int) -> list[float]:
        if self.kind == "jacobi":
            return [2.0 / (LARGEST_EIGENVALUE + self.low)] * count
        return chebyshev_steps(count, self.low * DAMPED.get(count, LEAST_DAMPED))

    def start(self, count: int) -> int:
        """Steps from zero; see `Smoother.start`."""
        if self.kind == "red_black" or count == 0:
            self.fields[0].storage[...] = 0
            return self.run(count, 0)
        steps = self._steps(count)
        if self._pair is not None and count >= 2:
            self.exchange_b()
            self._pair(self.stencil.scalar, steps[0] + steps[1], steps[0] * steps[1])
            return self._along(steps[2:], 0)
        self._start(steps[0] * self.stencil.diagonal_scale)
        return self._along(steps[1:], 0)

    def run(self, count: int, place: int) -> int:
        """Further steps; see `Smoother.run`."""
        if self.kind != "red_black":
            return self._along(self._steps(count), place)
        for _ in range(count):
            for sign in (0.5, -0.5):
                self.exchange[place]()
                self._sweeps[place](self.stencil.scalar, self.stencil.diagonal_scale, 0.5, sign)
                place = 1 - place
        return place

    def _along(self, steps: list[float], place: int) -> int:
        for step in steps:
            self.exchange[place]()
            self._sweeps[place](self.stencil.scalar, step * self.stencil.diagonal_scale)
            place = 1 - place
        return place


class Lines(Smoother):
    """Chebyshev steps along the exact solution of the coupling within rows, for rows that are coupled strongly.

    Parameters are those of `Pointwise`, the couplings with their factor, and a field for the residual.
    """

    def __init__(
        self,
        stencil: Stencil,
        level: Couplings,
        factor: float,
        b: Field,
        fields: tuple[Field, Field],
        residual: Field,
        exchange: list[Exchange],
        low: float,
    ) -> None:
        self.stencil, self.fields, self.exchange, self.low = stencil, fields, exchange, low
        space, format = stencil.space, b.format
        wide = get_format("fp64" if format.name == "fp64" else "fp32")
        factors = _row_factors(space, stencil.grid, level, factor, wide)
        self._residual, self._rows = residual, space.zeros(wide)
        point = stencil.residual
        self._residuals = [
            space.bind(point, [self._residual], [field, b, *stencil.operator], phase="inner", flops=6 * b.ndim + 4)
            for field in fields
        ]
        self._solve = space.bind_lines(self._rows, self._residual, factors, phase="inner")
        self._first = space.bind_lines(fields[0], b, factors, phase="inner")
        self._add = [space.bind(add_scaled, [field], [field, self._rows], phase="inner", flops=2) for field in fields]
        self._scale = space.bind(scaled_copy, [fields[0]], [fields[0]], phase="inner", flops=1)

    def start(self, count: int) -> int:
        """Steps from zero; see `Smoother.start`."""
        if count == 0:
            self.fields[0].storage[...] = 0
            return 0
        steps = chebyshev_steps(count, self.low)
        self._first()
        self._scale(steps[0])
        return self._along(steps[1:], 0)

    def run(self, count: int, place: int) -> int:
        """Further steps; see `Smoother.run`."""
        return self._along(chebyshev_steps(count, self.low), place)

    def _along(self, steps: list[float], place: int) -> int:
        for step in steps:
            self.exchange[place]()
            self._residuals[place](*self.stencil.residual_scalars)
            self._solve()
            self._add[place](step)
        return place


def _row_factors(
    space: Space, grid: Cartesian, level: Couplings, factor: float, wide: Format
) -> tuple[Field, Field, Field]:
    """Factorise the rows of this rank's block."""
    box = grid.slices
    along = level.before[(0,) * (grid.ndim - 1) + (-1,)][box] * factor
    lower, inverse, border = factorise(level.row_diagonal()[box] * factor, -along, -along[..., 0])
    first, second, third = (space.zeros(wide).set(values) for values in (lower, inverse, border))
    return first, second, third


def choose_smoother(name: str, level: LevelCoefficients | Couplings, grid: Cartesian) -> str:
    """Return the smoother of a level: whole rows if asked for or much the strongest coupled, and long enough.

    Raises
    ------
    UnknownNameError
        If the name is unknown.
    """
    if name not in (*SMOOTHERS, "auto"):
        raise UnknownNameError("smoother", name, (*SMOOTHERS, "auto"))
    if name not in ("auto", "lines"):
        return name
    if not isinstance(level, Couplings) or grid.ranks_per_axis[-1] > 1 or level.shape[-1] < MIN_ROW:
        return "chebyshev"
    *across, along = level.strengths()
    return "lines" if name == "lines" or along > STRONG_ROWS * max(across) else "chebyshev"
