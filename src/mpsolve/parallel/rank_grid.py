"""Choose how many blocks a grid gets along each axis, or say which numbers would do."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

from mpsolve.errors import ShapeError


def choose_rank_grid(
    size: int, global_shape: Sequence[int], periodic: Sequence[bool], halo: int, wanted: Sequence[int]
) -> tuple[int, ...]:
    """Choose the number of blocks along each axis with the least surface between blocks.

    Parameters
    ----------
    size : int
        Number of ranks.
    global_shape : sequence of int
        Cells along each axis.
    periodic : sequence of bool
        Which axes are periodic.
    halo : int
        No block becomes thinner than this.
    wanted : sequence of int
        Number of blocks along each axis, 0 where it is free.

    Returns
    -------
    tuple of int
        Among equal surfaces the one with the smallest largest block, then with most cuts in the first axes, whose
        faces lie together in memory.

    Raises
    ------
    ShapeError
        If no division leaves blocks as thick as the halo.

    Examples
    --------
    >>> choose_rank_grid(8, (1024, 1024), (False, False), 1, (0, 0))
    (4, 2)
    >>> choose_rank_grid(7, (64, 1024), (False, False), 1, (0, 0))
    (1, 7)
    """
    grids = [grid for grid in _factorings(size, wanted) if _fits(grid, global_shape, periodic, halo)]
    if not grids:
        raise ShapeError(_advice(size, global_shape, periodic, halo, wanted))
    return min(grids, key=lambda grid: _cost(grid, global_shape, periodic))


def _factorings(size: int, wanted: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """List the ways to write ``size`` as a product of one factor an axis, respecting the wanted factors."""
    if not wanted:
        if size == 1:
            yield ()
        return
    for factor in [wanted[0]] if wanted[0] else _divisors(size):
        if size % factor == 0:
            for rest in _factorings(size // factor, wanted[1:]):
                yield (factor, *rest)


def _divisors(number: int) -> list[int]:
    """List the divisors of a number in rising order."""
    small = [factor for factor in range(1, math.isqrt(number) + 1) if number % factor == 0]
    return sorted({*small, *(number // factor for factor in small)})


def _needed(grid: Sequence[int], periodic: Sequence[bool], halo: int) -> tuple[int, ...]:
    """Return the cells that a rank grid needs along each axis: a periodic axis feeds its own halo even if uncut."""
    thinnest = max(halo, 1)
    return tuple(ranks * thinnest if ranks > 1 or wraps else 1 for ranks, wraps in zip(grid, periodic, strict=True))


def _fits(grid: Sequence[int], shape: Sequence[int], periodic: Sequence[bool], halo: int) -> bool:
    """Tell whether no block of a rank grid is thinner than the halo."""
    return all(cells >= least for cells, least in zip(shape, _needed(grid, periodic, halo), strict=True))


def _cost(grid: tuple[int, ...], shape: Sequence[int], periodic: Sequence[bool]) -> tuple:
    """Order rank grids: surface between blocks (cells), largest block (cells), cuts in the last axes."""
    volume = math.prod(shape)
    cuts = [0 if ranks == 1 else ranks - (not wraps) for ranks, wraps in zip(grid, periodic, strict=True)]
    surface = sum(cut * volume // cells for cut, cells in zip(cuts, shape, strict=True))
    largest = math.prod(-(-cells // ranks) for cells, ranks in zip(shape, grid, strict=True))
    return surface, largest, tuple(-ranks for ranks in grid)


def _advice(size: int, shape: Sequence[int], periodic: Sequence[bool], halo: int, wanted: Sequence[int]) -> str:
    """Say why a grid cannot be divided, and which number of ranks or which grid would do."""
    problem = f"{_product(shape)} cells cannot be divided among {size} ranks with blocks of at least {max(halo, 1)}"
    where = "" if not any(wanted) else f" and ranks_per_axis {tuple(wanted)} (0 = free)"
    most = min(size, math.prod(max(1, cells // max(halo, 1)) for cells in shape))
    counts = (count for count in range(most, 0, -1) if _possible(count, shape, periodic, halo, wanted))
    ways = [f"{count} ranks" for count in itertools.islice(counts, 1)]
    grids = [
        tuple(max(cells, least) for cells, least in zip(shape, _needed(grid, periodic, halo), strict=True))
        for grid in _factorings(size, wanted)
    ]
    if grids:
        ways.append(f"{size} ranks with a grid of {_product(min(grids, key=math.prod))} cells")
    elif all(wanted):
        ways.append(f"{math.prod(wanted)} ranks with a grid that is large enough")
    else:
        ways.append(f"a multiple of {math.prod(ranks or 1 for ranks in wanted)} ranks")
    return f"{problem} cells (the width of the halo){where}; these would do: {', or '.join(ways)}"


def _possible(size: int, shape: Sequence[int], periodic: Sequence[bool], halo: int, wanted: Sequence[int]) -> bool:
    """Tell whether a number of ranks can divide the grid."""
    return any(_fits(grid, shape, periodic, halo) for grid in _factorings(size, wanted))


def _product(shape: Sequence[int]) -> str:
    """Write a shape as 64x128."""
    return "x".join(str(cells) for cells in shape)
