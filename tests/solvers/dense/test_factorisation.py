"""LU on every grid: the product of the factors is the matrix, to the rounding of the working format."""

import numpy as np
import pytest

from mpsolve.ledger import Ledger
from mpsolve.precision import get_format
from mpsolve.solvers.dense.arithmetic import Arithmetic
from mpsolve.solvers.dense.factorisation import Factorisation
from mpsolve.solvers.dense.factors import Breakdown, FactorOptions

pytestmark = pytest.mark.ranks

FORMATS = ("fp64", "fp32", "tf32", "bf16", "fp16", "fp8_e4m3", "fp8_e5m2")
SIZES = ((1, 4), (5, 8), (48, 16), (100, 33))
#: Every format at a size that no block divides, and every size in one format.
PLAIN = [(61, 8, name) for name in FORMATS] + [(*size, "bf16") for size in SIZES]
PIVOTED = [(61, 8, name) for name in ("fp64", "fp16")] + [(*size, "fp32") for size in SIZES]


def factored(deal, grid, backend, array, block, name, *, pivoting=False, limit=np.inf):
    """Return the factors on every rank, whole: L, U, the order of the rows, and what the run returned."""
    operator = deal(grid, backend, array, block)
    arithmetic = Arithmetic(grid.comm, backend, get_format(name), "auto" if backend.name == "cuda" else "emulated")
    local = backend.dense.empty(operator.layout.shape, arithmetic.storage)
    operator.copy_to(local, None)
    options, ledger = FactorOptions(pivoting, limit), Ledger()
    run = Factorisation(operator.layout, local, operator.sizes.largest, arithmetic, options, ledger).run()
    whole = operator.layout.gather(backend.dense.download(run.local))
    whole = np.asarray(grid.comm.bcast(whole), np.float64)
    order = np.arange(len(array)) if run.order is None else run.order
    return np.tril(whole, -1) + np.eye(len(array)), np.triu(whole), order, run


def bound(lower, upper, name, block):
    """Return the bound of the error of L U: each update rounds its operands, and FP32 or FP64 rounds the sums.

    Higham, Accuracy and Stability, theorem 9.3, with three roundings of products in the working format; inverses of
    diagonal blocks add a factor of their condition, which is small here.
    """
    format = get_format(name)
    wide = np.finfo(format.compute).eps
    units = 3 * format.unit_roundoff + (len(lower) + 4 * block) * wide
    sizes = np.abs(lower) @ np.abs(upper)
    # Of scaled panels, what is below the smallest number of the format is lost.
    lost = 2 * len(lower) * format.smallest_subnormal / format.largest * np.abs(lower).max() * np.abs(upper).max()
    return units * sizes + lost


@pytest.mark.parametrize(("n", "block", "name"), PLAIN)
def test_without_pivoting_the_factors_multiply_to_the_matrix(deal, grid, backend, random_matrix, n, block, name):
    array = random_matrix(n, dominant=True)
    lower, upper, _, run = factored(deal, grid, backend, array, block, name)
    assert run.breakdown is None and run.order is None
    assert np.all(np.abs(lower @ upper - array) <= bound(lower, upper, name, block))


@pytest.mark.parametrize(("n", "block", "name"), PIVOTED)
def test_with_pivoting_the_rows_are_exchanged_and_l_is_bounded(deal, grid, backend, random_matrix, n, block, name):
    array = random_matrix(n)
    lower, upper, order, run = factored(deal, grid, backend, array, block, name, pivoting=True)
    assert run.breakdown is None and sorted(order) == list(range(n))
    assert np.all(np.abs(lower) <= 1 + 1e-6)
    assert np.all(np.abs(lower @ upper - array[order]) <= bound(lower, upper, name, block))


def test_the_pivots_are_those_of_one_rank(deal, comm, alone, random_matrix):
    from mpsolve.backends import reference
    from mpsolve.parallel.block_cyclic import ProcessGrid

    array, backend = random_matrix(40), reference.create()
    orders = [
        factored(deal, ProcessGrid.create(ranks), backend, array, 8, "fp64", pivoting=True)[2]
        for ranks in (comm, alone)
    ]
    assert np.array_equal(*orders)


def test_every_rank_learns_of_a_zero_pivot(deal, grid, backend, random_matrix):
    array = random_matrix(30, dominant=True)
    array[17, :] = array[:, 17] = 0
    array[17, 20] = array[20, 17] = 1.0
    run = factored(deal, grid, backend, array, 8, "fp32")[3]
    assert (run.breakdown, run.column) == (Breakdown.ZERO_PIVOT, 17)
    assert grid.comm.allgather(run.column) == [17] * grid.comm.size


def test_a_column_without_any_pivot_is_named(deal, grid, backend, random_matrix):
    array = random_matrix(30)
    array[:, 13] = 0
    run = factored(deal, grid, backend, array, 8, "fp64", pivoting=True)[3]
    assert (run.breakdown, run.column) == (Breakdown.ZERO_PIVOT, 13)


def test_growth_ends_a_factorisation_that_forbids_it(deal, grid, backend):
    n = 40
    steep = np.eye(n) * 1e-3 + np.triu(np.ones((n, n)), 1) + np.tril(np.ones((n, n)), -1)
    run = factored(deal, grid, backend, steep, 8, "fp32", limit=100.0)[3]
    assert run.breakdown is Breakdown.GROWTH and run.growth > 100


def test_overflow_is_told_from_growth(deal, grid, backend):
    n = 24
    array = np.full((n, n), 1e38)
    array[np.diag_indices(n)] = 1e-2
    run = factored(deal, grid, backend, array, 8, "fp32")[3]
    assert run.breakdown is Breakdown.OVERFLOW


def test_the_narrow_formats_use_their_range(deal, grid, backend, random_matrix):
    # Entries far outside FP16 and FP8 are scaled panel by panel.
    array = 2.0**40 * random_matrix(40, dominant=True)
    for name in ("fp16", "fp8_e4m3"):
        lower, upper, _, run = factored(deal, grid, backend, array, 8, name)
        assert run.breakdown is None
        assert np.all(np.abs(lower @ upper - array) <= bound(lower, upper, name, 8))
