"""Diagonal blocks by halves: the factors and their inverses, at sizes around the leaf."""

import numpy as np
import pytest

from mpsolve.kernels.dense import DenseKernels
from mpsolve.parallel.alone import Alone
from mpsolve.precision import get_format
from mpsolve.solvers.dense.arithmetic import Arithmetic
from mpsolve.solvers.dense.diagonal import eliminate, invert_lower

#: Of the kernels of the processor; those of a device take half as much.
LEAF = DenseKernels.leaf


@pytest.fixture
def arithmetic(backend):
    return Arithmetic(Alone(), backend, get_format("fp64"))


@pytest.mark.parametrize("n", [1, 2, LEAF - 1, LEAF, LEAF + 1, 3 * LEAF + 5])
def test_factors_and_inverses_are_those_of_the_block(arithmetic, random_matrix, n):
    wanted = random_matrix(n, dominant=True) + np.eye(n)
    held = arithmetic.kernels.upload(wanted.copy())
    inverses = eliminate(arithmetic, held)
    block, inverse_lower, inverse_upper = map(arithmetic.kernels.download, (held, *inverses))
    lower, upper = np.tril(block, -1) + np.eye(n), np.triu(block)
    size = np.abs(lower) @ np.abs(upper)
    assert np.all(np.abs(lower @ upper - wanted) <= 4 * n * 2.0**-53 * size)
    for factor, inverse in ((lower, inverse_lower), (upper, inverse_upper)):
        residual = np.abs(factor @ inverse - np.eye(n))
        assert np.all(residual <= 8 * n * 2.0**-53 * (np.abs(factor) @ np.abs(np.linalg.inv(factor))) + 1e-300)


@pytest.mark.parametrize("n", [1, LEAF, 2 * LEAF + 3])
def test_only_the_lower_triangle_is_inverted(arithmetic, n):
    block = np.random.default_rng(0).uniform(-1, 1, (n, n)) / n
    lower = np.tril(block, -1) + np.eye(n)
    inverse = invert_lower(arithmetic.on_host, block)
    assert np.all(np.abs(inverse @ lower - np.eye(n)) <= 8 * n * 2.0**-53 * (np.abs(inverse) @ np.abs(lower)))
    assert np.array_equal(np.triu(inverse, 1), np.zeros((n, n)))


def test_a_zero_pivot_leaves_numbers_that_are_not_finite(arithmetic):
    block = arithmetic.kernels.upload(np.ones((LEAF + 4, LEAF + 4)))
    eliminate(arithmetic, block)
    assert not np.isfinite(arithmetic.kernels.download(block)).all()
