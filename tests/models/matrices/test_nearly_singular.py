"""One singular value is small, by as much as was asked for, and all others are 1."""

import numpy as np
import pytest

from mpsolve.models.matrices import nearly_singular


@pytest.mark.parametrize(("condition", "smallest"), [(1e6, 1e-6), (1e10, 1e-10), (0.0, 1e-14)])
def test_all_singular_values_but_one_are_1(condition, smallest):
    n = 40
    values = np.linalg.svd(nearly_singular.create(n, condition).block(slice(0, n), slice(0, n)))[1]
    # The entries of a row are rounded by at most u (the diagonal) and u / n (the others): 2 u together. The
    # decomposition is that of a matrix within n u of it.
    assert values[:-1] == pytest.approx(np.ones(n - 1), abs=(n + 2) * 2.0**-53)
    assert values[-1] == pytest.approx(smallest, abs=(n + 2) * 2.0**-53)


def test_the_small_direction_is_the_vector_of_ones():
    n = 40
    sums = nearly_singular.create(n, 1e6).right_hand_side(slice(0, n))
    # Each is a sum of n numbers, whose magnitudes add up to 2.
    assert np.abs(sums - 1e-6).max() <= 2 * n * 2.0**-53
