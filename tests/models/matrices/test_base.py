"""Matrices given by a formula, and scaled ones."""

import numpy as np
import pytest

from mpsolve.errors import ConfigError, FormatError, ShapeError
from mpsolve.models.matrices.base import FormulaMatrix, ScaledMatrix, condition_or


def numbered(n):
    return FormulaMatrix(n, lambda i, j: n * i + j)


def test_the_formula_gets_an_open_mesh_of_global_indices():
    seen = []

    def formula(i, j):
        seen.append((i.tolist(), j.tolist()))
        return i + j

    assert FormulaMatrix(9, formula).block(slice(2, 4), slice(5, 8)).tolist() == [[7, 8, 9], [8, 9, 10]]
    assert seen == [([[2], [3]], [[5, 6, 7]])]


@pytest.mark.parametrize("value", [2, 2.0, np.float32(2), np.full((1, 3), 2), np.full((2, 1), 2.0), True])
def test_what_broadcasts_to_the_block_is_taken(value):
    block = FormulaMatrix(9, lambda i, j: value).block(slice(2, 4), slice(5, 8))
    assert block.dtype == np.float64
    assert np.array_equal(block, np.full((2, 3), float(value if np.ndim(value) == 0 else 2)))


def test_a_block_may_be_written_to_even_if_the_formula_keeps_its_array():
    kept = np.zeros((2, 2))
    FormulaMatrix(2, lambda i, j: kept).block(slice(0, 2), slice(0, 2))[...] = 1
    assert not kept.any()


@pytest.mark.parametrize("shape", [(3, 2), (4,), (1, 2, 3), (0,)])
def test_another_shape_is_refused(shape):
    with pytest.raises(ShapeError, match="for 2 rows and 3 columns"):
        FormulaMatrix(9, lambda i, j: np.zeros(shape)).block(slice(2, 4), slice(5, 8))


@pytest.mark.parametrize("value", [1j, None, "text", np.longdouble(1)])
def test_what_fp64_does_not_hold_is_refused(value):
    with pytest.raises(FormatError, match="must return float64"):
        FormulaMatrix(9, lambda i, j: value).block(slice(2, 4), slice(5, 8))


def test_fill_rounds_what_a_format_does_not_hold_to_infinity_without_a_warning(recwarn):
    out = np.zeros((1, 1), np.float32)
    FormulaMatrix(1, lambda i, j: 1e300).fill(slice(0, 1), slice(0, 1), out)
    assert np.isinf(out[0, 0])
    assert not recwarn.list


def test_the_right_hand_side_is_the_sum_of_each_row():
    assert numbered(3).right_hand_side(slice(1, 3)).tolist() == [12, 21]


def test_preparing_a_formula_asks_for_nothing():
    numbered(3).prepare(slice(0, 1), lambda part: pytest.fail("nothing has to be combined"))


def test_a_scaled_matrix_is_the_product_of_factors_and_entries():
    rows, columns = np.array([1.0, 2.0, 4.0]), np.array([0.5, 0.25, 8.0])
    block = ScaledMatrix(numbered(3), rows, columns).block(slice(1, 3), slice(0, 2))
    assert block.tolist() == [[2 * 3 * 0.5, 2 * 4 * 0.25], [4 * 6 * 0.5, 4 * 7 * 0.25]]


def test_zero_stands_for_the_default_condition_number():
    assert condition_or(1e3, 0.0) == 1e3
    assert condition_or(1e3, 1.0) == 1.0
    with pytest.raises(ConfigError, match=r"0\.99 is not possible"):
        condition_or(1e3, 0.99)
