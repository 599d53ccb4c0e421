"""tf32 is a float32 with 10 bits of fraction; the exact oracle of the contract tests covers its rounding."""

import numpy as np
import pytest

from mpsolve.formats.tf32 import FORMAT


def test_the_low_thirteen_bits_of_the_storage_are_zero(float32_bit_patterns):
    assert not (FORMAT.encode(float32_bit_patterns).view(np.uint32) & 0x1FFF).any()


def test_every_pattern_survives_encode_and_decode():
    numbers = (np.arange(1 << 19, dtype=np.uint32) << 13).view(np.float32)
    numbers = numbers[~np.isnan(numbers)]
    np.testing.assert_array_equal(FORMAT.round(numbers).view(np.uint32), numbers.view(np.uint32))


def test_rounding_is_that_of_fp16_where_fp16_is_normal(float64_bit_patterns):
    # Both have 11 significant bits, so NumPy's float16 is an independent peer between 2**-14 and 65504.
    size = np.abs(float64_bit_patterns)
    shared = float64_bit_patterns[(size >= 2.0**-14) & (size <= 65504)]
    assert shared.size > 10_000
    np.testing.assert_array_equal(FORMAT.round(shared), shared.astype(np.float16).astype(np.float32))


@pytest.mark.parametrize(
    "name, expected",
    [
        ("bits", 19),
        ("itemsize", 4),
        ("unit_roundoff", 2.0**-11),
        ("largest", 2047 * 2.0**117),
        ("smallest_normal", 2.0**-126),
        ("smallest_subnormal", 2.0**-136),
    ],
)
def test_limits_are_those_of_the_layout(name, expected):
    assert getattr(FORMAT, name) == expected


def test_saturation_keeps_overflow_at_the_largest_number():
    assert FORMAT.encode([1e300, -np.inf], saturate=True).tolist() == [FORMAT.largest, -FORMAT.largest]
