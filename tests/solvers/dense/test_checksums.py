"""Checksums of a factorisation: no false alarm in any format, and the block that a fault has struck is named."""

import numpy as np
import pytest

from mpsolve.ledger import Ledger
from mpsolve.precision import get_format
from mpsolve.solvers.dense.arithmetic import Arithmetic
from mpsolve.solvers.dense.factorisation import Factorisation
from mpsolve.solvers.dense.factors import Breakdown, FactorOptions
from mpsolve.solvers.dense.messages import Message
from mpsolve.solvers.dense.options import DenseOptions
from mpsolve.solvers.dense.refinement import DenseSolver
from mpsolve.solvers.injection import BitFlips

pytestmark = pytest.mark.ranks

N, BLOCK = 61, 8


def factored(deal, grid, backend, array, name, *, pivoting=False, checksums=True, strike=lambda local, step: None):
    """Factor with checksums; ``strike`` is called with the local part after each step."""
    operator = deal(grid, backend, array, BLOCK)
    arithmetic = Arithmetic(grid.comm, backend, get_format(name), "auto" if backend.name == "cuda" else "emulated")
    local = backend.dense.empty(operator.layout.shape, arithmetic.storage)
    operator.copy_to(local, None)
    return Factorisation(
        operator.layout, local, operator.sizes.largest, arithmetic, FactorOptions(pivoting, np.inf, checksums),
        Ledger(), lambda step: strike(local, step),
    ).run()  # fmt: skip


@pytest.mark.parametrize("pivoting", [False, True])
@pytest.mark.parametrize("name", ["fp64", "bf16", "fp8_e4m3"])
def test_without_faults_nothing_differs_and_no_bit_changes(deal, grid, backend, random_matrix, name, pivoting):
    array = random_matrix(N, dominant=not pivoting)
    plain = factored(deal, grid, backend, array, name, pivoting=pivoting, checksums=False)
    checked = factored(deal, grid, backend, array, name, pivoting=pivoting)
    assert checked.breakdown is None and checked.block is None
    assert np.array_equal(backend.dense.download(checked.local), backend.dense.download(plain.local))


#: Where it is struck, after which step, with row exchanges or not: what is still to be done, finished U, finished L.
PLACES = [((5, 6), 2, False), ((1, 6), 4, False), ((6, 1), 4, False), ((6, 4), 1, True)]


@pytest.mark.parametrize(("block", "after", "pivoting"), PLACES)
def test_the_block_that_a_fault_has_struck_is_named(deal, grid, backend, random_matrix, block, after, pivoting):
    array, layout = random_matrix(N, dominant=not pivoting), deal(grid, backend, np.eye(N), BLOCK).layout
    row, column = layout.rows.span(block[0])[0] + 1, layout.columns.span(block[1])[0] + 2

    def strike(local, step):
        mine = row in layout.rows.indices() and column in layout.columns.indices()
        if step == after and mine:
            place = slice(layout.rows.local(row), layout.rows.local(row) + 1), layout.columns.local(column)
            held = np.array(backend.dense.download(local[place[0]]))
            held[0, place[1]] += 8 * np.abs(array).max()
            backend.dense.write(local[place[0]], held)

    found = factored(deal, grid, backend, array, "bf16", pivoting=pivoting, strike=strike)
    assert found.breakdown is Breakdown.DAMAGE
    if not pivoting:
        assert found.block == block
    else:
        # A row that was struck may have been exchanged before it was looked at; its column stays.
        assert found.block[1] == block[1]


def test_a_message_that_is_not_what_was_sent_is_found(comm, backend):
    if comm.size == 1:
        pytest.skip("one rank sends nothing")
    format = get_format("fp16")
    for rate in (0.0, 0.01):
        message = Message(format, 400, backend.dense, checked=True, flips=BitFlips(rate, comm.rank))
        block = message.shape(20, 20)
        if comm.rank == 0:
            backend.dense.encode(block, backend.dense.upload(np.ones((20, 20), np.float32)), format, 1.0)
            message.header[:] = 1.0, 2.0, -1.0, -1.0, 0.0
        message.send(comm, 0, 7999, Ledger(), "test")
        message.wait()
        message.finish()
        flipped = message.flips.flipped
        assert message.damaged == (flipped > 0) and (comm.rank or not flipped)
        if not flipped:
            assert np.array_equal(format.decode(backend.dense.download(message.block)), np.ones((20, 20)))


def test_factorisations_that_faults_struck_are_done_again_and_counted(deal, comm, grid, backend, random_matrix):
    array = random_matrix(40, dominant=True)
    operator, b = deal(grid, backend, array, BLOCK), np.ones((1, 40))
    repaired = 0
    for seed in range(4):
        flips = BitFlips(1e-3, 7 * seed + comm.rank)
        options = DenseOptions(ladder=("fp16", "fp32", "fp64"), rtol=1e-14, checksums=True, flips=flips)
        solver = DenseSolver(operator, options)
        x, result = solver.solve(b)
        repaired += solver.factory.repairs
        assert sum("is done again" in message for message in result.messages) == solver.factory.repairs
        if result.converged:
            scale = np.abs(array).sum(axis=1).max() * np.abs(x).max() + 1
            assert np.abs(b - x @ array.T).max() <= 4e-14 * scale
    assert repaired > 0
