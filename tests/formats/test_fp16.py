"""fp16 has the bits of numpy.float16."""

import dataclasses

import numpy as np
import pytest

from mpsolve.formats.fp16 import FORMAT


def test_every_pattern_decodes_to_the_bits_of_the_peer():
    patterns = np.arange(1 << FORMAT.bits).astype(FORMAT.storage)
    peer = patterns.view(np.float16).astype(np.float32)
    np.testing.assert_array_equal(FORMAT.decode(patterns).view(np.uint32), peer.view(np.uint32))


def test_numbers_midpoints_and_their_float32_neighbours_encode_to_the_bits_of_the_peer(probes):
    values = probes(FORMAT, np.float16)
    with np.errstate(all="ignore"):
        peer = values.astype(np.float16).view(FORMAT.storage)
    np.testing.assert_array_equal(FORMAT.encode(values), peer)


def test_random_float32_bits_encode_to_the_bits_of_the_peer(float32_bit_patterns):
    with np.errstate(all="ignore"):
        peer = float32_bit_patterns.astype(np.float16).view(FORMAT.storage)
    np.testing.assert_array_equal(FORMAT.encode(float32_bit_patterns), peer)


def test_random_float64_bits_encode_to_the_bits_of_the_peer(float64_bit_patterns):
    with np.errstate(all="ignore"):
        peer = float64_bit_patterns.astype(np.float16).view(FORMAT.storage)
    np.testing.assert_array_equal(FORMAT.encode(float64_bit_patterns), peer)


@pytest.mark.parametrize(
    "name, expected",
    [
        ("bits", 16),
        ("unit_roundoff", 2.0**-11),
        ("largest", 65504),
        ("smallest_normal", 2.0**-14),
        ("smallest_subnormal", 2.0**-24),
    ],
)
def test_limits_are_those_of_the_standard(name, expected):
    assert getattr(FORMAT, name) == expected


def test_integer_rounding_has_the_bits_of_numpy(probes):
    values = probes(FORMAT, np.float16)
    numbers = values[~np.isnan(values)]
    integer = dataclasses.replace(FORMAT, native=None)
    np.testing.assert_array_equal(integer.encode(numbers), FORMAT.encode(numbers))


def test_integer_rounding_of_float64_has_the_bits_of_numpy(float64_bit_patterns):
    numbers = float64_bit_patterns[~np.isnan(float64_bit_patterns)]
    integer = dataclasses.replace(FORMAT, native=None)
    np.testing.assert_array_equal(integer.encode(numbers), FORMAT.encode(numbers))


def test_overflow_raises_no_warning():
    with np.errstate(all="raise"):
        assert FORMAT.round([1e6])[0] == np.inf


def test_saturation_keeps_infinity_at_the_largest_number():
    assert FORMAT.encode([np.inf, -np.inf, 1e300], saturate=True).tolist() == [0x7BFF, 0xFBFF, 0x7BFF]
