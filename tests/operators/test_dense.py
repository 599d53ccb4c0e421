"""Dense matrices over ranks: products, norms, scaled copies, stored and computed, and entries that are no numbers."""

import numpy as np
import pytest

from mpsolve import lookup
from mpsolve.errors import FormatError, MpsolveError
from mpsolve.ledger import Ledger
from mpsolve.models.array_matrix import ArrayMatrix
from mpsolve.models.matrices.base import FormulaMatrix
from mpsolve.operators.dense import DenseOperator
from mpsolve.parallel.block_cyclic import BlockCyclic, ProcessGrid

pytestmark = pytest.mark.ranks

N = 37


@pytest.fixture(params=["reference", "cpu"])
def backend(request):
    if request.param == "cpu":
        pytest.importorskip("numba")
    return lookup.find("backends", request.param).create(1)


@pytest.fixture(params=["stored", "computed", "given"])
def make(request, comm, backend):
    """Return a function that makes an operator of an array, kept in each of three ways."""

    def build(array, block=5):
        layout = BlockCyclic.create(ProcessGrid.create(comm), array.shape, block)
        local = array[np.ix_(layout.rows.indices(), layout.columns.indices())].copy()
        given = {"local": local} if request.param == "given" else {"store": request.param == "stored"}
        entries = None if request.param == "given" else ArrayMatrix(array)
        return DenseOperator(layout, entries, backend, Ledger(), **given)

    return build


def random(seed=0, n=N):
    return np.random.default_rng(seed).standard_normal((n, n))


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("transposed", [False, True])
def test_products_are_those_of_the_matrix(make, count, transposed):
    array, x = random(), np.random.default_rng(1).standard_normal((count, N))
    matrix = array.T if transposed else array
    found = make(array).product(x, transposed=transposed)
    assert np.all(np.abs(found - x @ matrix.T) <= 2 * N * 2.0**-53 * (np.abs(x) @ np.abs(matrix).T))


def test_sizes_are_those_of_the_matrix(make):
    array = random()
    sizes = make(array).sizes
    assert np.allclose(sizes.norm_inf, np.linalg.norm(array, np.inf), rtol=N * 2.0**-52)
    assert np.allclose(sizes.norm_1, np.linalg.norm(array, 1), rtol=N * 2.0**-52)
    assert sizes.largest == np.abs(array).max()
    assert np.array_equal(sizes.diagonal, np.abs(np.diag(array)))
    assert np.array_equal(sizes.column_largest, np.abs(array).max(axis=0))


def test_dominance_by_rows_or_by_columns_is_seen(make):
    array = random()
    assert not make(array).sizes.dominant
    off = np.abs(array) - np.diag(np.abs(np.diag(array)))
    for sums in (off.sum(axis=0), off.sum(axis=1)):
        array[np.diag_indices(N)] = -sums
        assert make(array).sizes.dominant


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_a_copy_is_this_ranks_part(make, kind):
    array = random()
    operator = make(array)
    out = np.empty(operator.layout.shape, kind)
    operator.copy_to(out, None)
    rows, columns = operator.layout.rows.indices(), operator.layout.columns.indices()
    assert np.array_equal(out, array[np.ix_(rows, columns)].astype(kind))


def test_a_scaled_copy_has_even_rows_and_columns_and_no_rounding(make):
    array = random() * np.logspace(-9, 9, N) * np.logspace(12, -12, N)[:, None]
    operator = make(array)
    scaling = operator.scaling("auto")
    out = np.empty(operator.layout.shape)
    operator.copy_to(out, scaling)
    whole = operator.comm.bcast(operator.layout.gather(out))
    assert np.array_equal(whole, array * scaling.rows[:, None] * scaling.columns)
    assert np.array_equal(np.frexp(scaling.rows)[0], np.full(N, 0.5))
    assert np.all(np.abs(whole).max(axis=0) >= 0.5) and np.all(np.abs(whole).max(axis=0) < 1)


def test_an_even_matrix_is_not_scaled_unless_asked_to(make):
    operator = make(np.eye(N) + 0.5)
    assert operator.scaling("auto") is None and operator.scaling("never") is None
    assert operator.scaling("always") is not None
    assert make((np.eye(N) + 0.5) * 1e50).scaling("auto") is not None


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_an_entry_that_is_no_number_is_named_on_every_rank(make, bad):
    array = random()
    array[30, 2] = array[19, 8] = bad
    with pytest.raises(FormatError, match="row 19, column 8"):
        make(array)


def test_a_function_that_fails_on_one_rank_ends_all(comm, backend):
    def formula(i, j):
        if comm.rank == comm.size - 1:
            raise ValueError("out of paper")
        return i + j

    layout = BlockCyclic.create(ProcessGrid.create(comm), (N, N), 4)
    with pytest.raises((ValueError, MpsolveError), match="out of paper"):
        DenseOperator(layout, FormulaMatrix(N, formula), backend, Ledger())


def test_the_work_is_counted(comm, make):
    operator = make(random())
    operator.product(np.zeros((2, N)))
    rows, columns = operator.layout.shape
    assert operator.ledger.to_dict()["residual"]["fp64"]["flops"] == 4 * rows * columns
