"""fp64 is NumPy's float64, bit for bit."""

import numpy as np

from mpsolve.formats.fp64 import FORMAT


def test_float64_bits_pass_through_encode_and_decode(float64_bit_patterns):
    passed = FORMAT.decode(FORMAT.encode(float64_bit_patterns))
    np.testing.assert_array_equal(passed.view(np.uint64), float64_bit_patterns.view(np.uint64))


def test_float32_is_widened_exactly(float32_bit_patterns):
    numbers = float32_bit_patterns[~np.isnan(float32_bit_patterns)]
    np.testing.assert_array_equal(FORMAT.encode(numbers), numbers.astype(np.float64))


def test_encode_returns_a_new_array():
    values = np.ones(3)
    assert not np.shares_memory(FORMAT.encode(values), values)


def test_decode_returns_a_new_array():
    stored = np.ones(3)
    assert not np.shares_memory(FORMAT.decode(stored), stored)


def test_stochastic_rounding_changes_nothing(float64_bit_patterns):
    numbers = float64_bit_patterns[~np.isnan(float64_bit_patterns)]
    every_bit = np.full(numbers.shape, 2**32 - 1, np.uint32)
    np.testing.assert_array_equal(FORMAT.encode(numbers, rounding="stochastic", random_bits=every_bit), numbers)


def test_limits_are_those_of_numpy():
    limits = np.finfo(np.float64)
    assert (FORMAT.bits, FORMAT.unit_roundoff) == (64, limits.eps / 2)
    assert (FORMAT.largest, FORMAT.smallest_normal) == (limits.max, limits.smallest_normal)
    assert FORMAT.smallest_subnormal == limits.smallest_subnormal


def test_saturation_of_a_float32_infinity_reaches_the_float64_limit():
    assert FORMAT.encode(np.array([np.inf], np.float32), saturate=True)[0] == np.finfo(np.float64).max
