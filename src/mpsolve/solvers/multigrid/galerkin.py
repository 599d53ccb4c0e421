"""Coarsen couplings: an interpolation that follows them, and the product of Galerkin.

Coarse cell I stands for the fine cells 2 I and 2 I + 1 of each halved axis and lies on the first of them. Cells with
odd indices are interpolated from the cells beside them as the operator itself would, with what couples them along the
other axes added up, so that P keeps currents continuous across jumps. Strong cells that this misses are in `points.py`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpsolve.kernels.transfers.layout import corners
from mpsolve.solvers.multigrid.couplings import Couplings, Offset, offsets_before
from mpsolve.solvers.multigrid.points import follow_missed

#: A reaction below this part of the diagonal does not make an interpolated value smaller. A strong cell between weak
#: ones would vanish from the coarse grid, although it is coupled to cells like it that are as far from others.
HELD = 0.1

#: Indices along each axis.
Places = Sequence[NDArray[np.int64]]


@dataclass(frozen=True, eq=False)
class Interpolation:
    """The interpolation from a coarse grid.

    Attributes
    ----------
    halved : tuple of bool
        Axes along which cells are paired.
    weights : dict
        Per corner (0, or 0 and 1 along a halved axis) the weight of the coarse cell that lies so many cells behind the
        parent, at each fine cell.
    missing : ndarray
        What the weights of a fine cell lack to 1.
    """

    halved: tuple[bool, ...]
    weights: dict[Offset, NDArray[np.float64]]
    missing: NDArray[np.float64]


def _pick(values: NDArray, places: Places) -> NDArray:
    """Return a part of an array by its indices along each axis; a view where they are evenly spaced."""
    slices = []
    for index in places:
        step = int(index[1] - index[0]) if len(index) > 1 else 1
        if step < 1 or not np.array_equal(index, np.arange(index[0], index[0] + step * len(index), step)):
            return values[np.ix_(*places)]
        slices.append(slice(int(index[0]), int(index[-1]) + 1, step))
    return values[tuple(slices)]


def interpolate(couplings: Couplings, halved: tuple[bool, ...]) -> Interpolation:
    """Return the interpolation that the couplings suggest; every weight lies between 0 and 1."""
    shape = couplings.shape
    weights = {corner: np.zeros(shape) for corner in corners(halved)}
    missing = np.zeros(shape)
    reaction = np.maximum(couplings.reaction, 0.0)
    held = np.where(reaction > HELD * couplings.diagonal, reaction, 0.0)
    first = tuple(slice(None, None, 2) if half else slice(None) for half in halved)
    weights[(0,) * len(shape)][first] = 1.0
    axes = [axis for axis, half in enumerate(halved) if half]
    for count in range(1, len(axes) + 1):
        for odd in itertools.combinations(axes, count):
            places = [np.arange(axis in odd, n, 2 if halved[axis] else 1) for axis, n in enumerate(shape)]
            if all(map(len, places)):
                _interpolate_between(couplings, weights, missing, held, odd, places)
    follow_missed(couplings, halved, weights, missing, HELD)
    return Interpolation(halved, weights, missing)


def _interpolate_between(
    couplings: Couplings,
    weights: dict[Offset, NDArray],
    missing: NDArray,
    held: NDArray,
    odd: Sequence[int],
    places: Places,
) -> None:
    """Fill in the cells that are odd along some axes, from those that are odd along fewer."""
    ndim, totals = len(places), {}
    here = np.ix_(*places)
    for step, values in couplings.around.items():
        projected = tuple(step[axis] if axis in odd else 0 for axis in range(ndim))
        if any(projected):
            totals[projected] = totals.get(projected, 0.0) + _pick(values, places)
    positive = {step: np.maximum(total, 0.0) for step, total in totals.items()}
    # Sums over strong rows may all come out below zero; then their sizes tell which way to look.
    lone = sum(positive.values(), np.zeros_like(missing[here])) == 0.0
    totals = {step: np.where(lone, np.abs(totals[step]), total) for step, total in positive.items()}
    whole = sum(totals.values(), _pick(held, places))
    inverse = np.divide(1.0, whole, out=np.zeros_like(whole), where=whole > 0)
    missing[here] = np.where(whole > 0, _pick(held, places) * inverse, 1.0)
    for step, total in totals.items():
        share = total * inverse
        beside = [(index + n) % cells for index, n, cells in zip(places, step, couplings.shape, strict=True)]
        missing[here] += share * _pick(missing, beside)
        choices = [((0, 1) if n == 0 else ((n + 1) // 2,)) if axis in odd else (0,) for axis, n in enumerate(step)]
        for corner in itertools.product(*choices):
            source = tuple(0 if n else place for n, place in zip(step, corner, strict=True))
            weights[corner][here] += share * _pick(weights[source], beside)


@dataclass(frozen=True, eq=False)
class _Leg:
    """Along one axis: from coarse cells through a fine cell and its neighbour to other coarse cells.

    Attributes
    ----------
    rows, fine, beside : ndarray of int
        Coarse cells, the fine cell, and its neighbour.
    corner, beside_corner : int
        Of the weight of the coarse cell at the fine cell, and of that of the other coarse cell at the neighbour.
    step, reach : int
        From the fine cell to its neighbour, and from the coarse cell to the other one.
    """

    rows: NDArray[np.int64]
    fine: NDArray[np.int64]
    corner: int
    step: int
    beside: NDArray[np.int64]
    beside_corner: int
    reach: int


def _legs(cells: int, halved: bool, periodic: bool) -> list[_Leg]:
    """Return all ways along an axis; those across the seam of an odd ring apart from the others."""
    if not halved:
        rows = np.arange(cells)
        return [_Leg(rows, rows, 0, step, (rows + step) % cells, 0, step) for step in (-1, 0, 1)]
    coarse = (cells + 1) // 2
    found: dict[tuple[int, int, int, int, int], list[int]] = {}
    for row in range(coarse):
        for place in (-1, 0, 1):
            fine = 2 * row + place
            if fine >= cells or (fine < 0 and (not periodic or cells % 2)):
                continue
            for step, corner, reach in _reached(row, fine, cells, periodic):
                found.setdefault((place, int(place < 0), step, corner, reach), []).append(row)
    legs = []
    for (place, corner, step, beside_corner, reach), given in found.items():
        rows = np.array(given)
        fine = (2 * rows + place) % cells
        legs.append(_Leg(rows, fine, corner, step, (fine + step) % cells, beside_corner, reach))
    return legs


def _reached(row: int, fine: int, cells: int, periodic: bool) -> Iterator[tuple[int, int, int]]:
    """Yield step, corner and reach of the coarse cells that the neighbours of a fine cell hang on."""
    for step in (-1, 0, 1):
        around, beside = divmod(fine + step, cells)
        if around != fine // cells and not periodic:
            continue
        parent = beside // 2 + around * ((cells + 1) // 2)
        for corner in (0, 1) if beside % 2 else (0,):
            yield step, corner, parent + corner - row


def galerkin(couplings: Couplings, interpolation: Interpolation) -> Couplings:
    """Return the couplings of the coarse grid, ``P^T A P``."""
    halved, weights = interpolation.halved, interpolation.weights
    shape, ndim = couplings.shape, len(halved)
    coarse = tuple((n + 1) // 2 if half else n for n, half in zip(shape, halved, strict=True))
    legs = [_legs(n, half, ring) for n, half, ring in zip(shape, halved, couplings.periodic, strict=True)]
    before = {step: np.zeros(coarse) for step in offsets_before(ndim, False)}
    operator = {**couplings.around, (0,) * ndim: -couplings.diagonal}
    for ways in itertools.product(*legs):
        reach, step = tuple(leg.reach for leg in ways), tuple(leg.step for leg in ways)
        if reach not in before or step not in operator:
            continue
        fine, beside = [leg.fine for leg in ways], [leg.beside for leg in ways]
        one = _pick(weights[tuple(leg.corner for leg in ways)], fine)
        other = _pick(weights[tuple(leg.beside_corner for leg in ways)], beside)
        _pick_into(before[reach], [leg.rows for leg in ways], one * _pick(operator[step], fine) * other)
    return Couplings(couplings.periodic, before, _row_sums(couplings, interpolation, legs, coarse))


def _pick_into(target: NDArray, places: Places, values: NDArray) -> None:
    """Add values to a part of an array."""
    target[np.ix_(*places)] += values


def _row_sums(
    couplings: Couplings, interpolation: Interpolation, legs: Sequence[Sequence[_Leg]], coarse: tuple[int, ...]
) -> NDArray[np.float64]:
    """Return ``P^T A P 1`` without cancellation: P 1 is 1 but for what is missing."""
    axes, missing = tuple(range(len(coarse))), interpolation.missing
    image = couplings.reaction * (1.0 - missing)
    if missing.any():
        for step, values in couplings.around.items():
            image += values * (np.roll(missing, [-n for n in step], axes) - missing)
    sums = np.zeros(coarse)
    # Every fine cell once for each coarse cell that it hangs on.
    own = [{(int(leg.fine[0] - 2 * leg.rows[0]), leg.corner): leg for leg in way if leg.step == 0} for way in legs]
    for ways in itertools.product(*(group.values() for group in own)):
        fine = [leg.fine for leg in ways]
        weight = _pick(interpolation.weights[tuple(leg.corner for leg in ways)], fine)
        _pick_into(sums, [leg.rows for leg in ways], weight * _pick(image, fine))
    return sums
