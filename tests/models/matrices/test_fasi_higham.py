"""The condition number is the one that was asked for, and the factors are those of the paper."""

import time

import numpy as np
import pytest

from mpsolve.errors import ConfigError
from mpsolve.models.matrices import fasi_higham


def whole(matrix):
    return matrix.block(slice(0, matrix.n), slice(0, matrix.n))


@pytest.mark.parametrize("n", [20, 63, 150])
@pytest.mark.parametrize("condition", [1.0, 1e1, 1e3, 1e6, 1e10])
def test_the_condition_number_in_the_infinity_norm_is_the_one_asked_for(n, condition):
    found = np.linalg.cond(whole(fasi_higham.create(n, condition)), np.inf)
    # The inverse that this is computed from is itself off by about n u times the condition number.
    assert found == pytest.approx(condition, rel=8 * n * 2.0**-53 * condition + 1e-12)


@pytest.mark.parametrize("n", [1, 2, 3, 10])
@pytest.mark.parametrize("beta", [0.0, 1e-6, 0.25, 1.0])
def test_the_condition_number_of_a_beta_is_that_of_its_factors(n, beta):
    lower, upper = np.eye(n) - beta / 2 * np.tri(n, k=-1), np.eye(n) - beta * np.tri(n, k=-1).T
    exact = np.linalg.norm(lower @ upper, np.inf) * np.linalg.norm(
        np.linalg.inv(upper) @ np.linalg.inv(lower), np.inf
    )  # fmt: skip
    assert fasi_higham.condition_inf(n, beta) == pytest.approx(exact, rel=64 * n * 2.0**-53)


def test_the_matrix_is_the_product_of_its_factors():
    n, beta = 30, fasi_higham.beta_for(30, 1e3)
    lower, upper = np.eye(n) - beta / 2 * np.tri(n, k=-1), np.eye(n) - beta * np.tri(n, k=-1).T
    # Products and sums of up to n numbers below 1.
    assert np.abs(whole(fasi_higham.create(n)) - lower @ upper).max() <= 4 * n * 2.0**-53


def test_a_condition_number_beyond_the_reach_of_the_size_is_refused():
    with pytest.raises(ConfigError, match="1e[+]06 for n = 4, but at most 82"):
        fasi_higham.create(4, 1e6)
    # The default goes as far as it can: 4 of the first row of A times 20.5 of the first row of its inverse.
    assert np.linalg.cond(whole(fasi_higham.create(4)), np.inf) == pytest.approx(82, rel=1e-12)


def test_a_large_size_overflows_nothing_and_takes_no_time():
    begin = time.perf_counter()
    with np.errstate(all="raise"):
        beta = fasi_higham.beta_for(20000, 1e3)
    assert fasi_higham.condition_inf(20000, beta) == pytest.approx(1e3, rel=1e-12)
    assert time.perf_counter() - begin < 5
