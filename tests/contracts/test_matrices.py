"""What every matrix promises: its blocks are parts of one matrix, and all that is computed from them agrees."""

import math

import numpy as np
import pytest

from mpsolve import lookup
from mpsolve.errors import ConfigError

ENTRIES = lookup.names("models.matrices")
CONDITIONED = [name for name in ENTRIES if "condition" in lookup.find("models.matrices", name).OPTIONS]
STABLE = [name for name in ENTRIES if lookup.find("models.matrices", name).create(2).stable_without_pivoting]
UNIT_ROUNDOFF = 2.0**-53


@pytest.fixture(params=ENTRIES)
def entry(request):
    return lookup.find("models.matrices", request.param)


@pytest.fixture(params=[1, 2, 33])
def matrix(request, entry):
    return entry.create(request.param)


def whole(matrix):
    return np.array(matrix.block(slice(0, matrix.n), slice(0, matrix.n)))


def pieces(n, cuts):
    """Return the slices between some cuts, which may lie together: some pieces are empty."""
    places = [0, *sorted(min(cut, n) for cut in cuts), n]
    return [slice(a, b) for a, b in zip(places, places[1:], strict=False)]


def test_a_block_is_part_of_the_whole_wherever_the_cuts_are(matrix):
    everything = whole(matrix)
    for rows in pieces(matrix.n, (1, 1, 6, 17)):
        for columns in pieces(matrix.n, (3, 8, 8, 32)):
            block = matrix.block(rows, columns)
            assert block.dtype == np.float64
            assert np.array_equal(block, everything[rows, columns])


def test_entries_are_finite(matrix):
    assert np.isfinite(whole(matrix)).all()


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_fill_writes_the_block_rounded_to_nearest_and_nothing_else(matrix, kind, order):
    for rows in pieces(matrix.n, (1, 17)):
        columns = slice(matrix.n // 3, matrix.n)
        shape = (rows.stop - rows.start, columns.stop - columns.start)
        around = np.full((shape[0] + 3, shape[1] + 5), 7, kind, order)
        matrix.fill(rows, columns, around[1:-2, 2:-3])
        assert np.array_equal(around[1:-2, 2:-3], matrix.block(rows, columns).astype(kind))
        around[1:-2, 2:-3] = 7
        assert np.all(around == 7)


def products(matrix, rows, columns, count):
    """Return what `subtract_product` gives, what the block gives, and a bound on the rounding of both together."""
    generator = np.random.default_rng(1)
    x = generator.uniform(-1, 1, (columns.stop - columns.start, count))
    r = generator.uniform(-1, 1, (rows.stop - rows.start, count))
    block = matrix.block(rows, columns)
    expected, sizes = r - block @ x, np.abs(r) + np.abs(block) @ np.abs(x)
    matrix.subtract_product(rows, columns, x, r)
    # A sum of m products, in any order, is off by at most m u times the sum of their magnitudes; two more roundings are
    # those of the subtraction and of a diagonal entry that is put right afterwards.
    return r, expected, 2 * (len(x) + 3) * UNIT_ROUNDOFF * sizes


@pytest.mark.parametrize("count", [1, 3])
def test_subtract_product_agrees_with_the_blocks(matrix, count):
    for rows in pieces(matrix.n, (1, 1, 6)):
        for columns in pieces(matrix.n, (3, 8)):
            found, expected, bound = products(matrix, rows, columns, count)
            assert np.all(np.abs(found - expected) <= bound)


def test_subtract_product_takes_views_of_larger_arrays(matrix):
    n, side = matrix.n, slice(0, matrix.n)
    x, r = np.ones((2 * n, 3)), np.zeros((n, 5))
    matrix.subtract_product(side, side, x[::2, 1:2], r[:, 3:4])
    sizes = np.abs(whole(matrix)).sum(axis=1)
    assert np.all(np.abs(r[:, 3] + whole(matrix).sum(axis=1)) <= 2 * (n + 3) * UNIT_ROUNDOFF * sizes)
    assert not r[:, [0, 1, 2, 4]].any()


def test_parts_of_the_right_hand_side_agree(matrix):
    everything = matrix.right_hand_side(slice(0, matrix.n))
    assert everything.shape == (matrix.n,)
    for rows in pieces(matrix.n, (1, 1, 6, 17)):
        assert np.array_equal(matrix.right_hand_side(rows), everything[rows])


@pytest.mark.parametrize("ranks", [1, 2, 3, 8])
def test_it_has_the_same_bits_however_many_ranks_prepare_it(entry, ranks):
    n = 33
    shares = [slice(n * rank // ranks, n * (rank + 1) // ranks) for rank in range(ranks)]
    parts = []
    for share in shares:
        entry.create(n).prepare(share, lambda part: parts.append(part) or part)
    matrix = entry.create(n)
    matrix.prepare(shares[0], lambda part: np.sum(parts, axis=0))
    assert np.array_equal(whole(matrix), whole(entry.create(n)))


def test_options_that_are_listed_change_the_matrix_and_others_do_not(entry):
    assert set(entry.OPTIONS) <= {"condition", "seed"}
    plain = whole(entry.create(33))
    for name, value in (("condition", 50.0), ("seed", 5)):
        same = np.array_equal(whole(entry.create(33, **{name: value})), plain)
        assert same == (name not in entry.OPTIONS)


@pytest.mark.parametrize("wrong", [0.5, -1.0, math.inf, math.nan])
@pytest.mark.parametrize("name", CONDITIONED)
def test_a_condition_number_that_no_matrix_has_is_refused(name, wrong):
    with pytest.raises(ConfigError, match="give a finite number from 1"):
        lookup.find("models.matrices", name).create(33, wrong)


@pytest.mark.parametrize("n", [2, 33])
@pytest.mark.parametrize("name", STABLE)
def test_elimination_without_row_exchanges_is_stable_where_that_is_said(name, n):
    u = whole(lookup.find("models.matrices", name).create(n))
    norm, lower = np.abs(u).sum(axis=1).max(), np.eye(n)
    for k in range(n - 1):
        lower[k + 1 :, k] = u[k + 1 :, k] / u[k, k]
        u[k + 1 :] -= lower[k + 1 :, k, None] * u[k]
    # Higham, Accuracy and Stability of Numerical Algorithms, section 9.5: what matters is the size of |L| |U|, which is
    # at most 2 n - 1 times that of a matrix with dominant diagonal.
    assert (np.abs(lower) @ np.abs(np.triu(u))).sum(axis=1).max() <= (2 * n - 1) * norm
