"""Blocks on a device: rows and entries, and the FP64 matrix that it holds or computes."""

import emulation
import numpy as np
import pytest

from mpsolve.errors import BackendUnavailable
from mpsolve.kernels.cuda import dense_kernels
from mpsolve.kernels.cuda.dense_kernels import DeviceKernels
from mpsolve.kernels.cuda.devices.emulated import Emulated
from mpsolve.kernels.dense_array import ArrayKernels
from mpsolve.models.matrices import hpl_mxp, random_uniform

N = 37
#: Rows and columns of a rank that holds part of the diagonal.
ROWS, COLUMNS = np.arange(4, 30), np.array([1, 2, 3, 8, 9, 10, 33, 34])


@pytest.fixture
def kernels():
    return DeviceKernels(emulation.device(), ArrayKernels())


@pytest.fixture(params=["hpl_mxp", "random_uniform"])
def matrix(request):
    return (hpl_mxp if request.param == "hpl_mxp" else random_uniform).create(N)


def part(matrix):
    everything = slice(0, matrix.n)
    return np.array(matrix.block(everything, everything))[np.ix_(ROWS, COLUMNS)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_computed_entries_have_the_bits_of_the_host(kernels, matrix, dtype):
    held = kernels.hold(ROWS, COLUMNS, matrix.congruential)
    out = kernels.empty((len(ROWS), len(COLUMNS)), np.dtype(dtype))
    held.copy_to(out, None, None)
    assert np.array_equal(kernels.download(out), part(matrix).astype(dtype))


@pytest.mark.parametrize("stored", [True, False], ids=["stored", "computed"])
def test_a_scaled_copy_rounds_once(kernels, matrix, stored):
    held = kernels.hold(ROWS, COLUMNS, part(matrix) if stored else matrix.congruential)
    rows, columns = 2.0 ** np.arange(-5, len(ROWS) - 5), 2.0 ** -np.arange(len(COLUMNS))
    out = kernels.empty((len(ROWS), len(COLUMNS)), np.dtype(np.float32))
    held.copy_to(out, rows, columns)
    assert np.array_equal(kernels.download(out), (part(matrix) * rows[:, None] * columns).astype(np.float32))


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("stored", [True, False], ids=["stored", "computed"])
def test_products_are_summed_in_fp64(kernels, matrix, stored, transposed):
    values = part(matrix)
    held = kernels.hold(ROWS, COLUMNS, values if stored else matrix.congruential)
    x = np.random.default_rng(0).standard_normal((2, len(ROWS) if transposed else len(COLUMNS)))
    exact = values if transposed else values.T
    # The number that the diagonal entry replaces is counted too, and taken back.
    bound = 2.0**-53 * (max(values.shape) + 5) * (np.abs(x) @ (np.abs(exact) + 1))
    wanted = x.astype(np.longdouble) @ exact.astype(np.longdouble)
    assert np.all(np.abs(held.product(x, transposed=transposed) - wanted) <= bound)


def test_a_matrix_that_leaves_no_room_for_its_factors_stays_on_the_host():
    small = DeviceKernels(Emulated(memory=8 * 100), ArrayKernels())
    assert small.hold(ROWS, COLUMNS, np.zeros((10, 10))) is None
    assert small.hold(ROWS, COLUMNS, None) is None
    assert small.hold(ROWS, COLUMNS, np.zeros((2, int(dense_kernels.HELD_PART * 50)))) is not None


def test_products_with_a_matrix_on_the_host_are_left_to_the_host(kernels):
    block, sums = np.arange(6.0).reshape(2, 3), np.zeros((1, 2))
    kernels.add_product(sums, block, np.ones((1, 3)))
    assert sums.tolist() == [[3.0, 12.0]]
    sums = np.zeros((1, 3))
    kernels.add_transposed_product(sums, block, np.ones((1, 2)))
    assert sums.tolist() == [[3.0, 5.0, 7.0]]


def test_rows_are_taken_and_put_back(kernels):
    values = np.arange(42.0, dtype=np.float32).reshape(6, 7)
    block, rows = kernels.upload(values)[:, 2:6], np.array([4, 0, 5])
    taken = kernels.take(block, rows)
    assert np.array_equal(kernels.download(taken), values[rows, 2:6])
    kernels.put(block, rows[::-1].copy(), taken)
    wanted = values.copy()
    wanted[rows[::-1], 2:6] = values[rows, 2:6]
    assert np.array_equal(kernels.download(block), wanted[:, 2:6])


def test_the_diagonal_is_copied(kernels):
    values = np.arange(25.0).reshape(5, 5)
    assert np.array_equal(kernels.diagonal(kernels.upload(values)), np.diagonal(values))


def test_row_exchanges_are_chosen_by_the_host(kernels):
    panel = kernels.upload(np.ones((3, 2)))
    with pytest.raises(BackendUnavailable, match="chosen by the host"):
        kernels.eliminate_columns(panel, 0, 1, np.zeros(2, np.int64))
    with pytest.raises(BackendUnavailable, match="chosen by the host"):
        kernels.eliminate_column(panel, 1, 0, 1, np.ones(2))
