"""Entries fall from the first corner to the last as far as is asked for, and scaling mends it."""

import numpy as np
import pytest

from mpsolve.models.matrices import graded, random_uniform

N = 33


def whole(matrix):
    return matrix.block(slice(0, matrix.n), slice(0, matrix.n))


@pytest.mark.parametrize(("condition", "ratio"), [(0.0, graded.DEFAULT_CONDITION), (1.0, 1.0), (1e20, 1e20)])
def test_the_scale_falls_as_far_as_is_asked_for(condition, ratio):
    scale = whole(graded.create(N, condition, 3)) / whole(random_uniform.create(N, 0.0, 3))
    # A power and two products, of which an exponent of up to 70 digits of two enlarges the rounding.
    assert scale[0, 0] / scale[-1, -1] == pytest.approx(ratio, rel=1e-13)
    assert np.allclose(scale[1:, 1:] / scale[:-1, :-1], ratio ** (-1 / (N - 1)), rtol=1e-13)


def test_it_is_badly_conditioned_until_it_is_scaled():
    a, random = whole(graded.create(N)), whole(random_uniform.create(N))
    # The condition number in any norm is at least the ratio of the largest and the smallest column.
    columns = np.linalg.norm(a, axis=0)
    assert np.linalg.cond(a) >= columns.max() / columns.min() > graded.DEFAULT_CONDITION**0.5 / 4
    scale = graded.DEFAULT_CONDITION ** (np.arange(N) / (2 * N - 2))
    assert np.linalg.cond(scale[:, None] * a * scale) == pytest.approx(np.linalg.cond(random), rel=1e-9)
