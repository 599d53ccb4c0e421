"""The Hilbert matrix has the inverse that is known for it."""

from fractions import Fraction
from math import comb

import numpy as np

from mpsolve.models.matrices import hilbert


def inverse(n):
    """Return the inverse in whole numbers (Choi, Amer. Math. Monthly 90, 1983)."""
    return [
        [
            (-1) ** (i + j) * (i + j + 1) * comb(n + i, n - j - 1) * comb(n + j, n - i - 1) * comb(i + j, i) ** 2
            for j in range(n)
        ]
        for i in range(n)
    ]


def test_its_inverse_is_the_known_one():
    n = 12
    known, a = inverse(n), hilbert.create(n).block(slice(0, n), slice(0, n))
    exact = [[Fraction(1, i + j + 1) for j in range(n)] for i in range(n)]
    assert all(
        sum(exact[i][k] * known[k][j] for k in range(n)) == (i == j) for i in range(n) for j in range(n)
    )  # fmt: skip
    assert a.tolist() == [[float(value) for value in row] for row in exact]


def test_its_condition_number_grows_as_is_said():
    norms = [max(sum(map(abs, row)) for row in inverse(n)) for n in (20, 21)]
    # The growth of one step is (1 + sqrt 2)^4 = e^3.53 in the limit, up to a factor (21 / 20)^(1/2) and the norm's own.
    assert abs(np.log(norms[1] / norms[0]) - 3.5) < 0.1
