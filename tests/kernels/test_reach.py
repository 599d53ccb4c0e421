"""How far a point function looks ahead is read off its text."""

import pytest

from mpsolve.kernels.points.diffusion import POINTS
from mpsolve.kernels.reach import leading_reach


def unpacked(load, a, c, i, j):
    u, b = a
    return load(u, i + 2, j) + load(b, i, j + 1) + load(u, i - 3, j)


def subscripted(load, a, c, i, j):
    return load(a[1], i + 1, j) * load(a[0], i, j) * load(a[2], i)


def renamed(read, arrays, scalars, row, column):
    (u,) = arrays
    return read(u, row + 1, column)


@pytest.mark.parametrize(("point", "reach"), [(unpacked, (2, 0)), (subscripted, (0, 1, 0)), (renamed, (1,))])
def test_the_reach_is_the_largest_shift_of_the_first_index(point, reach):
    assert leading_reach(point, len(reach)) == reach


@pytest.mark.parametrize("point", POINTS.values(), ids=lambda point: point.__name__)
def test_the_diffusion_operators_look_one_row_ahead_in_the_solution_only(point):
    # Face coefficients that depend on one axis alone are no fields and are not requested ahead.
    assert leading_reach(point, 5)[:2] == (1, 0)
