"""What every format promises; the oracles are exact: integer patterns, fractions, and midpoints that FP64 holds."""

import math
from fractions import Fraction

import numpy as np
import pytest

from mpsolve import lookup
from mpsolve.formats.base import Format
from mpsolve.precision import get_format

NAMES = lookup.names("formats")
SMALL = [name for name in NAMES if get_format(name).bits <= 19]
ROUNDED = [name for name in NAMES if get_format(name).native != np.float64]
FRACTION = 1024  # Parts of a gap between neighbours; the top ten random bits pick one.


@pytest.fixture(params=NAMES)
def form(request):
    return get_format(request.param)


@pytest.fixture(params=SMALL)
def small(request):
    """A format whose numbers can all be listed."""
    return get_format(request.param)


@pytest.fixture(params=ROUNDED)
def rounded(request):
    """A format that FP64 numbers are rounded to."""
    return get_format(request.param)


def from_patterns(patterns, form):
    """Storage array of the given patterns, by the layout alone."""
    words = np.asarray(patterns).astype(np.uint64) << np.uint64(8 * form.itemsize - form.bits)
    return words.astype(f"u{form.itemsize}").view(form.storage)


def to_patterns(storage, form):
    """Patterns of a storage array, as Python-sized integers."""
    return storage.view(f"u{form.itemsize}").astype(np.uint64) >> np.uint64(8 * form.itemsize - form.bits)


def number(pattern, form):
    """Exact number of a pattern with a clear sign, taken past the largest as if exponents went on."""
    fraction_bits = form.significand_bits - 1
    field, fraction = divmod(int(pattern), 1 << fraction_bits)
    significand = fraction + (1 << fraction_bits if field else 0)
    return significand * Fraction(2) ** (max(field, 1) - (2 ** (form.exponent_bits - 1) - 1) - fraction_bits)


def rising_numbers(form):
    """All non-negative numbers in the order of their patterns, and the one that would follow, exact in FP64."""
    patterns = np.arange(form.largest_pattern + 2)
    field, fraction = np.divmod(patterns, 1 << (form.significand_bits - 1))
    significand = fraction + np.where(field > 0, 1 << (form.significand_bits - 1), 0)
    exponent = np.maximum(field, 1) - (2 ** (form.exponent_bits - 1) - 1) - (form.significand_bits - 1)
    return np.ldexp(significand.astype(np.float64), exponent)


def nearest_patterns(values, form):
    """Oracle of rounding to nearest even: count the midpoints below a value; an exact hit goes to the even side."""
    numbers = rising_numbers(form)
    midpoints = (numbers[1:] + numbers[:-1]) / 2
    size = np.abs(values)
    below = np.searchsorted(midpoints, size)
    hit = midpoints[np.minimum(below, midpoints.size - 1)] == size
    patterns = np.where(hit & (below % 2 == 1), below + 1, below)
    patterns = np.where(np.isnan(values), form.nan_pattern, patterns)
    return patterns + np.where(np.signbit(values), 1 << (form.bits - 1), 0)


def with_float64_neighbours(values):
    both = np.concatenate([values, -values])
    return np.concatenate([both, np.nextafter(both, np.inf), np.nextafter(both, -np.inf)])


def sample(form, size, seed):
    """Finite FP64 numbers over all exponents of a format, subnormals included."""
    generator = np.random.default_rng(seed)
    low, high = math.log2(form.smallest_subnormal) - 2, math.log2(form.largest)
    exponents = generator.uniform(max(low, -1070), high, size).astype(int)
    return np.ldexp(generator.uniform(-1, 1, size), exponents)


def test_the_name_is_that_of_the_file():
    assert [get_format(name).name for name in NAMES] == list(NAMES)


def test_an_entry_is_a_hashable_format(form):
    assert isinstance(form, Format) and len({form, get_format(form.name)}) == 1


def test_the_fields_fill_the_bits_and_fit_the_storage(form):
    assert 1 + form.exponent_bits + (form.significand_bits - 1) == form.bits <= 8 * form.itemsize


def test_the_itemsize_is_that_of_an_encoded_array(form):
    assert form.encode(np.zeros(3)).nbytes == 3 * form.itemsize


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_encode_and_decode_give_the_promised_types(form, dtype):
    stored = form.encode(np.ones((2, 3), dtype))
    decoded = form.decode(stored)
    assert (stored.dtype, decoded.dtype, decoded.shape) == (form.storage, form.compute, (2, 3))


def test_the_limits_are_the_numbers_of_their_patterns(form):
    patterns = [form.largest_pattern, 1 << (form.significand_bits - 1), 1]
    limits = [form.largest, form.smallest_normal, form.smallest_subnormal]
    assert [number(pattern, form) for pattern in patterns] == limits


def test_the_limits_are_exact(form):
    limits = np.array([form.largest, form.smallest_normal, form.smallest_subnormal])
    np.testing.assert_array_equal(form.round(np.concatenate([limits, -limits])), np.concatenate([limits, -limits]))


def test_every_pattern_decodes_to_its_number(small):
    finite = rising_numbers(small)[:-1]
    decoded = small.decode(from_patterns(np.arange(finite.size), small))
    np.testing.assert_array_equal(decoded, finite)


def test_every_pattern_survives_decode_and_encode(small):
    patterns = np.arange(small.largest_pattern + 1)
    both = from_patterns(np.concatenate([patterns, patterns + (1 << (small.bits - 1))]), small)
    np.testing.assert_array_equal(to_patterns(small.encode(small.decode(both)), small), to_patterns(both, small))


def test_float64_numbers_midpoints_and_their_neighbours_round_once_to_nearest_even(small):
    numbers = rising_numbers(small)
    values = with_float64_neighbours(np.concatenate([numbers, (numbers[1:] + numbers[:-1]) / 2]))
    np.testing.assert_array_equal(to_patterns(small.encode(values), small), nearest_patterns(values, small))


def test_float32_numbers_midpoints_and_their_neighbours_round_to_nearest_even(small):
    numbers = rising_numbers(small)[:-1]
    centre = np.concatenate([numbers[:-1], (numbers[1:] + numbers[:-1]) / 2]).astype(np.float32)
    values = np.concatenate([centre, np.nextafter(centre, np.float32(np.inf)), np.nextafter(centre, np.float32(-1))])
    expected = nearest_patterns(values.astype(np.float64), small)
    np.testing.assert_array_equal(to_patterns(small.encode(values), small), expected)


def test_random_float64_bits_round_to_nearest_even(small):
    values = np.random.default_rng(11).integers(0, 1 << 64, 200_000, dtype=np.uint64).view(np.float64)
    values = np.concatenate([values[~np.isnan(values)], sample(small, 200_000, 12)])
    np.testing.assert_array_equal(to_patterns(small.encode(values), small), nearest_patterns(values, small))


def test_random_float32_bits_round_to_nearest_even(small):
    values = np.random.default_rng(13).integers(0, 1 << 32, 200_000, dtype=np.uint32).view(np.float32)
    values = values[~np.isnan(values)]
    expected = nearest_patterns(values.astype(np.float64), small)
    np.testing.assert_array_equal(to_patterns(small.encode(values), small), expected)


def test_no_neighbour_is_nearer_and_ties_are_even(form):
    # In integers and fractions: this oracle has no size limit and so covers fp32 and fp64 too.
    values = np.abs(sample(form, 300, 14))
    values = values[values < form.largest]
    for value, pattern in zip(values, to_patterns(form.encode(values), form), strict=True):
        pattern, exact = int(pattern), Fraction(float(value))
        distance = abs(number(pattern, form) - exact)
        others = [abs(number(other, form) - exact) for other in (abs(pattern - 1), pattern + 1)]
        assert distance < min(others) or (distance == min(others) and pattern % 2 == 0)


def test_the_relative_error_is_at_most_the_unit_roundoff(form):
    values = np.abs(sample(form, 20_000, 15))
    values = values[(values >= form.smallest_normal) & (values <= form.largest)]
    assert values.size > 5_000
    error = np.abs(form.round(values).astype(np.float64) - values)
    # error / u is a scaling by a power of two and so exact.
    assert np.all(error / form.unit_roundoff <= values)


def test_the_sign_of_zero_is_kept(form):
    assert np.signbit(form.round([0.0, -0.0, -form.smallest_subnormal / 4])).tolist() == [False, True, True]


def test_half_the_smallest_number_is_a_tie_with_zero(rounded):
    half = rounded.smallest_subnormal / 2
    assert rounded.round([half, math.nextafter(half, 1)]).tolist() == [0.0, rounded.smallest_subnormal]


@pytest.mark.parametrize("saturate", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nan_stays_nan(form, saturate, dtype):
    assert np.isnan(form.round(np.array([np.nan, -np.nan], dtype), saturate=saturate)).all()


def test_nan_with_any_payload_stays_nan(form):
    payloads = (np.uint64(0x7FF << 52) + (np.uint64(1) << np.arange(52, dtype=np.uint64))).view(np.float64)
    assert np.isnan(form.round(payloads)).all()


def test_no_input_raises_a_warning(form):
    everything = np.random.default_rng(23).integers(0, 1 << 32, 100_000, dtype=np.uint32).view(np.float32)
    with np.errstate(all="raise"):
        form.round(everything)
        form.round(everything, saturate=True)
        form.round(everything, rounding="stochastic", random_bits=np.random.default_rng(24))
        form.round(np.array([1e300, 5e-324, np.inf, np.nan]))


def test_infinity_stays_or_becomes_nan(form):
    expected = [np.inf, -np.inf] if form.has_infinity else [np.nan, np.nan]
    np.testing.assert_array_equal(form.round([np.inf, -np.inf]), expected)


def test_overflow_starts_half_a_gap_above_the_largest_number(rounded):
    top, below = number(rounded.largest_pattern, rounded), number(rounded.largest_pattern - 1, rounded)
    threshold = float(top + (top - below) / 2)
    # The pattern after the largest is even where there is an infinity, and odd (NaN) where there is none.
    decoded = rounded.round([math.nextafter(threshold, 0), threshold, math.nextafter(threshold, math.inf)])
    assert decoded[0] == rounded.largest
    assert (decoded[1] == rounded.largest) == (not rounded.has_infinity)
    assert not np.isfinite(decoded[2])


def test_saturation_bounds_all_but_nan(form):
    values = np.array([np.inf, -np.inf, 1.7e308, -1.7e308])
    limit = min(form.largest, 1.7e308)
    np.testing.assert_array_equal(form.round(values[2:], saturate=True), [limit, -limit])
    np.testing.assert_array_equal(form.round(values[:2], saturate=True), [form.largest, -form.largest])


def test_saturation_leaves_what_fits(small):
    values = sample(small, 10_000, 16)
    values = values[np.abs(values) <= small.largest]
    np.testing.assert_array_equal(small.encode(values, saturate=True), small.encode(values))


def stochastic(form, values, words, **options):
    return form.encode(values, rounding="stochastic", random_bits=np.asarray(words, np.uint32), **options)


@pytest.mark.parametrize("word", [0, 1, 2**31, 2**32 - 1])
def test_stochastic_rounding_leaves_exact_numbers(form, word):
    numbers = form.round(np.clip(sample(form, 5_000, 17), -form.largest, form.largest))
    np.testing.assert_array_equal(stochastic(form, numbers, np.full(numbers.shape, word)), form.encode(numbers))


def lower_patterns(form):
    """Zero, a subnormal, the step into the normal range, one, the step into a binade, and the largest number."""
    normal = 1 << (form.significand_bits - 1)
    one = normal * (2 ** (form.exponent_bits - 1) - 1)
    return [0, 1, normal - 1, normal, one, one - 1, form.largest_pattern]


@pytest.mark.parametrize("place", range(7))
@pytest.mark.parametrize("part", [1, 300, 512, 1023])
@pytest.mark.parametrize("sign", [1, -1])
def test_stochastic_rounding_goes_up_in_exact_proportion_to_the_distance(rounded, place, part, sign):
    lower = lower_patterns(rounded)[place]
    gap = number(lower + 1, rounded) - number(lower, rounded)
    value = float(number(lower, rounded) + gap * part / FRACTION)
    # Of all values of the top ten random bits, `part` of 1024 must round away from zero; past the largest
    # number that is infinity or NaN, whose pattern follows.
    stored = stochastic(rounded, np.full(FRACTION, sign * value), np.arange(FRACTION) << 22)
    patterns = to_patterns(stored, rounded) - (1 << (rounded.bits - 1) if sign < 0 else 0)
    overflow = lower == rounded.largest_pattern and not rounded.has_infinity
    upper = rounded.nan_pattern if overflow else lower + 1
    assert (np.sum(patterns == upper), np.sum(patterns == lower)) == (part, FRACTION - part)


def test_stochastic_rounding_far_below_the_smallest_number_keeps_its_proportion(rounded):
    # 2**-20 of the smallest number: 2**12 of the 2**32 words round up, the highest ones.
    values = np.full(3, rounded.smallest_subnormal * 2.0**-20)
    patterns = to_patterns(stochastic(rounded, values, [2**32 - 1, 2**32 - 2**12, 2**32 - 2**12 - 1]), rounded)
    assert patterns.tolist() == [1, 1, 0]


def test_the_last_step_of_stochastic_rounding_is_centred(rounded):
    # 2**-33 of the smallest number is half a step: it takes the highest of the 2**32 words, less takes none.
    half_step = rounded.smallest_subnormal * 2.0**-33
    values = [half_step, half_step, math.nextafter(half_step, 0)]
    patterns = to_patterns(stochastic(rounded, values, [2**32 - 1, 2**32 - 2, 2**32 - 1]), rounded)
    assert patterns.tolist() == [1, 0, 0]


def test_stochastic_rounding_is_unbiased(rounded):
    # Hoeffding: the mean of n draws, each within one gap, is off by more than gap * sqrt(ln(2/p) / 2n) with
    # probability p. Twelve values at p = 1e-9.
    draws, probability = 20_000, 1e-9
    bound = math.sqrt(math.log(2 / probability) / (2 * draws))
    generator = np.random.default_rng(18)
    for place in lower_patterns(rounded)[:6]:
        low, high = float(number(place, rounded)), float(number(place + 1, rounded))
        for part in (0.1, 0.7):
            value = low + (high - low) * part
            stored = rounded.encode(np.full(draws, value), rounding="stochastic", random_bits=generator)
            went_up = (rounded.decode(stored).astype(np.float64) - low) / (high - low)
            assert abs(went_up.mean() - (value - low) / (high - low)) <= bound


def test_stochastic_rounding_picks_one_of_the_two_neighbours(small):
    values = sample(small, 100_000, 19)
    values = np.abs(values[np.abs(values) < small.largest])
    words = np.random.default_rng(20).integers(0, 1 << 32, values.shape, dtype=np.uint32)
    below = np.searchsorted(rising_numbers(small), values, side="right") - 1
    steps = to_patterns(stochastic(small, values, words), small).astype(int) - below
    assert set(np.unique(steps)) == {0, 1}


def test_stochastic_rounding_of_float32_equals_that_of_the_same_float64(form):
    values = np.random.default_rng(21).integers(0, 1 << 32, 100_000, dtype=np.uint32).view(np.float32)
    values = values[~np.isnan(values)]
    words = np.random.default_rng(22).integers(0, 1 << 32, values.shape, dtype=np.uint32)
    np.testing.assert_array_equal(stochastic(form, values, words), stochastic(form, values.astype(np.float64), words))


def test_stochastic_rounding_saturates(form):
    values = np.array([np.inf, -np.inf, form.largest])
    stored = stochastic(form, values, np.full(3, 2**32 - 1), saturate=True)
    assert form.decode(stored).tolist() == [form.largest, -form.largest, form.largest]


def test_stochastic_rounding_of_specials_is_that_of_nearest(form):
    specials = np.array([np.inf, -np.inf, 0.0, -0.0])
    for word in (0, 2**32 - 1):
        stored = to_patterns(stochastic(form, specials, np.full(4, word)), form)
        assert stored.tolist() == to_patterns(form.encode(specials), form).tolist()


def test_stochastic_rounding_keeps_nan(form):
    assert np.isnan(form.decode(stochastic(form, [np.nan, -np.nan], [0, 2**32 - 1]))).all()
