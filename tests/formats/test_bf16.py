"""bf16 has the bits of ml_dtypes.bfloat16."""

import ml_dtypes
import numpy as np
import pytest

from mpsolve.formats.bf16 import FORMAT


def test_every_pattern_decodes_to_the_bits_of_the_peer():
    patterns = np.arange(1 << FORMAT.bits).astype(FORMAT.storage)
    peer = patterns.view(ml_dtypes.bfloat16).astype(np.float32)
    np.testing.assert_array_equal(FORMAT.decode(patterns).view(np.uint32), peer.view(np.uint32))


def test_numbers_midpoints_and_their_float32_neighbours_encode_to_the_bits_of_the_peer(probes):
    values = probes(FORMAT, ml_dtypes.bfloat16)
    with np.errstate(all="ignore"):
        peer = values.astype(ml_dtypes.bfloat16).view(FORMAT.storage)
    np.testing.assert_array_equal(FORMAT.encode(values), peer)


def test_random_float32_bits_encode_to_the_bits_of_the_peer(float32_bit_patterns):
    with np.errstate(all="ignore"):
        peer = float32_bit_patterns.astype(ml_dtypes.bfloat16).view(FORMAT.storage)
    np.testing.assert_array_equal(FORMAT.encode(float32_bit_patterns), peer)


# ml_dtypes casts float64 to bfloat16 through float32, which rounds twice. FP64 input is therefore compared
# with the exact oracle of tests/contracts/test_formats.py, and here with two numbers worked out by hand.
@pytest.mark.parametrize(
    "value, expected", [(1 + 2.0**-8 + 2.0**-40, 1 + 2.0**-7), (1 + 3 * 2.0**-8 - 2.0**-40, 1 + 2.0**-7)]
)
def test_float64_is_rounded_once(value, expected):
    assert FORMAT.round([value])[0] == expected


@pytest.mark.parametrize(
    "name, expected",
    [
        ("bits", 16),
        ("unit_roundoff", 2.0**-8),
        ("largest", 255 * 2.0**120),
        ("smallest_normal", 2.0**-126),
        ("smallest_subnormal", 2.0**-133),
    ],
)
def test_limits_are_those_of_the_standard(name, expected):
    assert getattr(FORMAT, name) == expected


def test_saturation_keeps_infinity_at_the_largest_number():
    assert FORMAT.encode([np.inf, -np.inf, 1e300], saturate=True).tolist() == [0x7F7F, 0xFF7F, 0x7F7F]
