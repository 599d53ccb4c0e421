"""Sums over ranks have the bits of one rank, whatever the split; NaN is never lost."""

import math

import numpy as np
import pytest

from mpsolve.bins import accumulate
from mpsolve.parallel.reductions import combine, dot, maximum, norm, total

pytestmark = pytest.mark.ranks


def numbers(count, seed=0):
    """Return the same random numbers of very different sizes on every rank."""
    generator = np.random.default_rng(seed)
    return generator.standard_normal(count) * 10.0 ** generator.integers(-12, 12, count)


def own(comm, values):
    """Return this rank's piece; the pieces are uneven, and empty where there are more ranks than values."""
    return np.array_split(values, comm.size)[comm.rank]


def same_everywhere(comm, value):
    return len({np.float64(given).tobytes() for given in comm.allgather(value)}) == 1


@pytest.mark.parametrize("count", [0, 1, 5, 1000])
@pytest.mark.parametrize("reduce", [total, norm, lambda comm, x: dot(comm, x, 3 * x)])
def test_the_split_changes_no_bit(comm, alone, reduce, count):
    values = numbers(count)
    distributed = reduce(comm, own(comm, values))
    assert distributed == reduce(alone, values)
    assert same_everywhere(comm, distributed)


def test_a_dot_is_near_the_exact_one(comm):
    left, right = numbers(300, 1), numbers(300, 2)
    products = left * right
    # Unit of the lowest bin: 2^-59 of the largest product; both sums round once.
    slack = 300 * np.abs(products).max() * 2.0**-60 + abs(math.fsum(products)) * 2.0**-52
    assert abs(dot(comm, own(comm, left), own(comm, right)) - math.fsum(products)) <= slack


def test_combine_adds_each_sum_on_its_own(comm):
    bins = np.stack([accumulate(np.array([float(comm.rank)])), accumulate(np.array([1.0]))])
    assert combine(comm, bins).tolist() == [comm.size * (comm.size - 1) / 2, comm.size]


@pytest.mark.parametrize("size", [5e-324, 1e-310, 1e-200, 1.0, 1e200, 1.7e308])
def test_a_norm_neither_overflows_nor_vanishes(comm, size):
    values = np.array([0.6, -0.8]) * size if comm.rank == comm.size - 1 else np.zeros(2)
    # Subnormal numbers themselves are rounded to their spacing of 5e-324.
    assert norm(comm, values) == pytest.approx(np.hypot(*(np.array([0.6, 0.8]) * size)), rel=1e-15, abs=5e-324)


def test_the_norm_of_nothing_is_zero(comm):
    assert norm(comm, np.zeros(0)) == 0.0


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_value_that_is_not_finite_on_one_rank_reaches_all(comm, bad):
    values = np.array([1.0, bad if comm.rank == comm.size - 1 else 2.0])
    for value in comm.allgather((total(comm, values), dot(comm, values, values), norm(comm, values))):
        assert not np.isfinite(value).any()


def test_maximum_is_the_largest_of_all_ranks(comm):
    assert maximum(comm, float(-comm.rank)) == 0.0
    assert maximum(comm, float(comm.rank)) == comm.size - 1


def test_maximum_keeps_a_nan_of_any_rank(comm):
    for bad in range(comm.size):
        assert math.isnan(maximum(comm, math.nan if comm.rank == bad else 1.0))


def test_maximum_of_minus_infinities_is_minus_infinity(comm):
    assert maximum(comm, -math.inf) == -math.inf
