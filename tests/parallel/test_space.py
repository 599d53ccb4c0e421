"""Kernels over all ranks: values by NumPy's arithmetic, global inner products, work counted in the ledger."""

import math

import numpy as np
import pytest

from mpsolve.precision import get_format

pytestmark = pytest.mark.ranks

FORMATS = ["fp64", "fp32", "bf16", "fp16"]
SHAPE = (13, 17)


def scale_add(load, a, c, *index):
    """Return x + c y."""
    return load(a[0], *index) + c[0] * load(a[1], *index)


def values(seed):
    return np.random.default_rng(seed).uniform(-1, 1, SHAPE)


def filled(grid, space, name, seed):
    return space.zeros(get_format(name)).set(values(seed)[grid.slices])


def test_a_vector_of_zeros_has_the_shape_and_format(comm, make_space):
    grid, space = make_space(comm, SHAPE)
    field = space.zeros(get_format("bf16"))
    assert (field.shape, field.halo, field.format.name) == (grid.shape, 1, "bf16")
    assert not field.to_numpy().any()


@pytest.mark.parametrize("name", FORMATS)
def test_a_kernel_computes_cell_by_cell(comm, make_space, name):
    grid, space = make_space(comm, SHAPE)
    x, y = filled(grid, space, name, 1), filled(grid, space, name, 2)
    output = space.zeros(get_format(name))
    space.bind(scale_add, [output], [x, y])(0.5)
    compute = output.format.compute.type
    expected = x.to_numpy().astype(compute) + compute(0.5) * y.to_numpy().astype(compute)
    assert np.array_equal(output.to_numpy(), output.format.round(expected))


@pytest.mark.parametrize("name", FORMATS)
def test_inner_products_span_the_ranks_bit_for_bit(comm, alone, make_space, name):
    def products(ranks):
        grid, space = make_space(ranks, SHAPE)
        output, y = filled(grid, space, name, 1), filled(grid, space, name, 2)
        return space.bind(scale_add, [output], [output, y], dots=((0, 0), (0, 2)))(0.25)

    result = products(comm)
    assert result.tolist() == products(alone).tolist()
    assert len({given.tobytes() for given in comm.allgather(result)}) == 1


def test_a_kernel_without_inner_products_returns_none_of_them(comm, make_space):
    grid, space = make_space(comm, SHAPE)
    x, y = filled(grid, space, "fp64", 1), filled(grid, space, "fp64", 2)
    assert space.bind(scale_add, [x], [x, y])(1.0).shape == (0,)


def test_stochastic_rounding_depends_on_the_global_cell_alone(comm, alone, make_space, whole):
    def rounded(ranks):
        grid, space = make_space(ranks, SHAPE)
        x, y = filled(grid, space, "bf16", 1), filled(grid, space, "bf16", 2)
        space.bind(scale_add, [x], [x, y], rounding="stochastic", first=grid.lo, key=7)(2.0**-9)
        return whole(grid, x.interior)

    assert np.array_equal(rounded(comm), rounded(alone))


def test_work_is_counted_for_this_rank(comm, make_space):
    grid, space = make_space(comm, SHAPE)
    x, y = filled(grid, space, "fp64", 1), filled(grid, space, "bf16", 2)
    space.bind(scale_add, [x], [x, y], dots=((0, 0),), phase="test", flops=2)(1.0)
    cells = grid.shape[0] * grid.shape[1]
    work = space.ledger.to_dict()["test"]["fp64"]
    # Once x read and written, y read; two operations of the point, two of the inner product.
    assert (work["flops"], work["bytes"], work["reductions"]) == (4 * cells, (8 + 8 + 2) * cells, 1)


def test_largest_is_the_largest_magnitude_of_all_ranks(comm, make_space):
    grid, space = make_space(comm, SHAPE)
    assert space.largest(filled(grid, space, "fp64", 1)) == np.abs(values(1)).max()


def test_largest_sees_a_nan_on_any_rank(comm, make_space):
    grid, space = make_space(comm, SHAPE)
    block = np.where(np.arange(SHAPE[0])[:, None] == SHAPE[0] - 1, math.nan, values(1))[grid.slices]
    assert math.isnan(space.largest(space.zeros(get_format("fp16")).set(block)))


@pytest.mark.parametrize(
    ("formats", "counted"),
    [(("bf16", "bf16"), "bf16"), (("fp64", "bf16"), "fp64"), (("fp32", "fp16"), "fp16"), (("fp32", "fp64"), "fp64")],
)
def test_a_kernel_that_touches_fp64_counts_as_fp64(comm, make_space, formats, counted):
    _, space = make_space(comm, SHAPE)
    first, second = (space.zeros(get_format(name)) for name in formats)
    space.bind(scale_add, [first], [first, second], phase="test", flops=2)(1.0)
    assert set(space.ledger.to_dict()["test"]) == {counted}
