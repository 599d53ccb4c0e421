"""The estimate of the norm of an inverse: a lower bound, and seldom far below."""

import numpy as np
import pytest

from mpsolve import lookup
from mpsolve.solvers.dense.condition import inverse_norm_1


def solve_with(array):
    inverse = np.linalg.inv(array)
    return lambda b, transposed: b @ inverse if transposed else b @ inverse.T


@pytest.mark.parametrize("name", lookup.names("models.matrices"))
@pytest.mark.parametrize("n", [7, 12, 60])
def test_the_estimate_is_below_and_within_a_third(name, n):
    if name == "hilbert" and n > 12:
        pytest.skip("its computed inverse is only rounding errors")
    array = lookup.find("models.matrices", name).create(n, 0.0, 1).block(slice(0, n), slice(0, n))
    solve = solve_with(array)
    exact = np.abs(np.linalg.inv(array)).sum(axis=0).max()
    estimate = inverse_norm_1(n, solve)
    assert exact / 3 <= estimate <= exact * (1 + n * 2.0**-50)


def test_one_row_is_exact():
    assert inverse_norm_1(1, lambda b, transposed: b * 4.0) == 4.0


def test_an_inverse_that_overflows_is_infinite():
    assert inverse_norm_1(5, lambda b, transposed: b * np.inf) == np.inf
    assert inverse_norm_1(5, lambda b, transposed: b * np.nan) == np.inf
