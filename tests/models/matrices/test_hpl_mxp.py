"""The benchmark's matrix has the bits that its rules give, found in any order."""

import numpy as np
import pytest

from mpsolve.models.matrices import hpl_mxp

UNIT_ROUNDOFF = 2.0**-53


def by_the_rules(seed, count):
    """Return numbers one after the other, as the reference implementation makes them."""
    numbers = []
    for _ in range(count):
        seed = (seed * 6364136223846793005 + 1) % 2**64
        numbers.append(float(seed) * 2.0**-64 - 0.5)
    return np.array(numbers)


def reference(n):
    """Return the random numbers in column-major order, and the sums of magnitudes beside the diagonal."""
    random = by_the_rules(1, n * n).reshape(n, n).T
    others = np.abs(random) * (1 - np.eye(n))
    return random, others.sum(axis=1)


def whole(matrix):
    return matrix.block(slice(0, matrix.n), slice(0, matrix.n))


@pytest.mark.parametrize("n", [1, 2, 7, 33, 64])
def test_entries_beside_the_diagonal_have_the_bits_of_the_rules(n):
    beside = ~np.eye(n, dtype=bool)
    assert np.array_equal(whole(hpl_mxp.create(n))[beside], reference(n)[0][beside])


@pytest.mark.parametrize("n", [1, 2, 7, 33, 64])
def test_the_diagonal_is_the_sum_of_the_other_magnitudes(n):
    sums = reference(n)[1]
    # Both are sums of up to n numbers, of which ours has one too many that is subtracted again.
    bound = 2 * (n + 1) * UNIT_ROUNDOFF * (sums + 0.5)
    assert np.all(np.abs(np.diag(whole(hpl_mxp.create(n))) - sums) <= bound)


def test_the_right_hand_side_continues_from_seed_2():
    assert np.array_equal(hpl_mxp.create(40).right_hand_side(slice(0, 40)), by_the_rules(2, 40))
    assert np.array_equal(hpl_mxp.create(40).right_hand_side(slice(13, 29)), by_the_rules(2, 40)[13:29])


def test_entries_have_the_same_bits_without_numba():
    pytest.importorskip("numba")
    compiled, plain = hpl_mxp.create(37), hpl_mxp.create(37)
    plain.random._compiled = False
    beside = ~np.eye(37, dtype=bool)
    assert np.array_equal(whole(compiled)[beside], whole(plain)[beside])
    # Both add the same 37 numbers of at most 1/2.
    assert np.abs(compiled.diagonal - plain.diagonal).max() <= 2 * 38 * UNIT_ROUNDOFF * 37 / 2


@pytest.mark.parametrize("compiled", [True, False])
def test_the_bits_of_the_diagonal_do_not_depend_on_the_shares(compiled):
    n = 45

    def sums(share):
        parts, matrix = [], hpl_mxp.create(n)
        matrix.random._compiled = matrix.random._compiled and compiled
        matrix.prepare(share, lambda part: parts.append(part) or part)
        return parts[0]

    for cut in (0, 1, 2, 3, 4, 5, 22, 44):
        assert np.array_equal(sums(slice(0, cut)) + sums(slice(cut, n)), sums(slice(0, n)))


def test_a_prepared_diagonal_is_not_computed_again(monkeypatch):
    matrix = hpl_mxp.create(9)
    matrix.prepare(slice(0, 3), lambda part: np.arange(9.0))
    monkeypatch.setattr(matrix.random, "sums_of_magnitudes", lambda rows: pytest.fail("it was given"))
    assert np.array_equal(np.diag(whole(matrix)), np.arange(9.0))


def test_each_row_is_dominated_by_a_positive_diagonal_entry():
    a = whole(hpl_mxp.create(50))
    others = np.abs(a).sum(axis=1) - np.diag(a)
    assert np.all(np.diag(a) >= others * (1 - 2 * 51 * UNIT_ROUNDOFF))
    assert not np.array_equal(a, a.T)


def test_it_says_that_no_row_exchanges_are_needed():
    assert hpl_mxp.create(3).stable_without_pivoting
