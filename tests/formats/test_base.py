"""What Format does with any layout: shapes, types, wrong input, and layouts that the package does not ship."""

import pickle

import ml_dtypes
import numpy as np
import pytest

from mpsolve.errors import FormatError, ShapeError, UnknownNameError
from mpsolve.formats.base import BLOCK, Format
from mpsolve.precision import get_format

bf16, fp8_e4m3, fp16, fp32, fp64 = map(get_format, ("bf16", "fp8_e4m3", "fp16", "fp32", "fp64"))

UNSHIPPED = [
    (Format("e3m4", 3, 5, np.dtype(np.uint8), np.dtype(np.float32)), ml_dtypes.float8_e3m4),
    (Format("e4m3", 4, 4, np.dtype(np.uint8), np.dtype(np.float32)), ml_dtypes.float8_e4m3),
]


@pytest.mark.parametrize("form, peer", UNSHIPPED)
def test_a_layout_that_is_not_shipped_decodes_like_its_peer(form, peer):
    patterns = np.arange(256).astype(np.uint8)
    np.testing.assert_array_equal(
        form.decode(patterns).view(np.uint32), patterns.view(peer).astype(np.float32).view(np.uint32)
    )


@pytest.mark.parametrize("form, peer", UNSHIPPED)
def test_a_layout_that_is_not_shipped_encodes_like_its_peer(form, peer, probes):
    values = probes(form, peer)
    with np.errstate(all="ignore"):
        expected = values.astype(peer).view(np.uint8)
    np.testing.assert_array_equal(form.encode(values), expected)


@pytest.mark.parametrize("form", [bf16, fp16, fp32, fp64])
@pytest.mark.parametrize("saturate", [False, True])
def test_a_scalar_gives_an_array_without_axes(form, saturate):
    stored = form.encode(1.5, saturate=saturate)
    assert isinstance(stored, np.ndarray) and stored.shape == ()


@pytest.mark.parametrize("form", [bf16, fp8_e4m3, fp16, fp32])
def test_decode_of_an_array_without_axes_is_one_too(form):
    decoded = form.decode(form.encode(1.5))
    assert isinstance(decoded, np.ndarray) and decoded.shape == () and decoded == 1.5


def test_a_generator_serves_an_array_without_axes():
    assert bf16.encode(1.5, rounding="stochastic", random_bits=np.random.default_rng(0)) == bf16.encode(1.5)


@pytest.mark.parametrize("form", [bf16, fp8_e4m3, fp16])
def test_an_empty_array_stays_empty(form):
    assert form.decode(form.encode(np.empty((0, 3)))).shape == (0, 3)


@pytest.mark.parametrize("form", [bf16, fp16, fp32, fp64])
def test_a_strided_view_encodes_like_its_copy(form):
    view = np.random.default_rng(3).normal(size=(20, 30))[::2, ::3].T
    stored = form.encode(view)
    assert stored.flags.c_contiguous
    np.testing.assert_array_equal(stored, form.encode(view.copy()))


@pytest.mark.parametrize("form", [bf16, fp8_e4m3, fp16])
def test_a_strided_view_decodes_like_its_copy(form):
    view = form.encode(np.random.default_rng(4).normal(size=(20, 30)))[::2, ::3].T
    np.testing.assert_array_equal(form.decode(view), form.decode(view.copy()))


@pytest.mark.parametrize("byte_order", [">f4", ">f8"])
def test_big_endian_values_are_read_as_numbers(byte_order):
    assert bf16.round(np.array([1.0, -2.5], byte_order)).tolist() == [1.0, -2.5]


def test_lists_of_integers_are_read_as_numbers():
    assert fp8_e4m3.round([1, -3, 17]).tolist() == [1.0, -3.0, 16.0]


def test_the_size_of_a_block_does_not_show():
    values = np.random.default_rng(5).normal(size=2 * BLOCK + 3)
    single = [bf16.encode(values[position : position + 1])[0] for position in (BLOCK - 1, BLOCK, 2 * BLOCK + 2)]
    assert bf16.encode(values)[[BLOCK - 1, BLOCK, 2 * BLOCK + 2]].tolist() == single


def test_each_value_takes_its_own_random_bits_in_every_block():
    # Half a gap above one goes up with the upper half of the words.
    generator = np.random.default_rng(8)
    words = generator.integers(0, 1 << 32, size=2 * BLOCK + 3, dtype=np.uint32)
    rounded = bf16.round(np.full(words.size, 1 + 2.0**-8), rounding="stochastic", random_bits=words)
    np.testing.assert_array_equal(rounded > 1, words >= 1 << 31)


@pytest.mark.parametrize("form", [fp8_e4m3, fp16])
def test_float32_far_below_the_smallest_number_keeps_steps_of_two_to_the_minus_32(form):
    # Three of the 2**32 words round up: 31 bits, which is all that a float32's word could hold, would give two.
    values = np.full(2, form.smallest_subnormal * 3 * 2.0**-32, np.float32)
    words = np.array([2**32 - 3, 2**32 - 4], np.uint32)
    assert form.round(values, rounding="stochastic", random_bits=words).tolist() == [form.smallest_subnormal, 0]


def test_the_values_are_not_changed():
    values = np.array([1.1, 1e9, np.nan])
    before = values.copy()
    fp8_e4m3.encode(values, saturate=True)
    np.testing.assert_array_equal(values, before)


@pytest.mark.parametrize("values", [np.ones(2, complex), np.ones(2, np.longdouble), ["1.0"], [None]])
def test_values_that_are_not_real_numbers_are_refused(values):
    with pytest.raises(FormatError, match="give float32 or float64"):
        bf16.encode(values)


def test_decode_refuses_another_storage_type():
    with pytest.raises(FormatError, match="stored as uint16, but decode received float32"):
        bf16.decode(np.ones(2, np.float32))


def test_an_unknown_rounding_lists_those_there_are():
    with pytest.raises(UnknownNameError, match="nearest, stochastic"):
        bf16.encode([1.0], rounding="nearset")


def test_stochastic_rounding_without_random_bits_says_what_to_give():
    with pytest.raises(FormatError, match="uint32 array"):
        bf16.encode([1.0], rounding="stochastic")


def test_random_bits_of_another_type_are_refused():
    with pytest.raises(FormatError, match="float64"):
        bf16.encode([1.0], rounding="stochastic", random_bits=np.zeros(1))


def test_random_bits_of_another_shape_are_refused():
    with pytest.raises(ShapeError, match=r"\(1,\).*\(2,\)"):
        bf16.encode([1.0, 2.0], rounding="stochastic", random_bits=np.zeros(1, np.uint32))


def test_a_generator_draws_the_bits_that_can_also_be_given():
    values = np.random.default_rng(6).normal(size=100)
    bits = np.random.default_rng(7).integers(0, 1 << 32, size=100, dtype=np.uint32)
    drawn = bf16.encode(values, rounding="stochastic", random_bits=np.random.default_rng(7))
    np.testing.assert_array_equal(drawn, bf16.encode(values, rounding="stochastic", random_bits=bits))


def test_a_format_survives_a_message_between_ranks():
    assert pickle.loads(pickle.dumps(bf16)) == bf16
