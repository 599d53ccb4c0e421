"""The cost on paper against what the ledger counts."""

import numpy as np
import pytest

from mpsolve import lookup
from mpsolve.ledger import Ledger
from mpsolve.models.matrices import hpl_mxp
from mpsolve.operators.dense import DenseOperator
from mpsolve.parallel.block_cyclic import BlockCyclic
from mpsolve.solvers.dense.cost import factorisation_cost
from mpsolve.solvers.dense.options import DenseOptions
from mpsolve.solvers.dense.refinement import DenseSolver

pytestmark = pytest.mark.ranks

PHASES = {
    "update_flops": ("update", "flops"),
    "panel_flops": ("panel", "flops"),
    "row_flops": ("row", "flops"),
    "panel_bytes": ("panel broadcast", "message_bytes"),
    "row_bytes": ("row broadcast", "message_bytes"),
    "panel_messages": ("panel broadcast", "messages"),
    "row_messages": ("row broadcast", "messages"),
}


@pytest.mark.parametrize(("n", "block"), [(320, 8), (301, 12)])
def test_the_ledger_agrees_to_five_percent(grid, n, block):
    ledger = Ledger()
    layout = BlockCyclic.create(grid, (n, n), block)
    operator = DenseOperator(layout, hpl_mxp.create(n), lookup.find("backends", "reference").create(), ledger)
    DenseSolver(operator, DenseOptions(("bf16",))).solve(np.ones((1, n)))
    paper = factorisation_cost(n, block, grid.rows, grid.columns, 2)
    everyone = grid.comm.allgather(ledger.to_dict())
    for name, (phase, kind) in PHASES.items():
        counted = sum(sum(work[kind] for work in counts.get(phase, {}).values()) for counts in everyone)
        assert counted / grid.comm.size == pytest.approx(getattr(paper, name), rel=0.05, abs=0), name


def test_the_closed_forms_are_its_limit():
    n, block, p, q, size = 1 << 17, 256, 4, 8, 2
    cost = factorisation_cost(n, block, p, q, size)
    ranks = p * q
    assert cost.update_flops == pytest.approx(2 / 3 * n**3 / ranks, rel=0.01)
    assert cost.panel_flops == cost.row_flops == pytest.approx(n**2 * block / ranks, rel=0.01)
    assert cost.panel_bytes == pytest.approx((1 - 1 / q) * (size * n**2 / 2 + 4 * n * block) / p, rel=0.01)
    assert cost.row_bytes == pytest.approx((1 - 1 / p) * size * n**2 / 2 / q, rel=0.01)
