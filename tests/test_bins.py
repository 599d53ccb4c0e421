"""Reproducible sums: any order and any split give the same bits, close to the exact sum."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpsolve.bins import BINS, accumulate, to_float

FINITE = st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=40)


def total(values):
    return to_float(accumulate(np.asarray(values, np.float64)))


@given(FINITE, st.integers(0, 2**32 - 1), st.integers(1, 7))
def test_order_and_split_change_no_bit(values, seed, parts):
    shuffled = np.random.default_rng(seed).permutation(np.array(values, np.float64))
    table = sum((accumulate(part) for part in np.array_split(shuffled, parts)), np.zeros((2, BINS), np.int64))
    assert to_float(table) == total(values)


@given(FINITE)
def test_the_sum_is_near_the_exact_one(values):
    # Each product loses half a unit of the lowest bin at most (2^-59 of the largest); the sum and fsum round once each.
    largest = max(map(abs, values), default=0.0)
    try:
        exact = math.fsum(values)
    except OverflowError:
        return
    slack = len(values) * largest * 2.0**-60 + abs(exact) * 2.0**-52 + len(values) * 2.0**-1021
    assert abs(total(values) - exact) <= slack or math.isinf(total(values))


@given(st.lists(st.integers(-(2**40), 2**40), max_size=60))
def test_integers_add_exactly(values):
    assert total(values) == sum(values)


def test_what_cancels_leaves_the_small_part():
    assert total([1e16, 1.0, -1e16]) == 1.0


def test_many_equal_numbers_are_not_lost():
    # A plain FP64 sum that starts with 2^53 would drop every 1.
    assert total(np.concatenate([[2.0**53], np.ones(1000)])) == 2.0**53 + 1000


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_product_that_is_not_finite_makes_the_sum_nan(bad):
    assert math.isnan(to_float(accumulate(np.ones(3)) + accumulate(np.array([1.0, bad]))))


def test_a_sum_beyond_the_largest_number_is_infinite():
    assert total([1.5e308, 1.5e308]) == math.inf
    assert total([-1.5e308, -1.5e308]) == -math.inf


@pytest.mark.parametrize("values", [[], [0.0, -0.0], [5e-324]])
def test_nothing_sums_to_zero(values):
    assert total(values) == 0.0


def test_sums_are_added_to_the_table_that_is_given():
    table = accumulate(np.array([1.0]))
    assert accumulate(np.array([2.0]), table) is table
    assert to_float(table) == 3.0


def test_the_shape_does_not_matter():
    values = np.random.default_rng(1).standard_normal((3, 4, 5))
    assert total(values) == total(values.reshape(-1)) == total(values.T)
