"""The oracle of the sweep is itself checked: against loops in Python and exact fractions."""

from fractions import Fraction

import numpy as np
import pytest

from mpsolve.backends import reference
from mpsolve.field import Field
from mpsolve.kernels.sweep_array import multiply_add
from mpsolve.precision import get_format


def nearest_fp32(exact):
    """Round a fraction to FP32, to nearest even, by trying the neighbours of its FP64 value."""
    guess = np.float32(float(exact))
    candidates = [np.nextafter(guess, np.float32(-np.inf)), guess, np.nextafter(guess, np.float32(np.inf))]
    finite = [number for number in candidates if np.isfinite(number)]
    return min(finite, key=lambda number: (abs(Fraction(float(number)) - exact), int(number.view(np.uint32)) & 1))


def test_fp32_products_are_added_with_one_rounding():
    rng = np.random.default_rng(0)
    left, right, addend = (rng.standard_normal(3000).astype(np.float32) for _ in range(3))
    # Sums near the midpoint of two FP32 numbers, which a rounding to FP64 in between would decide wrongly.
    left[:1000], right[:1000] = np.float32(1 + 2.0**-12), np.float32(2.0**-12) * (1 + np.float32(2.0**-23))
    addend *= np.exp2(rng.integers(-30, 30, 3000)).astype(np.float32)
    result = multiply_add(left, right, addend)
    exact = [
        Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))
        for a, b, c in zip(left, right, addend, strict=True)
    ]
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, [nearest_fp32(value) for value in exact])


def test_a_midpoint_that_only_fp64_sees_is_rounded_right():
    # The sum is 2^-60 below the midpoint 1 + 2^-23 + 2^-24; FP64 would round it to the midpoint, then FP32 up to even.
    one = np.array([1 + 2.0**-23], np.float32)
    left, right = (np.array([number], np.float32) for number in (1 + 2.0**-18, 2.0**-24 * (1 - 2.0**-18)))
    twice = (left.astype(np.float64) * right + one).astype(np.float32)
    assert multiply_add(left, right, one)[0] == one[0] != twice[0]


@pytest.mark.parametrize("special", [np.inf, -np.inf, np.nan])
def test_special_numbers_pass_through(special):
    numbers = np.array([special], np.float32)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(multiply_add(np.ones(1, np.float32), np.ones(1, np.float32), numbers), numbers)


def slow_sweep(values, rates, steps, mirrors):
    """Walls by mirrored ghosts, one cell after the other, in FP64."""
    n, m = values.shape
    for _ in range(steps):
        new = np.empty_like(values)
        for i in range(n):
            for j in range(m):
                result, centre = values[i, j], values[i, j]
                for axis, (low, high) in enumerate(mirrors):
                    at, last = (i, j)[axis], values.shape[axis] - 1
                    step = (1, 0) if axis == 0 else (0, 1)
                    before = low * centre if at == 0 else values[i - step[0], j - step[1]]
                    after = high * centre if at == last else values[i + step[0], j + step[1]]
                    result += rates[axis] * ((before + after) - 2 * centre)
                new[i, j] = result
        values = new
    return values


@pytest.mark.parametrize("mirrors", [((1, 1), (1, 1)), ((-1, 1), (1, -1)), ((-1, -1), (-1, -1))])
@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (6, 4)])
def test_walls_are_mirrors(shape, mirrors):
    field = Field.zeros(shape, 1, get_format("fp64")).set(np.random.default_rng(0).standard_normal(shape))
    target = field.like()
    reference.create().bind_sweep(target, field, (0.21, 0.13), 3, mirrors)()
    np.testing.assert_array_equal(target.interior, slow_sweep(field.to_numpy(), (0.21, 0.13), 3, mirrors))
