"""Powers of two hide a harmless matrix, and nothing is lost by them."""

import numpy as np

from mpsolve.models.matrices import badly_scaled, random_uniform

N = 100


def whole(matrix):
    return matrix.block(slice(0, matrix.n), slice(0, matrix.n))


def test_powers_of_two_bring_the_random_matrix_back_bit_by_bit():
    scale = whole(badly_scaled.create(N, 0.0, 3)) / whole(random_uniform.create(N, 0.0, 3))
    fractions, exponents = np.frexp(scale)
    assert np.all(fractions == 0.5)
    # Exponents are sums of one of the row and one of the column.
    assert np.array_equal(exponents - exponents[:1], np.broadcast_to((exponents - exponents[:1])[:, :1], (N, N)))


def test_rows_and_columns_reach_over_eighty_powers_of_two():
    scale = whole(badly_scaled.create(N)) / whole(random_uniform.create(N))
    for axis in (0, 1):
        exponents = np.log2(scale).max(axis=axis)
        assert exponents.max() - exponents.min() == 2 * badly_scaled.RANGE
