"""Diffusion with reaction in flux form: A u = reaction u - sum over faces of c (u_neighbour - u)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpsolve.backends.base import Input
from mpsolve.errors import ConfigError, ShapeError
from mpsolve.field import Field
from mpsolve.formats.base import Format
from mpsolve.kernels.points.diffusion import CORRECTED, POINTS
from mpsolve.operators.base import Operator, Rows
from mpsolve.parallel.cartesian import Cartesian
from mpsolve.parallel.halo import Halo
from mpsolve.parallel.reductions import combine, maximum
from mpsolve.parallel.space import Space

#: Blocks with fewer cells are computed in one piece after the exchange: cutting them up costs more than it hides.
OVERLAP_CELLS = 1 << 16
#: Rows this much stronger coupled than columns are solved for as a whole.
STRONG_ROWS = 4.0
#: Shorter rows are no chain.
MIN_ROW = 3
PERIODIC, DIRICHLET, NEUMANN = "periodic", "dirichlet", "neumann"


@dataclass(frozen=True, eq=False)
class Coefficients:
    """FP64 coefficients of a diffusion operator.

    Attributes
    ----------
    faces : tuple of ndarray
        Per axis, the coefficients of the faces, the low face of the first cell first. Uniform: one-dimensional and
        global, of length n + 1 along the axis. Varying: local blocks with one more entry along the axis.
    reaction : float or ndarray
        The reaction; a number if uniform, else of the local shape.
    """

    faces: tuple[NDArray[np.float64], ...]
    reaction: float | NDArray[np.float64]

    @property
    def uniform(self) -> bool:
        """Whether face coefficients depend on their own axis only."""
        return self.faces[0].ndim == 1

    def shifted(self, mass: float | NDArray[np.float64], weight: float) -> Coefficients:
        """Return the coefficients of ``mass + weight A``: the matrix of an implicit step."""
        return Coefficients(tuple(weight * face for face in self.faces), mass + weight * self.reaction)


def uniform_coefficients(
    shape: Sequence[int],
    spacing: Sequence[float],
    sides: Sequence[tuple[str, str]],
    conductivity: float,
    reaction: float,
) -> Coefficients:
    """Return the coefficients of ``reaction u - div(conductivity grad u)`` on cells of equal size.

    Parameters
    ----------
    shape : sequence of int
        Global cells per axis.
    spacing : sequence of float
        Cell size per axis.
    sides : sequence of (str, str)
        Low and high side of each axis: ``"periodic"``, ``"dirichlet"`` (value on the face, half a cell away, hence
        twice the coefficient) or ``"neumann"`` (no flux, hence 0).
    conductivity, reaction : float
        In the units of spacing**2 / time and 1 / time.
    """
    weight = {PERIODIC: 1.0, DIRICHLET: 2.0, NEUMANN: 0.0}
    faces = []
    for cells, width, (low, high) in zip(shape, spacing, sides, strict=True):
        face = np.full(cells + 1, conductivity / width**2)
        face[0] *= weight[low]
        face[-1] *= weight[high]
        faces.append(face)
    return Coefficients(tuple(faces), float(reaction))


class Diffusion(Operator):
    """Diffusion with reaction on the blocks of a Cartesian grid.

    Ghosts beyond a physical side stay zero: a Dirichlet side with value g adds ``c g`` to the right-hand side, see
    `side_source`.

    Parameters
    ----------
    grid : Cartesian
        The division of the grid; 2 or 3 axes.
    space : Space
        Vectors of the grid's local shape with a halo of at least 1.
    coefficients : Coefficients
        FP64 coefficients.
    format : Format
        Format in which varying coefficients are stored; uniform ones are kept in the compute type.
    scale : float
        The coefficients are divided by this power of two.
    halo_format : Format, optional
        Narrower format of the halo messages.
    inner_halo_format : Format, optional
        The same for the operators that `in_format` makes. A residual needs its ghosts bit for bit, or it would be
        that of another system.

    Raises
    ------
    ShapeError
        If the grid has another number of axes, or the coefficients are neither all uniform nor all varying.
    ConfigError
        If a coefficient is not finite, a face within the grid is not positive, or one on a side or a reaction is
        negative: the message names the first such cell (collective).

    Attributes
    ----------
    singular : bool
        Whether constants are in the null space: nothing holds the solution, neither a side nor a reaction.
    """

    def __init__(
        self,
        grid: Cartesian,
        space: Space,
        coefficients: Coefficients,
        format: Format,
        *,
        scale: float = 1.0,
        halo_format: Format | None = None,
        inner_halo_format: Format | None = None,
    ) -> None:
        if grid.ndim not in (2, 3):
            raise ShapeError(f"diffusion needs a grid of 2 or 3 axes, not {grid.ndim}")
        if coefficients.uniform and np.ndim(coefficients.reaction):
            raise ShapeError("a reaction or mass that varies needs a face coefficient per cell as well")
        self.grid, self.space, self.format, self.scale = grid, space, format, scale
        self.halo_format, self.inner_halo_format = halo_format, inner_halo_format
        self.coefficients = coefficients
        self.singular = self._check()
        self._fields = [] if coefficients.uniform else self._stored()
        self.norm = self._bound() / scale

    def _check(self) -> bool:
        """Refuse bad coefficients on all ranks alike; return whether nothing holds the solution (collective)."""
        reaction = np.asarray(self.coefficients.reaction)
        bad = self._first(~(np.isfinite(reaction) & (reaction >= 0)), reaction, 0, "of the reaction")
        held = bool(np.any(reaction > 0))
        for axis, face in enumerate(self.coefficients.faces):
            side = np.zeros(face.shape, bool)
            layers = np.moveaxis(side, axis if face.ndim > 1 else 0, 0)
            layers[0], layers[-1] = _ends(self.grid, axis, face)
            wrong = ~(np.isfinite(face) & np.where(side, face >= 0, face > 0))
            bad += self._first(wrong, face, axis, f"of a face along axis {axis}")
            held = held or bool(np.any(face[side] > 0))
        verdicts = self.space.comm.allgather((min(bad, default=None), held))
        found = [verdict for verdict, _ in verdicts if verdict is not None]
        if found:
            cell, value, what = min(found)
            raise ConfigError(
                f"the coefficient {what} at cell {cell} is {value}; diffusion needs finite ones, positive between "
                "cells and not negative on sides and in the reaction"
            )
        return not any(held for _, held in verdicts)

    def _first(self, wrong: NDArray[np.bool_], values: NDArray, axis: int, what: str) -> list[tuple]:
        """Return the global cell, value and name of the first entry that is wrong; a face belongs to its upper cell."""
        if not wrong.any():
            return []
        place = tuple(map(int, np.unravel_index(int(np.argmax(wrong)), wrong.shape)))
        whole = wrong.ndim < self.grid.ndim
        cell = [0] * self.grid.ndim if whole else [at + lo for at, lo in zip(place, self.grid.lo, strict=True)]
        if wrong.ndim == 1:
            cell[axis] = place[0]
        last = (n - 1 for n in self.grid.global_shape)
        return [(tuple(map(min, cell, last)), float(values[place]), what)]

    def _stored(self) -> list[Field]:
        """Encode the varying coefficients: each face at the index of the cell above it, then the reaction."""
        stored = []
        for axis, face in enumerate(self.coefficients.faces):
            field = self.space.zeros(self.format)
            high = tuple(n + (other == axis) for other, n in enumerate(self.grid.shape))
            field.write(self.format.encode(face / self.scale), (0,) * self.grid.ndim, high)
            stored.append(field)
        reaction = np.broadcast_to(self.coefficients.reaction, self.grid.shape)
        return [*stored, self.space.zeros(self.format).set(reaction / self.scale)]

    def _bound(self) -> float:
        """Bound the infinity norm row by row (Gershgorin); a face on a physical side has no neighbour to count."""
        rows = np.abs(self.coefficients.reaction)
        for axis, face in enumerate(self.coefficients.faces):
            size = np.abs(face) * 2
            self._halve_sides(size, axis)
            along = axis if face.ndim > 1 else 0
            pairs = np.delete(size, -1, along) + np.delete(size, 0, along)
            rows = rows + (pairs if face.ndim > 1 else float(np.max(pairs, initial=0.0)))
        return maximum(self.space.comm, float(np.max(rows, initial=0.0)))

    def _halve_sides(self, size: NDArray, axis: int) -> None:
        """Halve the entries of the faces on physical sides, in place; varying faces are local, uniform ones global."""
        along = axis if size.ndim > 1 else 0
        for end, present in zip((0, -1), _ends(self.grid, axis, size), strict=True):
            if present:
                size[tuple(end if n == along else slice(None) for n in range(size.ndim))] /= 2

    def _vectors(self, fields: Sequence[Field]) -> list[NDArray]:
        """Return uniform face coefficients, laid out by storage index, in the compute type of these fields."""
        wide = any(field.format.compute == np.float64 for field in fields)
        vectors = []
        for axis, face in enumerate(self.coefficients.faces):
            vector = np.zeros(fields[0].storage.shape[axis] + 1, np.float64 if wide else np.float32)
            start, cells = fields[0].origin[axis], self.grid.shape[axis]
            vector[start : start + cells + 1] = face[self.grid.lo[axis] : self.grid.hi[axis] + 1] / self.scale
            vectors.append(vector)
        return vectors

    def affine(
        self, output: Field, u: Field, b: Field | None = None, *, dots: tuple[tuple[int, int], ...] = (), phase: str
    ) -> Callable[[float, float], NDArray[np.float64]]:
        """Bind ``output = p b + q A u``; see `Operator.affine`. The interior overlaps the halo exchange."""
        inputs = (u, b if b is not None else u, *self._loaded([output, u]))
        halo = Halo(self.grid, [u], width=1, format=self.halo_format, ledger=self.space.ledger)
        work = self._work(output, u, b, len(dots))
        point = POINTS[self.grid.ndim, self.coefficients.uniform]
        return self._overlapped(point, [output], inputs, halo, dots, {phase: (output.format.name, work)})

    def corrected(
        self, new: Field, residual: Field, scaled: Field, x: Field, correction: Field, b: Field
    ) -> Callable[[float, float], NDArray[np.float64]]:
        """Bind ``new = x + c correction`` and its residual in one pass; see `Operator.corrected`."""
        inputs = (x, correction, b, *self._loaded([new, x]))
        halo = Halo(self.grid, [x, correction], width=1, ledger=self.space.ledger)
        point = CORRECTED[self.grid.ndim, self.coefficients.uniform]
        cells = int(np.prod(self.grid.shape))
        # The residual is not written.
        more = cells * (sum(f.format.itemsize for f in (new, correction, scaled)) - residual.format.itemsize)
        work = {
            "residual": (residual.format.name, self._work(residual, x, b, 2)),
            "refinement": (scaled.format.name, {"flops": cells * (4 * self.grid.ndim + 3), "bytes": more}),
        }
        # The new iterate and the residual are fields 0 and 1.
        return self._overlapped(point, [new, residual, scaled], inputs, halo, ((1, 1), (0, 0)), work, scratch=(1,))

    def _loaded(self, fields: Sequence[Field]) -> Sequence[Input]:
        return self._vectors(fields) if self.coefficients.uniform else self._fields

    def _overlapped(
        self,
        point: Callable,
        outputs: Sequence[Field],
        inputs: Sequence[Input],
        halo: Halo,
        dots: tuple[tuple[int, int], ...],
        work: dict[str, tuple[str, dict[str, int]]],
        scratch: tuple[int, ...] = (),
    ) -> Callable[..., NDArray[np.float64]]:
        """Bind a point function on the inside, while the halo travels, and then on the shell; count work per phase."""
        inside, outside = (
            [
                self.space.backend.bind(point, outputs, inputs, lo=lo, hi=hi, dots=dots, scratch=scratch)
                for lo, hi in boxes
            ]
            for boxes in self._parts(halo)
        )
        reaction = (float(self.coefficients.reaction) / self.scale,) if self.coefficients.uniform else ()

        def call(p: float, q: float) -> NDArray[np.float64]:
            halo.start()
            bins = [launch(p, q, *reaction) for launch in inside]
            halo.finish()
            bins += [launch(p, q, *reaction) for launch in outside]
            for phase, (name, counts) in work.items():
                self.space.ledger.add(phase, name, **counts)
            return combine(self.space.comm, sum(bins[1:], bins[0])) if dots else np.empty(0)

        return call

    def _parts(self, halo: Halo):
        """Cut the block into boxes that need no ghosts and boxes that do; small blocks are not cut."""
        zero, shape = (0,) * self.grid.ndim, self.grid.shape
        if halo.messages == 0 or np.prod(shape) < OVERLAP_CELLS or min(shape) < 3:
            return [], [(zero, shape)]
        lo, hi = list(zero), list(shape)
        shell = []
        for axis in range(self.grid.ndim):
            if self.grid.ranks_per_axis[axis] == 1 and not self.grid.periodic[axis]:
                continue
            shell.append((tuple(lo), tuple(lo[axis] + 1 if n == axis else end for n, end in enumerate(hi))))
            shell.append((tuple(hi[axis] - 1 if n == axis else start for n, start in enumerate(lo)), tuple(hi)))
            lo[axis], hi[axis] = lo[axis] + 1, hi[axis] - 1
        return [(tuple(lo), tuple(hi))], shell

    def _work(self, output: Field, u: Field, b: Field | None, dots: int) -> dict[str, int]:
        """Count one application: 6 flops per axis and 4 more per cell, each array moved once."""
        cells = int(np.prod(self.grid.shape))
        arrays = [output, u, *([b] if b is not None and b is not u else []), *self._fields]
        flops = cells * (6 * self.grid.ndim + 4 + 2 * dots)
        return {"flops": flops, "bytes": cells * sum(x.format.itemsize for x in arrays), "reductions": int(dots > 0)}

    def in_format(self, format: Format) -> Diffusion:
        """Return the operator in a format, scaled so that the norm is about 1; see `Operator.in_format`."""
        scale = 2.0 ** int(np.frexp(self.norm * self.scale)[1]) if self.norm > 0 else 1.0
        halo_format = self.inner_halo_format or self.halo_format
        return Diffusion(self.grid, self.space, self.coefficients, format, scale=scale, halo_format=halo_format)

    def inverse_diagonal(self) -> NDArray[np.float64] | None:
        """Return 1 / diagonal of varying coefficients; None for uniform ones, whose diagonal is almost constant."""
        if self.coefficients.uniform:
            return None
        return self.scale / diagonal_of(self.coefficients.faces, self.coefficients.reaction)

    def rows(self) -> Rows | None:
        """Return the coupling along the last axis if that is not cut; see `Operator.rows`."""
        if self.coefficients.uniform or self.grid.ranks_per_axis[-1] > 1 or self.grid.shape[-1] < MIN_ROW:
            return None
        *others, along = self.coefficients.faces
        strongest = maximum(self.space.comm, float(np.max(along, initial=0.0)))
        across = maximum(self.space.comm, max(float(np.max(face, initial=0.0)) for face in others))
        ring = along[..., 0] if self.grid.periodic[-1] else np.zeros(self.grid.shape[:-1])
        off = -along[..., :-1] / self.scale
        diagonal = diagonal_of(self.coefficients.faces, self.coefficients.reaction)
        return Rows(diagonal / self.scale, off, -ring / self.scale, strongest > STRONG_ROWS * across)


def _ends(grid: Cartesian, axis: int, face: NDArray) -> tuple[bool, bool]:
    """Return whether the first and the last face of an array lie on a physical side; uniform arrays are global."""
    if grid.periodic[axis]:
        return False, False
    whole = face.ndim == 1
    return whole or grid.lo[axis] == 0, whole or grid.hi[axis] == grid.global_shape[axis]


def diagonal_of(faces: Sequence[NDArray[np.float64]], reaction: float | NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the diagonal of an operator with varying coefficients: the reaction and all faces of each cell (local).

    Parameters
    ----------
    faces : sequence of ndarray
        As in `Coefficients`, varying.
    reaction : float or ndarray
        As in `Coefficients`.
    """
    cells = [face.shape[axis] - 1 for axis, face in enumerate(faces)]
    diagonal = np.array(np.broadcast_to(reaction, cells))
    for axis, face in enumerate(faces):
        diagonal += np.take(face, range(cells[axis]), axis)
        diagonal += np.take(face, range(1, cells[axis] + 1), axis)
    return diagonal


def side_source(
    grid: Cartesian, coefficients: Coefficients, values: Sequence[tuple[float, float]]
) -> NDArray[np.float64]:
    """Return what fixed values on the sides add to the right-hand side: the face coefficient times the value.

    Parameters
    ----------
    grid : Cartesian
        The division of the grid.
    coefficients : Coefficients
        Those of the operator.
    values : sequence of (float, float)
        Value on the low and high side of each axis; without effect on Neumann and periodic sides.

    Returns
    -------
    ndarray, local shape
    """
    source = np.zeros(grid.shape)
    for axis, pair in enumerate(values):
        if grid.periodic[axis]:
            continue
        face = coefficients.faces[axis]
        at_side = (grid.lo[axis] == 0, grid.hi[axis] == grid.global_shape[axis])
        for end, value, here in zip((0, -1), pair, at_side, strict=True):
            if here:
                layer = tuple(end if n == axis else slice(None) for n in range(grid.ndim))
                source[layer] += np.take(face, end, axis if face.ndim > 1 else 0) * value
    return source
