"""Random matrices: far blocks are found by jumps, seeds are far apart, and the numbers are uniform."""

import numpy as np
import pytest

from mpsolve.models.matrices import random_uniform

MULTIPLIER, WORD = 6364136223846793005, 2**64


def state_after(steps, start):
    """Return the state of the generator by the sum of the geometric series, in whole numbers."""
    power = pow(MULTIPLIER, steps, (MULTIPLIER - 1) * WORD)
    return (power * start + (power - 1) // (MULTIPLIER - 1)) % WORD


def number(steps, seed):
    return float(state_after((seed << 32) + steps, 1)) * 2.0**-64 - 0.5


def whole(matrix):
    return matrix.block(slice(0, matrix.n), slice(0, matrix.n))


@pytest.mark.parametrize("n", [10**5, 2**17])
@pytest.mark.parametrize("seed", [0, 1, 2**31 - 1])
def test_a_block_in_the_last_corner_of_a_large_matrix_is_right(n, seed):
    block = random_uniform.create(n, 0.0, seed).block(slice(n - 3, n), slice(n - 2, n))
    expected = [[number(1 + i + j * n, seed) for j in (n - 2, n - 1)] for i in (n - 3, n - 2, n - 1)]
    assert block.tolist() == expected


def test_the_numbers_are_uniform():
    n = 200
    values = whole(random_uniform.create(n))
    assert -0.5 <= values.min() < -0.499
    assert 0.499 < values.max() <= 0.5
    # Five standard deviations of the mean of n^2 uniform numbers (variance 1/12), and of the mean of their squares
    # (mean 1/12, variance 1/180).
    assert abs(values.mean()) <= 5 * np.sqrt(1 / 12) / n
    assert abs((values**2).mean() - 1 / 12) <= 5 * np.sqrt(1 / 180) / n


@pytest.mark.parametrize("n", [63, 64, 128])
@pytest.mark.parametrize("seed", [0, 1])
def test_it_is_well_conditioned_for_powers_of_two_as_for_others(n, seed):
    # Edelman, SIAM J. Matrix Anal. Appl. 9 (1988): 2 in 100 random matrices have a condition number beyond 100 n.
    assert np.linalg.cond(whole(random_uniform.create(n, 0.0, seed))) <= 100 * n


@pytest.mark.parametrize("compiled", [True, False])
def test_the_bits_of_a_sum_of_magnitudes_do_not_depend_on_the_other_rows(compiled):
    matrix = random_uniform.create(45)
    matrix._compiled = matrix._compiled and compiled
    together = matrix.sums_of_magnitudes(slice(0, 45))
    alone = [matrix.sums_of_magnitudes(slice(i, i + 1))[0] for i in range(45)]
    assert together.tolist() == alone
    assert matrix.sums_of_magnitudes(slice(7, 7)).shape == (0,)


def test_many_vectors_are_multiplied_in_pieces_that_need_not_fit():
    matrix = random_uniform.create(1500)
    rows, columns = slice(3, 140), slice(17, 1500)
    x, r = np.random.default_rng(1).uniform(-1, 1, (1483, 2)), np.zeros((137, 2))
    matrix.subtract_product(rows, columns, x, r)
    # Sums of 1483 products of numbers below 1/2 and 1, twice.
    assert np.abs(r + matrix.block(rows, columns) @ x).max() <= 2 * 1485 * 2.0**-53 * 1483 / 2


@pytest.mark.parametrize("kind", [np.dtype(np.float32), np.dtype(">f4"), np.dtype(np.float16)])
def test_fill_rounds_once_to_any_type_and_byte_order(kind):
    matrix = random_uniform.create(20)
    out = np.zeros((20, 20), kind)
    matrix.fill(slice(0, 20), slice(0, 20), out)
    assert np.array_equal(out, whole(matrix).astype(kind))
