"""Move coarse points to strong cells that an interpolation misses.

Where the conductivity jumps from cell to cell, a chain of strong cells may lie on odd indices alone: all its cells
would be interpolated through weak couplings, and its own level, which no smoothing changes, would be unknown to the
coarse grid. The coarse cell that such a cell belongs to follows it instead, if the cell it would follow is weak.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpsolve.solvers.multigrid.couplings import Couplings, Offset

#: A cell is missed if it is interpolated through less than this part of its strongest coupling.
PART = 0.1
#: Rounds in which cells beside those that were moved follow them: one for a cell, two for one behind it.
ROUNDS = 2

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class _Strengths:
    """Of each cell: its couplings that are positive, the strongest, and those that it is interpolated through."""

    around: dict[Offset, NDArray[np.float64]]
    strongest: NDArray[np.float64]
    used: NDArray[np.float64]


def _strengths(couplings: Couplings, odd: Sequence[Mask]) -> _Strengths:
    around = {step: np.maximum(values, 0.0) for step, values in couplings.around.items()}
    used = np.zeros(couplings.shape)
    for step, values in around.items():
        along = [mask for mask, n in zip(odd, step, strict=True) if n]
        used += np.where(np.logical_or.reduce(along), values, 0.0)
    return _Strengths(around, np.maximum.reduce(list(around.values())), used)


def follow_missed(
    couplings: Couplings,
    halved: tuple[bool, ...],
    weights: dict[Offset, NDArray[np.float64]],
    missing: NDArray[np.float64],
    held: float,
) -> None:
    """Change the weights of an interpolation, in place, so that no strong cell is missed that need not be.

    Parameters
    ----------
    couplings : Couplings
        The fine operator.
    halved : tuple of bool
        Axes along which cells are paired.
    weights, missing : dict and ndarray
        As in `Interpolation`.
    held : float
        Part of the reaction that a cell's strongest coupling must exceed: others need no coarse grid.
    """
    places = np.indices(couplings.shape)
    odd = [index % 2 * half == 1 for index, half in zip(places, halved, strict=True)]
    strengths, between = _strengths(couplings, odd), np.logical_or.reduce(odd)
    strong = strengths.strongest > held * np.maximum(couplings.reaction, 0.0)
    missed = between & strong & (strengths.used < PART * strengths.strongest)
    if not missed.any():
        return
    moved = _moved(missed, between, strengths.strongest, halved)
    for corner, values in weights.items():
        values[moved] = 0.0 if any(corner) else 1.0
    missing[moved] = 0.0
    beside, axes = missed.copy(), tuple(range(missed.ndim))
    for step, values in strengths.around.items():
        beside |= np.roll(missed, [-n for n in step], axes) & (values > PART * strengths.strongest)
    cells = np.nonzero(beside & between & ~moved)
    for _ in range(ROUNDS):
        _follow_neighbours(couplings.shape, halved, strengths.around, cells, weights, missing)


def _moved(missed: Mask, between: Mask, strongest: NDArray, halved: tuple[bool, ...]) -> Mask:
    """Return the cells that coarse points move to: at most one of each coarse cell, much stronger than its first."""
    padded = np.zeros([n + n % 2 if half else n for n, half in zip(missed.shape, halved, strict=True)])
    inside = tuple(slice(0, n) for n in missed.shape)
    padded[inside] = np.where(missed | ~between, strongest, 0.0)
    corners = list(itertools.product(*((0, 1) if half else (0,) for half in halved)))
    views = [
        tuple(slice(n, None, 2) if half else slice(None) for n, half in zip(corner, halved, strict=True))
        for corner in corners
    ]
    children = np.stack([padded[view] for view in views])
    choice = np.where(PART * children.max(0) > children[0], np.argmax(children, 0), 0)
    found = np.zeros(padded.shape, bool)
    for number, view in enumerate(views[1:], 1):
        found[view] = choice == number
    return found[inside]


def _follow_neighbours(
    shape: tuple[int, ...],
    halved: tuple[bool, ...],
    around: dict[Offset, NDArray[np.float64]],
    cells: tuple[NDArray[np.intp], ...],
    weights: dict[Offset, NDArray[np.float64]],
    missing: NDArray[np.float64],
) -> None:
    """Give some cells the weights of their neighbours, in proportion to the couplings, as far as they may have them."""
    sums = {corner: np.zeros(len(cells[0])) for corner in weights}
    parity = [index % 2 * half for index, half in zip(cells, halved, strict=True)]
    for step, values in around.items():
        if any(n and not half for n, half in zip(step, halved, strict=True)):
            # Their coarse cells lie beside those that these cells may hang on.
            continue
        there = [index + n for index, n in zip(cells, step, strict=True)]
        # Beyond the seam of an odd ring, the count of coarse cells is another one.
        whole = [(at >= 0) & (at < n) | (n % 2 == 0) for at, n in zip(there, shape, strict=True)]
        neighbour = tuple(at % n for at, n in zip(there, shape, strict=True))
        coupling = values[cells] * np.logical_and.reduce(whole)
        reach = [(odd + n) // 2 for odd, n in zip(parity, step, strict=True)]
        for source, given in weights.items():
            for corner in weights:
                axes = zip(reach, source, corner, parity, strict=True)
                fits = [(far + of == to) & (to <= odd) for far, of, to, odd in axes]
                sums[corner] += coupling * np.logical_and.reduce(fits) * given[neighbour]
    total = sum(sums.values(), np.zeros(len(cells[0])))
    known = tuple(index[total > 0] for index in cells)
    for corner, values in weights.items():
        values[known] = sums[corner][total > 0] / total[total > 0]
    missing[known] = 0.0
