"""One axis and its coarser ones: widths, centres, resistances in series, weights of interpolation."""

import numpy as np

from mpsolve.solvers.multigrid.axis import Axis, coarse_resistances


def test_an_odd_axis_leaves_a_last_cell_with_one_child():
    axis = Axis(np.ones(5), False).coarser()
    assert axis.widths.tolist() == [2, 2, 1]
    assert axis.coarser().widths.tolist() == [4, 1]
    assert Axis(np.array([2.0, 2.0, 1.0]), False).children_weights().tolist() == [0.5, 0.5, 1.0]


def test_resistances_of_equal_cells_double_and_weights_are_a_quarter():
    joined, weights = coarse_resistances(Axis(np.ones(8), True), np.ones(9))
    assert joined.tolist() == [2.0] * 5
    assert weights.tolist() == [0.25] * 8


def test_a_fixed_side_pulls_the_child_beside_it_half_way():
    # The value is held on the face, half a cell away: half the resistance.
    joined, weights = coarse_resistances(Axis(np.ones(4), False), np.array([0.5, 1, 1, 1, 0.5]))
    assert joined.tolist() == [1.0, 2.0, 1.0]
    assert weights.tolist() == [0.5, 0.25, 0.25, 0.5]


def test_nothing_crosses_a_wall():
    joined, weights = coarse_resistances(Axis(np.ones(4), False), np.array([np.inf, 1, np.inf, 1, np.inf]))
    assert joined.tolist() == [np.inf] * 3
    assert weights.tolist() == [0.0] * 4


def test_the_way_to_a_single_last_cell_is_shorter():
    joined, weights = coarse_resistances(Axis(np.ones(5), True), np.ones(6))
    assert joined.tolist() == [1.5, 2.0, 1.5, 1.5]
    assert weights[4] == 0.0
