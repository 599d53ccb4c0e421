"""GMRES for several systems side by side: exact after n steps, monotone, and calm about what is not finite."""

import numpy as np
import pytest

from mpsolve.solvers.dense.gmres import gmres


def system(n, count, seed=0):
    rng = np.random.default_rng(seed)
    array, x = rng.standard_normal((n, n)) + n**0.5 * np.eye(n), rng.standard_normal((count, n))
    return array, x, x @ array.T


def identity(vectors):
    return vectors.copy()


@pytest.mark.parametrize("count", [1, 4])
def test_it_solves_in_as_many_steps_as_rows(count):
    array, x, b = system(12, count)
    found = gmres(lambda v: v @ array.T, identity, b, 1e-14, 12)
    assert np.allclose(found.vectors, x, rtol=0, atol=12 * 2.0**-53 * np.linalg.cond(array) * np.abs(x).max() * 8)


def test_each_system_is_solved_as_if_it_were_alone():
    array, _, b = system(20, 3)
    together = gmres(lambda v: v @ array.T, identity, b, 1e-6, 9).vectors
    for row in range(3):
        alone = gmres(lambda v: v @ array.T, identity, b[row : row + 1], 1e-6, 9).vectors
        assert np.allclose(together[row], alone[0], rtol=1e-8, atol=1e-10)


def test_the_reduction_is_that_of_the_true_residual():
    array, _, b = system(30, 2)
    found = gmres(lambda v: v @ array.T, identity, b, 1e-3, 30)
    true = np.linalg.norm(b - found.vectors @ array.T, axis=1) / np.linalg.norm(b, axis=1)
    assert np.allclose(found.reduction, true, rtol=1e-6)
    assert np.all(true <= 1e-3)


def test_a_good_preconditioner_saves_steps():
    array, _, b = system(40, 1)
    rough = np.linalg.inv(array + 1e-3 * np.random.default_rng(1).standard_normal(array.shape))
    plain = gmres(lambda v: v @ array.T, identity, b, 1e-8, 40)
    better = gmres(lambda v: v @ array.T, lambda v: v @ rough.T, b, 1e-8, 40)
    assert better.iterations < plain.iterations / 3


def test_a_zero_right_hand_side_needs_nothing():
    array, _, b = system(5, 2)
    b[1] = 0
    found = gmres(lambda v: v @ array.T, identity, b, 1e-12, 5)
    assert np.array_equal(found.vectors[1], np.zeros(5)) and found.reduction[1] == 0


def test_infinities_end_it_with_what_was_found_before():
    array, _, b = system(10, 1)
    calls = []

    def apply(v):
        calls.append(1)
        return v @ array.T * (np.inf if len(calls) > 3 else 1.0)

    found = gmres(apply, identity, b, 1e-14, 10)
    assert found.iterations == 3 and np.isfinite(found.vectors).all()
    assert np.linalg.norm(b - found.vectors @ array.T) < np.linalg.norm(b)


def test_an_invariant_space_ends_it():
    found = gmres(lambda v: 2 * v, identity, np.ones((1, 6)), 1e-14, 6)
    assert found.iterations == 1 and np.allclose(found.vectors, 0.5)


def test_lengths_that_overflow_end_the_cycle():
    array, _, b = system(12, 1)
    found = gmres(lambda v: v @ array.T, lambda v: 1e200 * v, b, 1e-14, 12)
    assert found.iterations == 0 and not found.vectors.any()
