"""fp32 is NumPy's float32, bit for bit."""

import dataclasses

import numpy as np
import pytest

from mpsolve.formats.fp32 import FORMAT


@pytest.fixture
def midpoints(float32_bit_patterns):
    """FP64 midpoints of FP32 neighbours, subnormal ones and the overflow threshold too, and their FP64 neighbours."""
    finite = float32_bit_patterns[np.isfinite(float32_bit_patterns)]
    subnormal = np.arange(1000, dtype=np.uint32).view(np.float32)
    lower = np.concatenate([finite, subnormal, [np.float32(FORMAT.largest)]])
    patterns = lower.view(np.uint32)
    # The midpoint of a number and the next one away from zero has one more bit set.
    gap = np.ldexp(1.0, np.maximum((patterns >> 23) & 255, 1).astype(int) - 150)
    middle = lower.astype(np.float64) + np.copysign(gap / 2, lower)
    return np.concatenate([middle, np.nextafter(middle, np.inf), np.nextafter(middle, -np.inf)])


def test_float32_bits_pass_through_encode_and_decode(float32_bit_patterns):
    passed = FORMAT.decode(FORMAT.encode(float32_bit_patterns))
    np.testing.assert_array_equal(passed.view(np.uint32), float32_bit_patterns.view(np.uint32))


def test_integer_rounding_of_midpoints_has_the_bits_of_numpy(midpoints):
    integer = dataclasses.replace(FORMAT, native=None)
    peer = FORMAT.encode(midpoints)
    np.testing.assert_array_equal(integer.encode(midpoints).view(np.uint32), peer.view(np.uint32))


def test_integer_rounding_of_float64_has_the_bits_of_numpy(float64_bit_patterns):
    numbers = float64_bit_patterns[~np.isnan(float64_bit_patterns)]
    integer = dataclasses.replace(FORMAT, native=None)
    peer = FORMAT.encode(numbers)
    np.testing.assert_array_equal(integer.encode(numbers).view(np.uint32), peer.view(np.uint32))


def test_overflow_raises_no_warning():
    with np.errstate(all="raise"):
        assert FORMAT.round([1e300])[0] == np.inf


def test_saturation_keeps_overflow_at_the_largest_number():
    assert FORMAT.encode([1e300, -np.inf], saturate=True).tolist() == [FORMAT.largest, -FORMAT.largest]


def test_limits_are_those_of_numpy():
    limits = np.finfo(np.float32)
    assert (FORMAT.bits, FORMAT.unit_roundoff) == (32, limits.eps / 2)
    assert (FORMAT.largest, FORMAT.smallest_normal) == (limits.max, limits.smallest_normal)
    assert FORMAT.smallest_subnormal == limits.smallest_subnormal
