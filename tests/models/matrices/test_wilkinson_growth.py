"""Partial pivoting lets the entries of this matrix double with every column."""

import numpy as np

from mpsolve.models.matrices import wilkinson_growth


def eliminated(a):
    """Return U of LU with partial pivoting, of which the first of the largest is the pivot."""
    u = a.copy()
    for k in range(len(u) - 1):
        best = k + np.abs(u[k:, k]).argmax()
        u[[k, best]] = u[[best, k]]
        u[k + 1 :] -= u[k + 1 :, k, None] / u[k, k] * u[k]
    return u


def test_partial_pivoting_lets_the_last_entry_grow_to_the_power_of_two():
    n = 40
    a = wilkinson_growth.create(n).block(slice(0, n), slice(0, n))
    assert np.abs(a).max() == 1
    # Powers of two are exact.
    assert eliminated(a)[:, -1].tolist() == [2.0**i for i in range(n)]


def test_it_is_well_conditioned():
    n = 40
    a = wilkinson_growth.create(n).block(slice(0, n), slice(0, n))
    # Its inverse has entries of at most 1/2 in magnitude, so that both norms are at most n.
    assert np.abs(np.linalg.inv(a)).max() <= 0.5 * (1 + n * 2.0**-52)
    assert np.linalg.cond(a, np.inf) <= n * n
    assert not wilkinson_growth.create(n).stable_without_pivoting
