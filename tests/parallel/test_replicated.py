"""Sums over ranks that end with the same bits on all of them."""

import numpy as np
import pytest

from mpsolve.ledger import Ledger
from mpsolve.parallel.replicated import broadcast, total_at, total_everywhere

pytestmark = pytest.mark.ranks


def test_every_rank_has_the_same_sum(comm):
    values = np.random.default_rng(comm.rank).standard_normal((2, 50))
    parts = comm.allgather(values)
    total = total_everywhere(comm, values)
    exact = np.sum(np.array(parts, np.longdouble), axis=0)
    assert np.all(np.abs(total - exact) <= comm.size * 2.0**-53 * np.sum(np.abs(parts), axis=0))
    assert all(np.array_equal(total, other) for other in comm.allgather(total))


def test_the_largest_of_each_is_found(comm):
    values = np.random.default_rng(comm.rank).standard_normal(20)
    parts = comm.allgather(values)
    assert np.array_equal(total_everywhere(comm, values, largest=True), np.max(parts, axis=0))


def test_a_sum_can_go_to_one_rank(comm):
    root = comm.size - 1
    total = total_at(comm, np.full(3, comm.rank + 1.0), root)
    if comm.rank == root:
        assert np.array_equal(total, np.full(3, comm.size * (comm.size + 1) / 2))


def test_an_array_is_broadcast_in_place(comm):
    values = np.full(4, float(comm.rank))
    broadcast(comm, values, comm.size - 1)
    assert np.all(values == comm.size - 1)
    broadcast(comm, values[:0], 0)


def test_the_work_is_counted_where_there_is_any(comm):
    ledger = Ledger()
    total_everywhere(comm, np.zeros(5), ledger, "solve")
    counted = ledger.to_dict()
    assert counted == {} if comm.size == 1 else counted["solve"]["fp64"]["message_bytes"] == 80
