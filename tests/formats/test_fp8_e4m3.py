"""fp8_e4m3 has the bits of ml_dtypes.float8_e4m3fn."""

import ml_dtypes
import numpy as np
import pytest

from mpsolve.formats.fp8_e4m3 import FORMAT


def test_every_pattern_decodes_to_the_bits_of_the_peer():
    patterns = np.arange(1 << FORMAT.bits).astype(FORMAT.storage)
    peer = patterns.view(ml_dtypes.float8_e4m3fn).astype(np.float32)
    np.testing.assert_array_equal(FORMAT.decode(patterns).view(np.uint32), peer.view(np.uint32))


def test_numbers_midpoints_and_their_float32_neighbours_encode_to_the_bits_of_the_peer(probes):
    values = probes(FORMAT, ml_dtypes.float8_e4m3fn)
    with np.errstate(all="ignore"):
        peer = values.astype(ml_dtypes.float8_e4m3fn).view(FORMAT.storage)
    np.testing.assert_array_equal(FORMAT.encode(values), peer)


def test_random_float32_bits_encode_to_the_bits_of_the_peer(float32_bit_patterns):
    with np.errstate(all="ignore"):
        peer = float32_bit_patterns.astype(ml_dtypes.float8_e4m3fn).view(FORMAT.storage)
    np.testing.assert_array_equal(FORMAT.encode(float32_bit_patterns), peer)


# ml_dtypes casts float64 to float8_e4m3fn through float32, which rounds twice. FP64 input is therefore
# compared with the exact oracle of tests/contracts/test_formats.py, and here with two numbers worked out by hand.
@pytest.mark.parametrize(
    "value, expected",
    [(1 + 2.0**-4 + 2.0**-40, 1 + 2.0**-3), (1 + 3 * 2.0**-4 - 2.0**-40, 1 + 2.0**-3)],
)
def test_float64_is_rounded_once(value, expected):
    assert FORMAT.round([value])[0] == expected


@pytest.mark.parametrize(
    "name, expected",
    [
        ("bits", 8),
        ("unit_roundoff", 2.0**-4),
        ("largest", 448),
        ("smallest_normal", 2.0**-6),
        ("smallest_subnormal", 2.0**-9),
    ],
)
def test_limits_are_those_of_the_standard(name, expected):
    assert getattr(FORMAT, name) == expected


def test_overflow_and_infinity_become_nan():
    assert FORMAT.encode([np.inf, -np.inf, 464.0, 465.0]).tolist() == [0x7F, 0xFF, 0x7E, 0x7F]


def test_saturation_keeps_overflow_and_infinity_at_the_largest_number():
    assert FORMAT.encode([np.inf, -np.inf, 465.0], saturate=True).tolist() == [0x7E, 0xFE, 0x7E]
