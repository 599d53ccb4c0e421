"""Dense systems for the tests of their solvers."""

import emulation
import numpy as np
import pytest

from mpsolve import lookup
from mpsolve.ledger import Ledger
from mpsolve.models.array_matrix import ArrayMatrix
from mpsolve.operators.dense import DenseOperator
from mpsolve.parallel.block_cyclic import BlockCyclic, ProcessGrid

#: Grids that are tried where the number of ranks allows them.
GRIDS = ((0, 0), (1, 0), (0, 1))


@pytest.fixture(params=["reference", "cpu", "cuda"])
def backend(request):
    if request.param == "cuda":
        return emulation.backend()
    if request.param == "cpu":
        pytest.importorskip("numba")
    return lookup.find("backends", request.param).create(1)


@pytest.fixture(params=GRIDS, ids=["square", "wide", "tall"])
def grid(request, comm):
    """Ranks as a square, in one row, and in one column."""
    return ProcessGrid.create(comm, *request.param)


@pytest.fixture
def deal():
    """Return a function that makes the operator of an array that every rank holds."""

    def make(grid, backend, array, block, *, store=True):
        layout = BlockCyclic.create(grid, array.shape, block)
        return DenseOperator(layout, ArrayMatrix(array), backend, Ledger(), store=store)

    return make


@pytest.fixture
def random_matrix():
    """Return a function that makes an array, with a dominant diagonal if asked to."""

    def make(n, *, dominant=False, seed=0):
        array = np.random.default_rng(seed).uniform(-0.5, 0.5, (n, n))
        if dominant:
            array[np.diag_indices(n)] = np.abs(array).sum(axis=1)
        return array

    return make
