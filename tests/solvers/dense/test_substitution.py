"""Solves with distributed factors: the matrix and its transpose, one and several right-hand sides."""

import numpy as np
import pytest

from mpsolve.ledger import Ledger
from mpsolve.precision import get_format
from mpsolve.solvers.dense.arithmetic import Arithmetic
from mpsolve.solvers.dense.factorisation import Factorisation
from mpsolve.solvers.dense.factors import FactorOptions
from mpsolve.solvers.dense.substitution import FactorSolver

pytestmark = pytest.mark.ranks


def solver(deal, grid, backend, array, block, *, pivoting):
    operator = deal(grid, backend, array, block)
    arithmetic = Arithmetic(grid.comm, backend, get_format("fp64"), "auto" if backend.name == "cuda" else "emulated")
    local = backend.dense.upload(operator.stored.copy())
    options = FactorOptions(pivoting)
    factors = Factorisation(operator.layout, local, operator.sizes.largest, arithmetic, options, Ledger()).run()
    return FactorSolver(factors, backend.dense, Ledger())


@pytest.mark.parametrize(("pivoting", "transposed"), [(False, False), (False, True), (True, False), (True, True)])
@pytest.mark.parametrize(("n", "block", "count"), [(1, 1, 1), (13, 16, 3), (50, 7, 1)])
def test_a_solve_undoes_a_product(deal, grid, backend, random_matrix, n, block, count, transposed, pivoting):
    array = random_matrix(n, dominant=not pivoting)
    x = np.random.default_rng(1).standard_normal((count, n))
    b = x @ array if transposed else x @ array.T
    kept = b.copy()
    found = solver(deal, grid, backend, array, block, pivoting=pivoting).solve(b, transposed=transposed)
    # The backward error of LU is small against |L| |U|, which growth of at most 8 bounds here.
    error = np.abs(found @ array - b) if transposed else np.abs(found @ array.T - b)
    assert np.all(error <= 16 * n * 2.0**-53 * np.abs(array).sum(axis=1).max() * np.abs(x).max() * n)
    assert np.array_equal(b, kept)
    assert all(np.array_equal(found, other) for other in grid.comm.allgather(found))
