"""A user's array is a matrix as it lies, and stays as it is."""

import numpy as np
import pytest

from mpsolve.errors import FormatError, ShapeError
from mpsolve.models.array_matrix import ArrayMatrix, real_array

KINDS = ["float64", "float32", "float16", ">f8", "int64", "int8", "uint32", "bool"]


def numbers(n=4, kind="float64"):
    return (np.arange(n * n).reshape(n, n) % 3).astype(kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("order", ["C", "F"])
def test_real_numbers_of_any_type_and_order_are_read_as_fp64(kind, order):
    given = np.asarray(numbers(kind=kind), order=order)
    block = ArrayMatrix(given).block(slice(1, 3), slice(0, 4))
    assert block.dtype == np.float64
    assert block.dtype.isnative
    assert np.array_equal(block, given[1:3].astype(float))


def test_fp64_is_used_where_it_lies():
    given = numbers()
    assert np.shares_memory(ArrayMatrix(given).block(slice(1, 3), slice(0, 4)), given)


def test_a_part_of_a_larger_array_is_taken_without_a_copy():
    given = numbers(9)[::2, ::-2]
    matrix = ArrayMatrix(given)
    assert np.shares_memory(matrix.array, given)
    assert np.array_equal(matrix.block(slice(0, 5), slice(0, 5)), given)


def test_nothing_that_a_matrix_does_changes_the_array():
    given = numbers()
    given.flags.writeable = False
    matrix, side = ArrayMatrix(given), slice(0, 4)
    out, r = np.zeros((4, 4), np.float32), np.zeros((4, 2))
    matrix.fill(side, side, out)
    matrix.subtract_product(side, side, np.ones((4, 2)), r)
    assert np.array_equal(out, given)
    assert np.array_equal(r[:, 0], -given.sum(axis=1))
    assert np.array_equal(matrix.right_hand_side(side), given.sum(axis=1))


def test_lists_are_arrays():
    assert ArrayMatrix([[1, 2], [3, 4]]).block(slice(1, 2), slice(0, 2)).tolist() == [[3.0, 4.0]]


@pytest.mark.parametrize("shape", [(2, 3), (3, 2), (4,), (), (2, 2, 2), (0, 0)])
def test_what_is_not_square_is_refused_with_its_shape(shape):
    with pytest.raises(ShapeError) as caught:
        ArrayMatrix(np.zeros(shape))
    assert f"shape {shape}; it must be square, with at least one row" in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        np.zeros((2, 2), complex),
        np.zeros((2, 2), np.longdouble),
        np.zeros((2, 2), object),
        np.zeros((2, 2), "datetime64[s]"),
        np.zeros((2, 2), [("a", float)]),
        [["a", "b"], ["c", "d"]],
        None,
    ],
    ids=["complex", "long double", "objects", "times", "records", "text", "nothing"],
)
def test_what_fp64_does_not_hold_is_refused(given):
    with pytest.raises(FormatError, match=r"the matrix holds .*; give float64"):
        ArrayMatrix(given)


def test_rows_of_several_lengths_are_refused():
    with pytest.raises(FormatError, match="b has rows of several lengths"):
        real_array("b", [[1.0, 2.0], [3.0]])
