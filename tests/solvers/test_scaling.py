"""Powers of two bring any number to between one half and one."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpsolve.solvers.scaling import to_unit


@given(st.floats(1e-300, 1e300))
def test_the_product_lies_between_one_half_and_one(largest):
    assert 0.5 <= to_unit(largest) * largest < 1.0


@given(st.floats(allow_nan=False))
def test_the_factor_is_a_power_of_two(largest):
    assert math.frexp(to_unit(abs(largest)))[0] == 0.5


@pytest.mark.parametrize("largest", [0.0, math.inf, math.nan])
def test_what_cannot_be_scaled_is_left_alone(largest):
    assert to_unit(largest) == 1.0


def test_subnormal_numbers_are_scaled_as_far_as_a_power_can():
    assert to_unit(5e-324) == 2.0**1000
