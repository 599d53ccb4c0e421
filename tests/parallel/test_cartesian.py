"""A grid is divided among any number of ranks, without gaps, with the least surface between blocks."""

import itertools
import math
import re
from types import SimpleNamespace

import numpy as np
import pytest

from mpsolve.errors import ShapeError
from mpsolve.parallel import cartesian
from mpsolve.parallel.cartesian import Cartesian
from mpsolve.parallel.rank_grid import choose_rank_grid

SHAPES = [(97,), (64, 32), (13, 41), (5, 128), (14, 8, 9), (16, 5, 11)]
SIZES = [1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13]


def blocks(size, shape, periodic=None, **options):
    """Return the blocks of all ranks, made without those ranks: creation is local."""
    periodic = periodic or (False,) * len(shape)
    ranks = (SimpleNamespace(rank=rank, size=size) for rank in range(size))
    return [Cartesian.create(comm, shape, periodic, **options) for comm in ranks]


def owners(grids):
    """Return the global array of the rank that holds each cell."""
    owner = np.full(grids[0].global_shape, -1)
    for rank, grid in enumerate(grids):
        assert (owner[grid.slices] == -1).all()
        owner[grid.slices] = rank
    return owner


def surface(owner, periodic):
    """Count the pairs of neighbouring cells on different ranks."""
    pairs = 0
    for axis, wraps in enumerate(periodic):
        differs = np.take(owner, range(1, owner.shape[axis]), axis) != np.take(
            owner, range(owner.shape[axis] - 1), axis
        )
        pairs += differs.sum()
        if wraps:
            pairs += (np.take(owner, 0, axis) != np.take(owner, -1, axis)).sum()
    return pairs


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", SIZES)
def test_every_cell_belongs_to_one_rank(size, shape):
    assert (owners(blocks(size, shape)) >= 0).all()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", SIZES)
def test_blocks_differ_by_at_most_one_cell_along_an_axis(size, shape):
    extents = np.array([grid.shape for grid in blocks(size, shape)])
    assert (extents.max(axis=0) - extents.min(axis=0) <= 1).all()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", SIZES)
def test_smallest_shape_is_that_of_the_thinnest_blocks(size, shape):
    grids = blocks(size, shape)
    assert grids[0].smallest_shape == tuple(np.min([grid.shape for grid in grids], axis=0))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [2, 6, 8, 12])
@pytest.mark.parametrize("wraps", [False, True])
def test_the_surface_between_blocks_is_the_least_possible(size, shape, wraps):
    # The oracle counts faces cell by cell, over all ways to cut; three axes suffice to hold any of them.
    periodic = (wraps,) + (False,) * (len(shape) - 1)
    ways = [
        way
        for way in itertools.product(range(1, size + 1), repeat=len(shape))
        if math.prod(way) == size and all(cells >= ranks for cells, ranks in zip(shape, way, strict=True))
    ]
    least = min(surface(owners(blocks(size, shape, periodic, ranks_per_axis=way)), periodic) for way in ways)
    assert surface(owners(blocks(size, shape, periodic)), periodic) == least


def test_among_equal_surfaces_the_first_axis_is_cut():
    assert choose_rank_grid(2, (64, 64), (False, False), 1, (0, 0)) == (2, 1)


def test_an_axis_that_may_not_be_cut_stays_whole():
    assert blocks(6, (12, 1024), split=(True, False))[0].ranks_per_axis == (6, 1)


def test_ranks_per_axis_are_obeyed():
    assert blocks(6, (12, 1024), ranks_per_axis=(3, 2))[0].ranks_per_axis == (3, 2)


def test_a_free_entry_of_ranks_per_axis_is_filled():
    assert blocks(12, (64, 64, 64), ranks_per_axis=(0, 3, 2))[0].ranks_per_axis == (2, 3, 2)


@pytest.mark.parametrize("periodic", list(itertools.product([False, True], repeat=2)))
@pytest.mark.parametrize("size", [1, 2, 3, 6, 8])
def test_neighbours_see_each_other(size, periodic):
    grids = blocks(size, (24, 24), periodic)
    for rank, grid in enumerate(grids):
        for direction in itertools.product((-1, 0, 1), repeat=2):
            other = grid.neighbour(direction)
            if other is not None:
                assert grids[other].neighbour(tuple(-step for step in direction)) == rank


def test_neighbours_hold_the_adjacent_cells():
    grids = blocks(6, (12, 12), ranks_per_axis=(3, 2))
    for grid in grids:
        below = grid.neighbour((1, 0))
        if below is None:
            assert grid.hi[0] == 12
        else:
            assert (grids[below].lo[0], grids[below].lo[1]) == (grid.hi[0], grid.lo[1])


def test_there_is_no_neighbour_beyond_a_side():
    first = blocks(4, (8, 8), (False, True), ranks_per_axis=(2, 2))[0]
    assert first.neighbour((-1, 0)) is None
    assert first.neighbour((-1, 1)) is None


def test_a_periodic_axis_on_one_rank_is_its_own_neighbour():
    assert blocks(1, (8, 8), (False, True))[0].neighbour((0, 1)) == 0


def test_both_neighbours_on_two_periodic_ranks_are_the_same_rank():
    first = blocks(2, (8, 8), (True, False), ranks_per_axis=(2, 1))[0]
    assert first.neighbour((-1, 0)) == first.neighbour((1, 0)) == 1


@pytest.mark.parametrize(
    ("size", "shape", "periodic", "options"),
    [
        (17, (16, 4), (False, False), {"split": (True, False)}),
        (13, (5, 5), (False, False), {}),
        (8, (16, 16, 16), (True, True, True), {"halo": 9}),
        (7, (20, 20), (False, False), {"halo": 3}),
        (6, (8, 100), (False, True), {"halo": 2, "ranks_per_axis": (0, 1)}),
        (4, (64, 2), (False, True), {"halo": 3, "split": (True, False)}),
    ],
)
def test_blocks_thinner_than_the_halo_are_refused_with_what_would_do(size, shape, periodic, options):
    with pytest.raises(ShapeError, match="these would do") as caught:
        blocks(size, shape, periodic, **options)
    advised = re.search(r"would do: (?:(\d+) ranks, or )?(\d+) ranks with a grid of ([\dx]+) cells", str(caught.value))
    ranks, same, grid = advised.groups()
    assert int(same) == size
    assert blocks(size, tuple(map(int, grid.split("x"))), periodic, **options)
    if ranks:
        assert blocks(int(ranks), shape, periodic, **options)
        with pytest.raises(ShapeError):
            blocks(int(ranks) + 1, shape, periodic, **options)


def test_ranks_per_axis_with_another_product_are_refused_with_the_right_number():
    with pytest.raises(ShapeError, match=r"among 6 ranks.*ranks_per_axis \(4, 2\).*8 ranks"):
        blocks(6, (64, 64), ranks_per_axis=(4, 2))


def test_a_fixed_axis_that_does_not_divide_the_ranks_is_refused_with_a_multiple():
    with pytest.raises(ShapeError, match="a multiple of 4 ranks"):
        blocks(6, (64, 64), ranks_per_axis=(4, 0))


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((), {}, "1, 2 or 3 axes"),
        ((4, 4, 4, 4), {}, "1, 2 or 3 axes"),
        ((8, 0), {}, "at least 1 cell"),
        ((8, -8), {}, "at least 1 cell"),
        ((8, 8), {"halo": -1}, "halo of 0 or more"),
        ((8, 8), {"split": (True,)}, "split has 1 entries for the 2 axes"),
        ((8, 8), {"ranks_per_axis": (1, 1, 1)}, "ranks_per_axis has 3 entries"),
        ((8, 8), {"ranks_per_axis": (-1, 0)}, "each entry is 0"),
        ((8, 8), {"ranks_per_axis": (2, 1), "split": (False, True)}, "must stay whole"),
    ],
)
def test_a_senseless_request_is_refused(shape, options, message):
    with pytest.raises(ShapeError, match=message):
        blocks(2, shape, (False,) * len(shape), **options)


def test_very_many_ranks_on_a_small_grid_are_refused_quickly():
    with pytest.raises(ShapeError, match="2048 ranks"):
        choose_rank_grid(99_991, (16, 128), (False, False), 1, (0, 0))


def whole_array(shape, dtype):
    return np.random.default_rng(5).integers(0, 256, (*shape, np.dtype(dtype).itemsize), np.uint8).view(dtype)[..., 0]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64, np.int64])
@pytest.mark.parametrize("shape", [(97,), (33, 17), (9, 10, 11)])
def test_gather_undoes_scatter(comm, shape, dtype):
    grid = Cartesian.create(comm, shape, (False,) * len(shape))
    whole = whole_array(shape, dtype)
    gathered = grid.gather(grid.scatter(whole if comm.rank == 0 else None))
    assert gathered is None if comm.rank else gathered.tobytes() == whole.tobytes()


def test_scatter_gives_each_rank_its_block(comm):
    grid = Cartesian.create(comm, (33, 17), (False, True))
    whole = whole_array((33, 17), np.float32)
    assert grid.scatter(whole if comm.rank == 0 else None).tobytes() == whole[grid.slices].tobytes()


def test_blocks_travel_in_several_slabs(comm, monkeypatch):
    monkeypatch.setattr(cartesian, "SLAB_BYTES", 100)
    grid = Cartesian.create(comm, (33, 17), (False, False))
    whole = whole_array((33, 17), np.int64)
    gathered = grid.gather(grid.scatter(whole if comm.rank == 0 else None))
    assert gathered is None if comm.rank else gathered.tobytes() == whole.tobytes()


def test_gather_takes_a_strided_block(comm):
    grid = Cartesian.create(comm, (33, 17), (False, False))
    padded = np.zeros((grid.shape[0] + 2, grid.shape[1] + 7))
    padded[1:-1, 3:-4] = comm.rank + 1
    gathered = grid.gather(padded[1:-1, 3:-4])
    assert gathered is None if comm.rank else set(np.unique(gathered)) == set(range(1, comm.size + 1))


@pytest.mark.parametrize("whole", [None, np.zeros((4, 4))])
def test_scatter_of_another_shape_is_refused_on_every_rank(comm, whole):
    grid = Cartesian.create(comm, (33, 17), (False, False))
    with pytest.raises(ShapeError, match=r"the grid has shape \(33, 17\)"):
        grid.scatter(whole)


def test_gather_of_another_shape_is_refused(comm):
    grid = Cartesian.create(comm, (33, 17), (False, False))
    with pytest.raises(ShapeError, match="to gather"):
        grid.gather(np.zeros((2, 2)))
