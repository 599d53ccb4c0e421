"""Coarse points follow strong cells that lie between the regular ones."""

import numpy as np

from mpsolve.solvers.multigrid.couplings import Couplings, offsets_before
from mpsolve.solvers.multigrid.galerkin import interpolate

WEAK = 1e-6


def weakly_coupled(shape):
    before = {step: np.full(shape, WEAK) for step in offsets_before(2, True)}
    before[-1, 0][0] = before[0, -1][:, 0] = 0.0
    return before


def test_two_strong_cells_on_an_odd_row_get_a_coarse_point_of_their_own():
    before = weakly_coupled((8, 9))
    # Between the cells (3, 4) and (3, 5), whose coarse cell is (1, 2).
    before[0, -1][3, 5] = 1.0
    weights = interpolate(Couplings((False, False), before, np.full((8, 9), 1e-3)), (True, True)).weights
    assert weights[0, 0][3, 4] == 1.0
    assert all(weights[corner][3, 4] == 0.0 for corner in weights if any(corner))
    # The other one may follow its weak neighbours as far as they are coupled.
    assert weights[0, 0][3, 5] >= 1.0 - 4 * WEAK
    assert weights[0, 0][2, 4] == 1.0


def test_a_point_stays_on_a_cell_that_is_strong_itself():
    before = weakly_coupled((8, 9))
    before[0, -1][3, 5] = 1.0
    # The regular point of the same coarse cell belongs to another chain.
    before[0, -1][2, 4] = 1.0
    weights = interpolate(Couplings((False, False), before, np.full((8, 9), 1e-3)), (True, True)).weights
    assert weights[0, 0][2, 4] == 1.0
    assert weights[0, 0][3, 4] < 1.0


def test_smooth_coefficients_are_interpolated_as_before():
    before = {step: np.random.default_rng(0).uniform(0.5, 2.0, (9, 9)) for step in offsets_before(2, True)}
    weights = interpolate(Couplings((True, True), before, np.zeros((9, 9))), (True, True)).weights
    up, down = before[-1, 0][3, 4], before[-1, 0][4, 4]
    assert weights[0, 0][3, 4] == up / (up + down)
    assert weights[1, 0][3, 4] == down / (up + down)
