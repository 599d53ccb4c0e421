"""The kernels of dense matrices: the compiled ones against NumPy, and both against FP64."""

import emulation
import numpy as np
import pytest
from mirrored import MirroredKernels

from mpsolve.kernels.dense_array import ArrayKernels
from mpsolve.precision import get_format

FORMATS = ("fp64", "fp32", "tf32", "bf16", "fp16", "fp8_e4m3", "fp8_e5m2")
TYPES = (np.float32, np.float64)


def compiled(threads):
    pytest.importorskip("numba")
    from mpsolve.backends import cpu

    return cpu.create(threads).dense


@pytest.fixture(params=["array", "compiled", "threads", "device"])
def kernels(request):
    if request.param == "device":
        return MirroredKernels(emulation.backend().dense)
    return ArrayKernels() if request.param == "array" else compiled(2 if request.param == "threads" else 1)


def part(rng, shape, kind=np.float32):
    """Return a part of a larger matrix: its rows are contiguous, and apart."""
    whole = rng.standard_normal((shape[0] + 3, shape[1] + 5)).astype(kind)
    return whole[2 : 2 + shape[0], 4 : 4 + shape[1]]


@pytest.mark.parametrize("name", FORMATS)
def test_encoding_is_that_of_the_format(kernels, name):
    format, rng = get_format(name), np.random.default_rng(1)
    source = part(rng, (301, 257), np.float64 if name == "fp64" else np.float32)
    source[3, 4], source[5, 6], source[7, 8] = np.inf, np.nan, 1e30
    target = np.empty(source.shape, format.storage)
    kernels.encode(target, source, format, 4.0)
    with np.errstate(over="ignore"):
        assert np.array_equal(target, format.encode(source * source.dtype.type(4)), equal_nan=target.dtype.kind == "f")


@pytest.mark.parametrize("kind", TYPES)
def test_the_largest_magnitude_is_found_and_nan_is_the_largest(kernels, kind):
    block = part(np.random.default_rng(2), (37, 41), kind)
    assert kernels.largest(block) == np.max(np.abs(block))
    block[36, 40] = -np.inf
    assert kernels.largest(block) == np.inf
    block[0, 1] = np.nan
    assert np.isnan(kernels.largest(block))
    assert kernels.largest(block[:0]) == 0.0


@pytest.mark.parametrize("kind", TYPES)
def test_a_small_block_is_factored_and_its_factors_are_inverted(kernels, kind):
    n, unit = 24, np.finfo(kind).eps
    block = part(np.random.default_rng(3), (n, n), kind)
    block[...] += 2 * n * np.eye(n, dtype=kind)
    wanted, inverses = block.astype(np.float64), (np.empty((n, n), kind), np.empty((n, n), kind))
    kernels.eliminate(block, *inverses)
    lower, upper = np.tril(block.astype(np.float64), -1) + np.eye(n), np.triu(block.astype(np.float64))
    # Higham, Accuracy and Stability, theorem 9.3: n u |L| |U|; the matrix is diagonally dominant.
    assert np.all(np.abs(lower @ upper - wanted) <= n * unit * (np.abs(lower) @ np.abs(upper)))
    for factor, inverse in zip((lower, upper), inverses, strict=True):
        bound = n * unit * np.abs(np.linalg.inv(factor)) @ np.abs(factor) @ np.abs(np.linalg.inv(factor))
        assert np.all(np.abs(inverse - np.linalg.inv(factor)) <= bound + unit)


@pytest.mark.parametrize("kind", TYPES)
def test_columns_are_factored_with_partial_pivoting(kernels, kind):
    rows, width = 60, 12
    panel = np.random.default_rng(4).standard_normal((rows, width)).astype(kind)
    wanted, pivots = panel.astype(np.float64), np.zeros(width, np.int64)
    assert kernels.eliminate_columns(panel, 0, width, pivots) == -1
    order = np.arange(rows)
    for row, pivot in enumerate(pivots):
        order[[row, pivot]] = order[[pivot, row]]
    lower = np.tril(panel.astype(np.float64), -1) + np.eye(rows, width)
    upper = np.triu(panel[:width].astype(np.float64))
    assert np.all(np.abs(lower) <= 1)
    bound = 2 * width * np.finfo(kind).eps * (np.abs(lower) @ np.abs(upper))
    assert np.all(np.abs(lower @ upper - wanted[order]) <= bound)


def test_columns_in_the_middle_exchange_whole_rows(kernels):
    panel = np.random.default_rng(5).standard_normal((9, 6)).astype(np.float32)
    before, pivots = panel.copy(), np.full(6, -1)
    panel[2:, 2] = [0, 0, 0, 5, 0, 0, 0]
    before[2:, 2] = panel[2:, 2]
    assert kernels.eliminate_columns(panel, 2, 3, pivots) == -1
    assert pivots.tolist() == [-1, -1, 5, -1, -1, -1]
    assert np.array_equal(panel[[2, 5]][:, [0, 1, 3, 4, 5]], before[[5, 2]][:, [0, 1, 3, 4, 5]])


def test_a_column_without_a_pivot_is_reported_and_left(kernels):
    panel = np.ones((5, 3), np.float32)
    panel[:, 1] = 0
    assert kernels.eliminate_columns(panel, 0, 3, np.zeros(3, np.int64)) == 1
    assert np.isfinite(panel).all()


def test_nan_is_taken_as_pivot_so_that_it_shows(kernels):
    panel = np.ones((5, 2), np.float32)
    panel[3, 0] = np.nan
    kernels.eliminate_columns(panel, 0, 2, np.zeros(2, np.int64))
    assert np.isnan(panel).any()


@pytest.mark.parametrize("kind", TYPES)
def test_one_column_is_eliminated_by_a_pivot_from_elsewhere(kernels, kind):
    panel = np.random.default_rng(6).standard_normal((8, 5)).astype(kind)
    row, before = np.arange(1, 6).astype(kind), panel.copy()
    kernels.eliminate_column(panel, 2, 1, 4, row)
    factor = before[2:, 1] / row[1]
    assert np.array_equal(panel[2:, 1], factor)
    # A product and a difference may be rounded once or twice.
    bound = np.finfo(kind).eps * np.abs(np.outer(factor, row[2:4]))
    assert np.all(np.abs(panel[2:, 2:4] - (before[2:, 2:4] - np.outer(factor, row[2:4]))) <= bound + bound.max())
    assert np.array_equal(panel[:, 4], before[:, 4]) and np.array_equal(panel[:2], before[:2])


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (1, 1), (413, 391)])
def test_products_are_summed_in_fp64(kernels, kind, count, shape):
    rng = np.random.default_rng(7)
    block = part(rng, shape, kind)
    exact, bound = block.astype(np.longdouble), 2.0**-53 * (max(shape) + 2) * np.abs(block).astype(np.float64)
    x, sums = rng.standard_normal((count, shape[1])), np.zeros((count, shape[0]))
    kernels.add_product(sums, block, x)
    assert np.all(np.abs(sums - x @ exact.T) <= np.abs(x) @ bound.T)
    y, sums = rng.standard_normal((count, shape[0])), np.zeros((count, shape[1]))
    kernels.add_transposed_product(sums, block, y)
    assert np.all(np.abs(sums - y @ exact) <= np.abs(y) @ bound)


@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("transposed", [False, True])
def test_triangles_are_solved(kernels, upper, transposed):
    n, rng = 50, np.random.default_rng(8)
    block = part(rng, (n, n))
    block[...] = block / n + np.eye(n, dtype=np.float32)
    triangle = np.triu(block) if upper else np.tril(block, -1) + np.eye(n)
    triangle = triangle.astype(np.float64).T if transposed else triangle.astype(np.float64)
    x = rng.standard_normal((2, n))
    vectors = x @ triangle.T
    kernels.substitute(block, vectors, upper=upper, transposed=transposed)
    bound = 2 * n * 2.0**-53 * np.abs(np.linalg.inv(triangle)) @ np.abs(triangle) @ np.abs(x.T)
    assert np.all(np.abs(vectors - x) <= bound.T)
