"""Every entry of gemm, in every format that it takes, against the FP64 product of the decoded operands."""

import numpy as np
import pytest

from mpsolve import lookup
from mpsolve.errors import BackendUnavailable, FormatError
from mpsolve.precision import get_format

SHAPES = (
    (1, 1, 1),
    (3, 1, 2),
    (13, 7, 31),
    (6, 64, 64),
    (70, 130, 65),
    (50, 1031, 129),
    (129, 515, 1),
    (1501, 257, 5),
    (70, 300, 300),
)
EMPTY = ((0, 3, 4), (3, 0, 4), (3, 4, 0))


def cases():
    for entry in lookup.names("gemm"):
        for format_name in lookup.find("gemm", entry).FORMATS:
            yield pytest.param((entry, format_name), id=f"{entry}-{format_name}")


@pytest.fixture(params=cases())
def entry(request):
    return request.param


@pytest.fixture(params=[1, 2], ids=["1 thread", "2 threads"])
def gemm(request, entry, monkeypatch):
    if getattr(lookup.find("gemm", entry[0]), "ON_DEVICE", False):
        monkeypatch.setenv("MPSOLVE_EMULATED_DEVICE", "1")
    try:
        return lookup.find("gemm", entry[0]).create(get_format(entry[1]), request.param)
    except BackendUnavailable as problem:
        pytest.skip(str(problem))


def operands(gemm, shape, seed=0):
    """Return encoded operands that are parts of larger arrays, and their values."""
    m, k, n = shape
    rng = np.random.default_rng(seed)
    left = gemm.format.encode(rng.standard_normal((m + 2, k + 4)).astype(gemm.result))[1 : 1 + m, 2 : 2 + k]
    right = gemm.format.encode(rng.standard_normal((k + 1, n + 2)).astype(gemm.result))[1:, :n]
    return left, right, gemm.format.decode(left).astype(np.float64), gemm.format.decode(right).astype(np.float64)


def tolerance(gemm, left, right, c):
    """Return the bound of k + 3 roundings in the type of the sums, in any order (Higham 2002, section 3.1)."""
    unit = np.finfo(gemm.result).eps / 2
    return (left.shape[1] + 3) * unit * (np.abs(left) @ np.abs(right) + np.abs(c)) + np.finfo(gemm.result).tiny


@pytest.mark.parametrize("shape", SHAPES + EMPTY)
def test_a_product_is_subtracted(gemm, shape):
    left, right, exact_left, exact_right = operands(gemm, shape)
    whole = np.random.default_rng(1).standard_normal((shape[0] + 2, shape[2] + 3)).astype(gemm.result)
    c = whole[1 : 1 + shape[0], 2 : 2 + shape[2]]
    before, wanted = whole.copy(), c.astype(np.float64) - 0.25 * (exact_left @ exact_right)
    gemm.subtract(c, gemm.left(left), gemm.right(right), 0.25)
    bound = tolerance(gemm, exact_left, exact_right, wanted) + tolerance(gemm, exact_left, exact_right, before[0, 0])
    assert np.all(np.abs(c - wanted) <= bound)
    before[1 : 1 + shape[0], 2 : 2 + shape[2]] = c
    assert np.array_equal(whole, before), "what lies around c was changed"


@pytest.mark.parametrize("shape", SHAPES + EMPTY)
def test_a_product_replaces_what_was_there(gemm, shape):
    left, right, exact_left, exact_right = operands(gemm, shape)
    c = np.full((shape[0], shape[2]), np.nan, gemm.result)
    gemm.multiply(c, gemm.left(left), gemm.right(right), 2.0)
    wanted = 2 * (exact_left @ exact_right)
    assert np.all(np.abs(c - wanted) <= 2 * tolerance(gemm, exact_left, exact_right, wanted))


def test_operands_are_used_again_and_not_changed(gemm):
    left, right, _, _ = operands(gemm, (30, 20, 70))
    kept = left.copy(), right.copy()
    prepared, first, second = (gemm.left(left), gemm.right(right)), *np.zeros((2, 30, 70), gemm.result)
    gemm.subtract(first, *prepared)
    gemm.subtract(second, *prepared)
    assert np.array_equal(first, second) and np.any(first)
    assert np.array_equal(left, kept[0]) and np.array_equal(right, kept[1])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_and_infinity_show_in_the_product(gemm, bad):
    left, right, _, _ = operands(gemm, (20, 9, 70))
    left, column = np.ascontiguousarray(left), np.zeros(1, gemm.result)
    column[0] = bad
    left[3, 4] = gemm.format.encode(column)[0]
    c = np.zeros((20, 70), gemm.result)
    gemm.subtract(c, gemm.left(left), gemm.right(right))
    assert not np.isfinite(c[3]).any()
    assert np.isfinite(np.delete(c, 3, axis=0)).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_and_infinity_of_a_column_or_of_c_show_and_do_not_spread(gemm, bad):
    left, right, _, _ = operands(gemm, (20, 9, 70))
    right = np.ascontiguousarray(right)
    right[4, 65] = gemm.format.encode(np.full(1, bad, gemm.result))[0]
    c = np.zeros((20, 70), gemm.result)
    c[19, 2] = bad
    gemm.subtract(c, gemm.left(left), gemm.right(right))
    assert not np.isfinite(c[:, 65]).any() and not np.isfinite(c[19, 2])
    assert np.isfinite(c).sum() == c.size - 21


def test_infinity_follows_the_rules_of_arithmetic(gemm):
    if not gemm.format.has_infinity:
        pytest.skip(f"{gemm.format.name} has no infinity")
    left, right = np.ones((30, 41), gemm.result), np.ones((41, 90), gemm.result)
    left[3, 5], right[5, 20], right[5, 30] = np.inf, -1.0, 0.0
    c = np.zeros((30, 90), gemm.result)
    gemm.multiply(c, gemm.left(gemm.format.encode(left)), gemm.right(gemm.format.encode(right)))
    assert c[3, 20] == -np.inf and np.isnan(c[3, 30])
    assert np.all(np.delete(c[3], [20, 30]) == np.inf)


@pytest.mark.parametrize("scale", [2.0**-20, 2.0**30])
def test_a_power_of_two_scales_without_rounding(gemm, scale):
    left, right, _, _ = operands(gemm, (25, 19, 70))
    plain, scaled = np.empty((2, 25, 70), gemm.result)
    gemm.multiply(plain, gemm.left(left), gemm.right(right))
    gemm.multiply(scaled, gemm.left(left), gemm.right(right), scale)
    assert np.array_equal(scaled, plain * gemm.result.type(scale))


def test_small_integers_are_exact(gemm):
    rng = np.random.default_rng(3)
    left, right = (rng.integers(-3, 4, shape).astype(gemm.result) for shape in ((39, 77), (77, 101)))
    c = np.full((39, 101), 7, gemm.result)
    gemm.subtract(c, gemm.left(gemm.format.encode(left)), gemm.right(gemm.format.encode(right)), 2.0)
    assert np.array_equal(c, 7 - 2 * (left @ right))


def test_operands_may_be_read_only_and_their_rows_backwards(gemm):
    left, right, exact_left, exact_right = operands(gemm, (21, 18, 33))
    left.flags.writeable = right.flags.writeable = False
    c = np.zeros((21, 33), gemm.result)
    gemm.multiply(c, gemm.left(left[::-1]), gemm.right(right[::-1]))
    exact_left, exact_right = exact_left[::-1], exact_right[::-1]
    wanted = exact_left @ exact_right
    assert np.all(np.abs(c - wanted) <= tolerance(gemm, exact_left, exact_right, wanted))


@pytest.mark.parametrize("shape", [(700, 96, 130), (40, 90, 2000), (3000, 70, 33)], ids=str)
def test_products_large_enough_for_threads(gemm, shape):
    left, right, exact_left, exact_right = operands(gemm, shape)
    c = np.zeros((shape[0], shape[2]), gemm.result)
    gemm.subtract(c, gemm.left(left), gemm.right(right))
    wanted = -(exact_left @ exact_right)
    assert np.all(np.abs(c - wanted) <= tolerance(gemm, exact_left, exact_right, wanted))


def test_a_format_that_an_entry_lacks_is_refused(entry):
    class Unknown:
        name = "fp3"

    with pytest.raises(FormatError, match="in fp3"):
        lookup.find("gemm", entry[0]).create(Unknown(), 1)
