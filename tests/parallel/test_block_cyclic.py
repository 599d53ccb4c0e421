"""Block-cyclic layouts: every element has one owner, and matrices travel there and back unchanged."""

import numpy as np
import pytest

from mpsolve.errors import ShapeError
from mpsolve.parallel.alone import Alone
from mpsolve.parallel.block_cyclic import Axis, BlockCyclic, ProcessGrid

pytestmark = pytest.mark.ranks

LENGTHS = [(1, 1, 1), (10, 3, 2), (7, 7, 3), (5, 8, 2), (64, 8, 4), (65, 8, 3), (3, 1, 5)]


@pytest.mark.parametrize(("n", "block", "parts"), LENGTHS)
def test_every_index_has_one_owner(n, block, parts):
    axes = [Axis(n, block, parts, part) for part in range(parts)]
    assert sorted(np.concatenate([axis.indices() for axis in axes])) == list(range(n))
    assert [axis.count for axis in axes] == [len(axis.indices()) for axis in axes]
    for axis in axes:
        assert all(axis.owner(index // block) == axis.part for index in axis.indices())


@pytest.mark.parametrize(("n", "block", "parts"), LENGTHS)
def test_the_local_place_of_an_index_is_the_number_of_those_below_it(n, block, parts):
    for part in range(parts):
        axis = Axis(n, block, parts, part)
        assert [axis.local(index) for index in range(n + 1)] == [
            int(np.sum(axis.indices() < index)) for index in range(n + 1)
        ]


def test_pieces_can_start_at_a_block():
    axis = Axis(23, 4, 2, 1)
    assert [(there.start, there.stop, here.start) for there, here in axis.pieces(2)] == [(12, 16, 4), (20, 23, 8)]


@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (16, 16), (33, 20)])
@pytest.mark.parametrize("block", [1, 4, 50])
def test_a_matrix_is_scattered_and_gathered(comm, shape, block):
    layout = BlockCyclic.create(ProcessGrid.create(comm), shape, block)
    whole = np.arange(np.prod(shape), dtype=np.float64).reshape(shape)
    local = np.full(layout.shape, np.nan)
    layout.scatter(whole if comm.rank == 0 else None, local)
    assert np.array_equal(local, whole[np.ix_(layout.rows.indices(), layout.columns.indices())])
    gathered = layout.gather(local)
    assert np.array_equal(gathered, whole) if comm.rank == 0 else gathered is None


def test_tiles_cover_the_local_matrix_once(comm):
    layout = BlockCyclic.create(ProcessGrid.create(comm), (37, 29), 5)
    seen = np.zeros(layout.shape, int)
    rows, columns = layout.rows.indices(), layout.columns.indices()
    for there, here in layout.tiles(3):
        seen[here] += 1
        assert np.array_equal(rows[here[0]], np.arange(there[0].start, there[0].stop))
        assert np.array_equal(columns[here[1]], np.arange(there[1].start, there[1].stop))
    assert np.all(seen == 1)


def test_a_grid_is_near_a_square_and_its_communicators_are_rows_and_columns(comm):
    grid = ProcessGrid.create(comm)
    assert grid.rows * grid.columns == comm.size and grid.rows <= grid.columns
    assert (grid.row_comm.size, grid.column_comm.size) == (grid.columns, grid.rows)
    assert (grid.row_comm.rank, grid.column_comm.rank) == (grid.column, grid.row)


def test_one_side_of_the_grid_may_be_left_open(comm):
    tall = ProcessGrid.create(comm, comm.size)
    flat = ProcessGrid.create(comm, 0, comm.size)
    assert (tall.rows, tall.columns, flat.rows, flat.columns) == (comm.size, 1, 1, comm.size)


@pytest.mark.parametrize(("rows", "columns"), [(5, 7), (0, 11), (13, 0)])
def test_a_grid_that_does_not_match_says_which_would(rows, columns):
    with pytest.raises(ShapeError, match=r"does not match 1 ranks; take one of 1x1"):
        ProcessGrid.create(Alone(), rows, columns)


def test_a_matrix_of_another_shape_is_refused():
    layout = BlockCyclic.create(ProcessGrid.create(Alone()), (4, 4), 2)
    with pytest.raises(ShapeError, match=r"\(3, 4\)"):
        layout.scatter(np.zeros((3, 4)), np.zeros((4, 4)))


def test_an_empty_matrix_is_refused():
    with pytest.raises(ShapeError, match="at least 1"):
        BlockCyclic.create(ProcessGrid.create(Alone()), (0, 4), 2)
