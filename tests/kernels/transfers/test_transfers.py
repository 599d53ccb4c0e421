"""Transfers between grids: compiled against NumPy bit for bit, and NumPy against what they must do."""

import numpy as np
import pytest

from mpsolve.backends.reference import ReferenceBackend
from mpsolve.errors import ShapeError
from mpsolve.field import Field
from mpsolve.kernels.transfers.layout import Overlay, corners
from mpsolve.lookup import find
from mpsolve.precision import get_format

#: Halved axes, first child and fine shape; rows longer than the chunks of the loops are among them.
CASES = [
    ((True, True), (0, 1), (5, 1301)),
    ((True, False), (1, 0), (7, 9)),
    ((False, True), (0, 0), (4, 11)),
    ((True, True, True), (1, 0, 1), (5, 6, 9)),
    ((False, True, True), (0, 1, 0), (3, 4, 7)),
]


def coarse_shape(overlay, shape):
    return tuple(-(-(n - s) // 2) if h else n for n, s, h in zip(shape, overlay.first, overlay.halved, strict=True))


def value(load, a, c, *index):
    return c[0] * load(a[0], *index)


def noise(shape, format, seed):
    field = Field.zeros(shape, 2, format)
    field.storage[...] = format.encode(np.random.default_rng(seed).uniform(-1, 1, field.storage.shape))
    return field


def carried(backend, name, halved, first, shape, local, below=None):
    format, overlay, rng = get_format(name), Overlay(halved, first), np.random.default_rng(5)
    coarser = get_format(below or name)
    fine = noise(shape, format, 1)
    sums, coarse = (noise(coarse_shape(overlay, shape), coarser, seed) for seed in (2, 3))
    lengths = zip(fine.storage.shape, halved, strict=True)
    vectors = [rng.random(n + 3).astype(format.compute) if h else None for n, h in lengths]
    fields = [Field.zeros(shape, 2, format).set(rng.random(shape)) for _ in corners(halved)]
    backend.bind_restriction(value, sums, [fine], overlay, vectors)(1.5)
    backend.bind_prolongation(fine, coarse, overlay, fields if local else vectors)()
    return sums.interior, fine.interior


@pytest.mark.parametrize("local", [False, True], ids=["vectors", "fields"])
@pytest.mark.parametrize(("halved", "first", "shape"), CASES)
@pytest.mark.parametrize("name", ["fp64", "fp16"])
def test_compiled_transfers_give_the_bits_of_the_reference(name, halved, first, shape, local):
    expected = carried(ReferenceBackend(), name, halved, first, shape, local)
    for threads in (1, 2):
        got = carried(find("backends", "cpu").create(threads), name, halved, first, shape, local)
        assert all(np.array_equal(mine, theirs) for mine, theirs in zip(got, expected, strict=True))


@pytest.mark.parametrize("local", [False, True], ids=["vectors", "fields"])
def test_two_formats_of_one_width_are_told_apart(local):
    case = ("fp16", (True, True), (0, 1), (6, 7), local, "bf16")
    expected = carried(ReferenceBackend(), *case)
    got = carried(find("backends", "cpu").create(1), *case)
    assert all(np.array_equal(mine, theirs) for mine, theirs in zip(got, expected, strict=True))


def test_interpolation_of_a_linear_function_is_exact():
    fine, coarse = (Field.zeros(shape, 2, get_format("fp64")) for shape in ((8, 12), (4, 6)))
    rows, columns = np.meshgrid(2 * np.arange(-1, 5) + 0.5, 2 * np.arange(-1, 7) + 0.5, indexing="ij")
    coarse.region((-1, -1), (5, 7))[...] = 3 + rows - 2 * columns
    quarter = [np.full(n + 1, 0.25) for n in fine.storage.shape]
    ReferenceBackend().bind_prolongation(fine, coarse, Overlay((True, True), (0, 0)), quarter)()
    rows, columns = np.meshgrid(np.arange(8), np.arange(12), indexing="ij")
    assert np.array_equal(fine.interior, 3.0 + rows - 2 * columns)


def test_a_fine_cell_is_the_sum_of_the_coarse_cells_around_with_their_weights():
    fine, coarse = Field.zeros((4, 3), 2, get_format("fp64")), Field.zeros((2, 3), 2, get_format("fp64"))
    coarse.region((-1, 0), (3, 3))[...] = np.arange(12.0).reshape(4, 3)
    weights = [Field.zeros((4, 3), 2, get_format("fp64")).set(value) for value in (10.0, 1.0)]
    ReferenceBackend().bind_prolongation(fine, coarse, Overlay((True, False), (0, 0)), weights)()
    assert fine.interior[:, 0].tolist() == [30.0 + 0.0, 30.0 + 6.0, 60.0 + 3.0, 60.0 + 9.0]


def test_the_children_of_a_cell_are_averaged():
    fine, coarse = Field.zeros((4, 4), 2, get_format("fp64")), Field.zeros((2, 2), 2, get_format("fp64"))
    fine.set(np.arange(16.0).reshape(4, 4))
    half = [np.full(n + 1, 0.5) for n in fine.storage.shape]
    ReferenceBackend().bind_restriction(value, coarse, [fine], Overlay((True, True), (0, 0)), half)(1.0)
    assert coarse.interior.tolist() == [[2.5, 4.5], [10.5, 12.5]]


@pytest.mark.parametrize(("shape", "coarse", "first"), [((8, 8), (3, 4), 0), ((8, 8), (4, 4), 2), ((8, 8), (6, 4), 0)])
def test_blocks_that_do_not_lie_over_each_other_are_refused(shape, coarse, first):
    fine, small = (Field.zeros(n, 2, get_format("fp32")) for n in (shape, coarse))
    with pytest.raises(ShapeError, match="axis 0"):
        Overlay((True, True), (first, 0)).check(fine, small)
