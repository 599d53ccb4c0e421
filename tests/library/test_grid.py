"""A grid with halos takes three lines, and holds what the whole grid holds."""

import numpy as np
import pytest

import mpsolve
from mpsolve.errors import ShapeError, UnknownNameError
from mpsolve.library.grid import Grid

pytestmark = pytest.mark.ranks

SHAPE = (17, 18)


def numbers(shape=SHAPE, seed=1):
    return np.random.default_rng(seed).uniform(-1, 1, shape)


@pytest.mark.parametrize("name", ["fp64", "fp32", "bf16", "fp16"])
@pytest.mark.parametrize("halo", [1, 2])
def test_ghosts_are_what_the_neighbours_hold(comm, name, halo):
    grid = mpsolve.grid(SHAPE, periodic=(False, True), comm=comm, halo=halo)
    u = grid.field(numbers()[grid.slices], format=name)
    grid.exchange(u, corners=True)
    whole = np.pad(u.format.round(numbers()), ((halo, halo), (0, 0)))
    whole = np.pad(whole, ((0, 0), (halo, halo)), mode="wrap")
    around = tuple(slice(lo, hi + 2 * halo) for lo, hi in zip(grid.cartesian.lo, grid.cartesian.hi, strict=True))
    assert np.array_equal(grid.with_ghosts(u), whole[around])


def test_an_exchange_may_be_repeated_with_new_values(comm):
    grid = mpsolve.grid(SHAPE, periodic=True, comm=comm)
    u = grid.field(1.0)
    for value in (1.0, 2.0):
        grid.exchange(u.set(value))
        assert grid.with_ghosts(u)[0, 1] == value


def test_many_fields_travel_together(comm):
    grid = mpsolve.grid(SHAPE, periodic=True, comm=comm)
    fields = [grid.field(3.0), grid.field(4.0, format="bf16")]
    grid.exchange(*fields)
    assert [float(grid.with_ghosts(field)[0, 1]) for field in fields] == [3.0, 4.0]


def test_fields_that_come_and_go_are_told_apart(comm):
    grid = mpsolve.grid(SHAPE, periodic=True, comm=comm)
    for value in range(20):
        u = grid.field(float(value))
        grid.exchange(u)
        assert grid.with_ghosts(u)[0, 1] == value


def test_messages_may_be_narrower(comm):
    grid = mpsolve.grid(SHAPE, periodic=True, comm=comm)
    u = grid.field(numbers()[grid.slices])
    grid.exchange(u, format="bf16")
    exact = np.roll(numbers(), 1, axis=0)[grid.slices][0]
    # Rounded once after scaling by a power of two, or copied on an axis that is not cut.
    assert np.abs(grid.with_ghosts(u)[0, 1:-1] - exact).max() <= 2.0**-8


def test_a_narrower_exchange_leaves_the_outer_ghosts(comm):
    grid = mpsolve.grid(SHAPE, periodic=True, comm=comm, halo=2)
    u = grid.field(1.0)
    grid.exchange(u, width=1)
    assert grid.with_ghosts(u)[1, 2] == 1.0
    assert grid.with_ghosts(u)[0, 2] == 0.0


def test_gather_and_scatter_are_inverse(comm):
    grid = mpsolve.grid(SHAPE, comm=comm)
    block = grid.scatter(numbers() if comm.rank == 0 else None)
    assert np.array_equal(block, numbers()[grid.slices])
    whole = grid.gather(block)
    assert whole is None if comm.rank else np.array_equal(whole, numbers())


def test_a_field_is_gathered_decoded(comm):
    grid = mpsolve.grid(SHAPE, comm=comm)
    whole = grid.gather(grid.field(numbers()[grid.slices], format="fp16"))
    assert whole is None if comm.rank else np.array_equal(whole, np.float64(np.float16(numbers())))


def test_indices_are_global_and_broadcast(comm):
    grid = mpsolve.grid(SHAPE, comm=comm)
    i, j = grid.indices()
    assert np.array_equal(100 * i + j, (100 * np.arange(17)[:, None] + np.arange(18))[grid.slices])


@pytest.mark.parametrize("shape", [(40,), (17, 18), (9, 10, 11)])
def test_one_to_three_axes(comm, shape):
    grid = mpsolve.grid(shape, periodic=True, comm=comm)
    u = grid.field(numbers(shape)[grid.slices])
    grid.exchange(u)
    assert isinstance(grid, Grid)
    assert grid.global_shape == shape
    assert grid.with_ghosts(u).shape == tuple(n + 2 for n in grid.shape)


def test_what_is_read_with_ghosts_is_not_written(comm):
    grid = mpsolve.grid(SHAPE, comm=comm)
    with pytest.raises(ValueError, match="read-only"):
        grid.with_ghosts(grid.field(1.0))[...] = 0.0


def test_values_of_another_shape_are_refused(comm):
    grid = mpsolve.grid(SHAPE, comm=comm)
    with pytest.raises(ShapeError, match=r"shape \(3, 5\) do not fit"):
        grid.field(np.zeros((3, 5)))


def test_an_unknown_format_is_refused(comm):
    with pytest.raises(UnknownNameError, match="fp12"):
        mpsolve.grid(SHAPE, comm=comm).field(format="fp12")


def test_blocks_thinner_than_the_halo_are_refused(comm):
    with pytest.raises(ShapeError, match="these would do"):
        mpsolve.grid((3, 3), periodic=True, comm=comm, halo=4)


def test_a_periodic_flag_per_axis_is_needed(comm):
    with pytest.raises(ShapeError, match="periodic has 3 entries"):
        mpsolve.grid(SHAPE, periodic=(True, False, True), comm=comm)


def test_the_ranks_along_each_axis_may_be_chosen(comm):
    assert mpsolve.grid(SHAPE, comm=comm, ranks=(comm.size, 1)).cartesian.ranks_per_axis == (comm.size, 1)


def test_alone_the_whole_grid_is_here():
    grid = mpsolve.grid(SHAPE, periodic=True)
    assert grid.shape == SHAPE
    u = grid.field(numbers())
    grid.exchange(u)
    assert np.array_equal(grid.with_ghosts(u)[0, 1:-1], numbers()[-1])
