"""What every backend promises: the reference decides the bits, FP64 the truth, and the cut of the box nothing."""

import math

import emulation
import numpy as np
import pytest
from mirrored import Mirrored

from mpsolve import lookup
from mpsolve.backends.base import Backend
from mpsolve.bins import to_float
from mpsolve.errors import BackendUnavailable, ShapeError
from mpsolve.field import Field
from mpsolve.precision import get_format

BACKENDS = lookup.names("backends")
FORMATS = lookup.names("formats")
NARROW = [name for name in FORMATS if get_format(name).bits <= 16]
SHAPES = {1: (1030,), 2: (9, 130), 3: (5, 6, 70)}
RATE = 0.125


def point_1d(load, a, c, i):
    (u,) = a
    (rate,) = c
    centre = load(u, i)
    return centre + rate * ((load(u, i - 1) - centre) + (load(u, i + 1) - centre))


def point_2d(load, a, c, i, j):
    (u,) = a
    (rate,) = c
    centre = load(u, i, j)
    rows = (load(u, i - 1, j) - centre) + (load(u, i + 1, j) - centre)
    return centre + rate * (rows + ((load(u, i, j - 1) - centre) + (load(u, i, j + 1) - centre)))


def point_3d(load, a, c, i, j, k):
    (u,) = a
    (rate,) = c
    centre = load(u, i, j, k)
    planes = (load(u, i - 1, j, k) - centre) + (load(u, i + 1, j, k) - centre)
    rows = (load(u, i, j - 1, k) - centre) + (load(u, i, j + 1, k) - centre)
    return centre + rate * (planes + rows + ((load(u, i, j, k - 1) - centre) + (load(u, i, j, k + 1) - centre)))


POINTS = {1: point_1d, 2: point_2d, 3: point_3d}


def double(load, a, c, i, j):
    return c[0] * load(a[0], i, j)


def scaled_sum(load, a, c, i, j):
    return load(a[0], i, j) + c[0] * load(a[1], i, j)


@pytest.fixture(params=BACKENDS)
def backend(request) -> Backend:
    return make(request.param)


def make(name, threads=2) -> Backend:
    if name == "cuda":
        return Mirrored(emulation.backend(threads))
    try:
        return lookup.find("backends", name).create(threads)
    except BackendUnavailable as error:
        pytest.skip(str(error))


def random_field(shape, format, halo=1, seed=0, scale=1.0):
    """Random numbers everywhere, in the ghosts too, so that a wrong index shows."""
    field = Field.zeros(shape, halo, format)
    values = np.random.default_rng(seed).standard_normal(field.storage.shape)
    field.storage[...] = format.encode(scale * values)
    return field


def exact_step(field, rate):
    """The step in FP64 arithmetic on the numbers that the field really holds, and the sum of its terms' sizes."""
    reach = tuple(n + 1 for n in field.shape)
    values = field.format.decode(field.region((-1,) * field.ndim, reach)).astype(np.float64)
    inner = tuple(slice(1, -1) for _ in field.shape)
    change, size = np.zeros(field.shape), np.abs(values[inner]).copy()
    for axis in range(field.ndim):
        for start in (0, 2):
            moved = values[
                tuple(slice(start, start + n) if a == axis else slice(1, -1) for a, n in enumerate(field.shape))
            ]
            change += moved - values[inner]
            size += rate * (np.abs(moved) + np.abs(values[inner]))
    return values[inner] + rate * change, size


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("name", FORMATS)
def test_a_stencil_is_close_to_fp64(backend, name, ndim):
    format = get_format(name)
    field = random_field(SHAPES[ndim], format)
    out = field.like()
    backend.bind(POINTS[ndim], [out], [field])(RATE)
    truth, size = exact_step(field, RATE)
    # 4 operations per axis and 2 more, each with the roundoff of the compute type, then the storage's own rounding.
    bound = (4 * ndim + 2) * np.finfo(format.compute).eps / 2 * size
    bound += format.unit_roundoff * (np.abs(truth) + bound) + format.smallest_subnormal
    assert np.all(np.abs(out.to_numpy() - truth) <= bound)


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("name", FORMATS)
def test_a_stencil_has_the_bits_of_the_reference(backend, name, ndim):
    field = random_field(SHAPES[ndim], get_format(name))
    out, expected = field.like(), field.like()
    backend.bind(POINTS[ndim], [out], [field])(RATE)
    make("reference").bind(POINTS[ndim], [expected], [field])(RATE)
    np.testing.assert_array_equal(out.interior, expected.interior)


def test_only_the_box_is_written(backend):
    field = random_field((20, 40), get_format("bf16"))
    out = field.like().set(3.0)
    backend.bind(point_2d, [out], [field], lo=(2, 5), hi=(4, 39))(RATE)
    written = out.to_numpy() != 3.0
    assert written[2:4, 5:39].all()
    assert written.sum() == 2 * 34


def test_a_box_may_reach_into_the_ghosts(backend):
    field = random_field((6, 10), get_format("fp32"), halo=2)
    out, expected = field.like(), field.like()
    for made, target in ((backend, out), (make("reference"), expected)):
        made.bind(point_2d, [target], [field], lo=(-1, -1), hi=(7, 11))(RATE)
    np.testing.assert_array_equal(out.region((-1, -1), (7, 11)), expected.region((-1, -1), (7, 11)))


@pytest.mark.parametrize("name", ["fp64", "fp16"])
def test_an_output_may_be_an_input(backend, name):
    field, other = (random_field((11, 300), get_format(name), seed=seed) for seed in (1, 2))
    expected = field.format.round(field.to_numpy() + 0.5 * other.to_numpy())
    backend.bind(scaled_sum, [field], [field, other])(0.5)
    np.testing.assert_array_equal(field.to_numpy(), expected)


def test_formats_mix_in_one_kernel(backend):
    wide, narrow = random_field((5, 90), get_format("fp64")), random_field((5, 90), get_format("bf16"))
    out = wide.like()
    backend.bind(scaled_sum, [out], [wide, narrow])(0.5)
    np.testing.assert_array_equal(out.to_numpy(), wide.to_numpy() + 0.5 * narrow.to_numpy())


def test_a_box_outside_the_storage_is_refused(backend):
    field = random_field((6, 10), get_format("fp32"))
    with pytest.raises(ShapeError, match="leaves a field"):
        backend.bind(double, [field.like()], [field], hi=(8, 10))


@pytest.mark.parametrize("name", FORMATS)
def test_an_inner_product_has_the_bits_of_any_cut_of_the_box(backend, name):
    left, right = (random_field((37, 500), get_format(name), seed=seed) for seed in (3, 4))
    whole = backend.bind(None, [], [left, right], dots=((0, 1),))()[0]
    parts = [((0, 0), (37, 13)), ((0, 13), (20, 500)), ((20, 13), (37, 500))]
    split = sum(backend.bind(None, [], [left, right], dots=((0, 1),), lo=lo, hi=hi)()[0] for lo, hi in parts)
    serial = make(backend.name, threads=1).bind(None, [], [left, right], dots=((0, 1),))()[0]
    assert to_float(whole) == to_float(split) == to_float(serial)


def test_an_inner_product_is_right(backend):
    left, right = (random_field((37, 500), get_format("fp64"), seed=seed) for seed in (3, 4))
    products = left.to_numpy() * right.to_numpy()
    bins = backend.bind(None, [], [left, right], dots=((0, 1),))()[0]
    # Each product is rounded once; the sum of the rounded products is exact to 60 bits below the largest.
    assert abs(to_float(bins) - math.fsum(products.ravel())) <= 2.0**-53 * abs(math.fsum(products.ravel()))


def test_inner_products_of_outputs_use_what_was_stored(backend):
    field = random_field((10, 100), get_format("fp16"))
    out = field.like()
    bins = backend.bind(double, [out], [field], dots=((0, 0), (0, 1)))(0.3)
    values, inputs = out.to_numpy(), field.to_numpy()
    assert to_float(bins[0]) == math.fsum((values * values).ravel())
    assert to_float(bins[1]) == math.fsum((values * inputs).ravel())


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_an_inner_product_with_a_number_that_is_not_finite_is_nan(backend, bad):
    field = random_field((10, 100), get_format("fp32"))
    field.interior[7, 31] = bad
    assert math.isnan(to_float(backend.bind(None, [], [field], dots=((0, 0),))()[0]))


@pytest.mark.parametrize("scale", [1.0, 2.0**-9, 2.0**-15])
@pytest.mark.parametrize("name", NARROW)
def test_stochastic_rounding_has_the_bits_of_the_reference(backend, name, scale):
    # The smaller scales reach the subnormal numbers of the 8-bit formats and of FP16.
    field = random_field((9, 130), get_format("fp32"), scale=scale)
    out, expected = field.like(get_format(name)), field.like(get_format(name))
    for made, target in ((backend, out), (make("reference"), expected)):
        made.bind(double, [target], [field], rounding="stochastic", first=(3, 1 << 20), key=77)(0.7)
    np.testing.assert_array_equal(out.interior, expected.interior)


@pytest.mark.parametrize("name", NARROW)
def test_stochastic_rounding_is_right_on_average(backend, name):
    format = get_format(name)
    field = Field.zeros((100, 100), 1, get_format("fp32")).set(1.0)
    out = field.like(format)
    value = np.float32(1.0 + 0.3 * 2 * format.unit_roundoff)
    backend.bind(double, [out], [field], rounding="stochastic", key=5)(value)
    ups = np.count_nonzero(out.to_numpy() > 1.0)
    # The share of 10^4 draws that round up is 0.3 but for the steps of the noise; five standard deviations.
    assert abs(ups / 1e4 - 0.3) < 5 * math.sqrt(0.3 * 0.7 / 1e4) + 1e-3


MIRRORS = {
    "neighbours": ((0, 0), (0, 0)),
    "walls": ((-1, 1), (1, -1)),
    "mixed": ((0, -1), (1, 0)),
}


@pytest.mark.parametrize("mirrors", MIRRORS.values(), ids=MIRRORS.keys())
@pytest.mark.parametrize("name", FORMATS)
def test_a_sweep_has_the_bits_of_the_reference(backend, name, mirrors):
    field = random_field((17, 150), get_format(name), halo=8)
    for steps in (1, 2, 3, 4, 8):
        out, expected = field.like(), field.like()
        backend.bind_sweep(out, field, (0.2, 0.2), steps, mirrors)()
        make("reference").bind_sweep(expected, field, (0.2, 0.2), steps, mirrors)()
        np.testing.assert_array_equal(out.interior, expected.interior, err_msg=f"{steps} steps")


@pytest.mark.parametrize("name", ["fp64", "fp32", "bf16", "fp8_e4m3"])
def test_a_sweep_with_a_rate_for_each_axis_has_the_bits_of_the_reference(backend, name):
    field = random_field((14, 66), get_format(name), halo=3)
    for steps in (1, 3):
        out, expected = field.like(), field.like()
        backend.bind_sweep(out, field, (0.11, 0.23), steps, MIRRORS["mixed"])()
        make("reference").bind_sweep(expected, field, (0.11, 0.23), steps, MIRRORS["mixed"])()
        np.testing.assert_array_equal(out.interior, expected.interior, err_msg=f"{steps} steps")


@pytest.mark.parametrize("shape", [(7,), (300,), (3, 4, 5), (6, 9, 70)], ids=str)
@pytest.mark.parametrize("name", ["fp64", "bf16"])
def test_a_sweep_of_other_dimensions_has_the_bits_of_the_reference(backend, name, shape):
    field = random_field(shape, get_format(name), halo=3)
    mirrors = ((1, -1), (0, 0), (-1, 0))[-len(shape) :]
    for steps in (1, 2, 3):
        out, expected = field.like(), field.like()
        backend.bind_sweep(out, field, (0.1,) * len(shape), steps, mirrors)()
        make("reference").bind_sweep(expected, field, (0.1,) * len(shape), steps, mirrors)()
        np.testing.assert_array_equal(out.interior, expected.interior, err_msg=f"{steps} steps")


def periodic(field):
    """Fill all ghosts from the other ends."""
    n, m, h = *field.shape, field.halo
    wrapped = np.pad(field.interior.copy(), h, mode="wrap")
    field.region((-h, -h), (n + h, m + h))[...] = wrapped
    return field


@pytest.mark.parametrize("name", FORMATS)
def test_steps_in_one_pass_equal_steps_one_by_one(backend, name):
    start = random_field((13, 70), get_format(name), halo=4)
    together, current = start.like(), start
    backend.bind_sweep(together, periodic(start), (0.2, 0.2), 4, ((0, 0), (0, 0)))()
    for _ in range(4):
        after = current.like()
        backend.bind_sweep(after, periodic(current), (0.2, 0.2), 1, ((0, 0), (0, 0)))()
        current = after
    np.testing.assert_array_equal(together.interior, current.interior)


@pytest.mark.parametrize("name", FORMATS)
def test_a_sweep_step_is_close_to_fp64(backend, name):
    field = random_field((9, 130), get_format(name))
    out = field.like()
    backend.bind_sweep(out, field, (RATE, RATE), 1, MIRRORS["neighbours"])()
    truth, size = exact_step(field, RATE)
    # Three additions, a product with the centre and one with the rate, and their two sums; then the storage's rounding.
    bound = 8 * np.finfo(field.format.compute).eps / 2 * size
    bound += field.format.unit_roundoff * (np.abs(truth) + bound) + field.format.smallest_subnormal
    assert np.all(np.abs(out.to_numpy() - truth) <= bound)


@pytest.mark.parametrize("name", ["fp64", "fp32", "bf16", "fp16"])
def test_a_constant_between_walls_without_flux_stays_constant(backend, name):
    field = Field.zeros((10, 50), 1, get_format(name)).set(0.3)
    out = field.like()
    backend.bind_sweep(out, field, (0.21, 0.17), 8, ((1, 1), (1, 1)))()
    np.testing.assert_array_equal(out.interior, field.interior)


@pytest.mark.parametrize("name", ["fp64", "fp32", "bf16", "fp16"])
def test_a_sweep_keeps_infinities_and_nan_visible(backend, name):
    field = Field.zeros((12, 90), 1, get_format(name)).set(1.0)
    values = field.to_numpy()
    values[3, 40], values[8, 70] = np.inf, np.nan
    field.set(values)
    out = field.like()
    backend.bind_sweep(out, field, (0.2, 0.2), 1, ((1, 1), (1, 1)))()
    result = out.to_numpy()
    assert np.isnan(result[3, 40])
    assert np.isinf(result[[2, 4, 3, 3], [40, 40, 39, 41]]).all()
    assert np.isnan(result[[8, 7, 9, 8, 8], [70, 70, 70, 69, 71]]).all()
    assert np.isfinite(result).sum() == result.size - 10


@pytest.mark.parametrize(
    ("steps", "rates", "mirrors", "halo", "message"),
    [
        (3, (0.2, 0.2), ((0, 1), (1, 1)), 2, "need a halo of 3"),
        (9, (0.2, 0.2), ((1, 1), (1, 1)), 2, "1 to 8 steps"),
        (0, (0.2, 0.2), ((1, 1), (1, 1)), 2, "1 to 8 steps"),
        (1, (0.2,), ((1, 1), (1, 1)), 2, "2 axes"),
        (1, (0.2, 0.2), ((1, 2), (1, 1)), 2, "-1, 0 or 1"),
        (1, (0.2, 0.2), ((1, 1), (1, 1)), 0, "halo of 1"),
    ],
)
def test_a_sweep_that_cannot_be_done_is_refused(backend, steps, rates, mirrors, halo, message):
    field = Field.zeros((6, 9), halo, get_format("fp32"))
    with pytest.raises(ShapeError, match=message):
        backend.bind_sweep(field.like(), field, rates, steps, mirrors)


def test_a_sweep_in_place_is_refused(backend):
    field = Field.zeros((6, 9), 1, get_format("fp32"))
    with pytest.raises(ShapeError, match="two fields"):
        backend.bind_sweep(field, field, (0.2, 0.2), 1, ((1, 1), (1, 1)))
