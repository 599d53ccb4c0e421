"""Rows that are coupled much the strongest: cycles stay fast on coarse grids, whose rows seem to repel each other."""

import numpy as np
import pytest

from mpsolve.operators.diffusion import Coefficients
from mpsolve.solvers.multigrid.couplings import Couplings, offsets_before
from mpsolve.solvers.multigrid.galerkin import galerkin, interpolate

CLOSED, PERIODIC = ("neumann", "neumann"), ("periodic", "periodic")


@pytest.mark.parametrize("ratio", [10.0, 1e3])
def test_the_reduction_of_a_cycle_does_not_depend_on_how_strong_the_rows_are(alone, diffusion, refined, ratio):
    class Case(diffusion):
        def coefficients(self, grid):
            given = super().coefficients(grid)
            # Rows become stronger from row to row, as towards a pole.
            growth = ratio ** np.linspace(0.0, 1.0, self.shape[0])[:, None]
            across = (given.faces[0] > 0).astype(float)
            return Coefficients((across, growth * np.ones_like(given.faces[1])), given.reaction)

    case = Case((96, 128), (CLOSED, PERIODIC), varying=True, reaction=1e-3)
    _, solver, result = refined(alone, case, rtol=1e-12)
    assert result.converged
    assert solver.rung().solver.layout.grids[0].endswith("lines")
    first, last = result.history[0].residual, result.history[-1].residual
    # Two Chebyshev steps on eigenvalues from 1/2 to 2 leave 0.22, before and after: 0.05; half a digit is for the rest.
    assert (last / first) ** (1 / result.iterations) <= 0.05 * 10**0.5


def test_rows_that_cancel_but_for_waves_along_them_leave_the_diagonal_as_it_is():
    before = {step: np.full((16, 16), 1e-3) for step in offsets_before(2, True)}
    before[0, -1][...] = 1.0
    coarse = Couplings((True, True), before, np.zeros((16, 16)))
    coarse = galerkin(coarse, interpolate(coarse, (True, True)))
    assert coarse.before[-1, 0].max() < 0.0
    assert np.max(coarse.bound() / coarse.diagonal) > 1.3
    assert np.max(coarse.row_diagonal() / coarse.diagonal) == 1.0
