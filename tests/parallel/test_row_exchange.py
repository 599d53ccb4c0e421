"""Row exchanges: the net effect of a sequence, on one rank and between ranks."""

import numpy as np
import pytest

from mpsolve.kernels.dense_array import ArrayKernels
from mpsolve.parallel.block_cyclic import BlockCyclic, ProcessGrid
from mpsolve.parallel.row_exchange import exchange_rows, net_exchange, permute

pytestmark = pytest.mark.ranks


def in_turn(values, first, pivots):
    values = values.copy()
    for row, pivot in enumerate(pivots, first):
        values[[row, pivot]] = values[[pivot, row]]
    return values


@pytest.mark.parametrize("seed", range(5))
def test_the_net_exchange_is_that_of_the_sequence(seed):
    rng = np.random.default_rng(seed)
    first, count, n = 3, 6, 20
    pivots = [int(rng.integers(first + step, n)) for step in range(count)]
    values = np.arange(n)
    permute(values, first, pivots)
    assert np.array_equal(values, in_turn(np.arange(n), first, pivots))


def test_rows_that_stay_are_not_moved():
    targets, sources = net_exchange(2, [2, 3, 4])
    assert len(targets) == len(sources) == 0


@pytest.mark.parametrize("seed", range(3))
def test_rows_are_exchanged_between_ranks_but_for_the_panel(comm, seed):
    n, block = 24, 3
    grid = ProcessGrid.create(comm, comm.size)
    layout = BlockCyclic.create(grid, (n, 8), block)
    rng = np.random.default_rng(seed)
    whole = rng.standard_normal((n, 8))
    pivots = [int(rng.integers(6 + step, n)) for step in range(block)]
    local = whole[layout.rows.indices()].copy()
    exchange_rows(grid.column_comm, layout.rows, local, 6, pivots, slice(2, 5), ArrayKernels())
    wanted = in_turn(whole, 6, pivots)
    wanted[:, 2:5] = whole[:, 2:5]
    assert np.array_equal(local, wanted[layout.rows.indices()])


def test_nothing_is_sent_where_nothing_moves(comm):
    grid = ProcessGrid.create(comm, comm.size)
    layout = BlockCyclic.create(grid, (12, 4), 2)
    local = np.zeros(layout.shape)
    assert exchange_rows(grid.column_comm, layout.rows, local, 0, [0, 1], slice(0, 0), ArrayKernels()) == (0, 0)
    assert exchange_rows(grid.column_comm, layout.rows, local, 0, [1, 5], slice(0, 4), ArrayKernels()) == (0, 0)
