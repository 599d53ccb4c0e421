"""Ghosts hold what the neighbouring blocks hold: bit for bit by default, rounded to a narrower format by choice."""

import itertools
import tracemalloc

import numpy as np
import pytest

from mpsolve.errors import ShapeError
from mpsolve.field import Field
from mpsolve.ledger import Ledger
from mpsolve.lookup import names
from mpsolve.parallel.cartesian import Cartesian
from mpsolve.parallel.halo import Halo
from mpsolve.precision import get_format

# More ghost layers than most exchanges fill, so that a layer too many would be seen.
FIELD_HALO = 4
UNTOUCHED = 0xA5
FORMATS = [get_format(name) for name in names("formats")]
NARROW = [get_format(name) for name in ("fp32", "fp16", "bf16", "fp8_e4m3", "fp8_e5m2")]
BOTH = (False, True)


def random_bits(shape, format, seed):
    """Return the same random patterns of a format's storage on all ranks: any number, infinity and NaN."""
    size = (*shape, format.itemsize)
    return np.random.default_rng(seed).integers(0, 256, size, np.uint8).view(format.storage)[..., 0]


def words(storage):
    """Return numbers as integers, because NaN does not equal itself."""
    return np.ascontiguousarray(storage).view(f"u{storage.itemsize}")


def local_field(grid, whole, format):
    """Return the field of this rank's block of a global storage array; its ghosts hold the sentinel."""
    field = Field.zeros(grid.shape, FIELD_HALO, format)
    field.storage.view(np.uint8)[...] = UNTOUCHED
    field.interior[...] = whole[grid.slices]
    return field


def surroundings(grid, format, whole, width, corners):
    """Return what the block with FIELD_HALO layers around it must hold, from the global array."""
    axes = [np.arange(lo - FIELD_HALO, hi + FIELD_HALO) for lo, hi in zip(grid.lo, grid.hi, strict=True)]
    filled, outside, places = np.array(True), np.array(0), []
    for axis, index in enumerate(axes):
        at = [1] * grid.ndim
        at[axis] = -1
        cells, wraps = grid.global_shape[axis], grid.periodic[axis]
        near = (index >= grid.lo[axis] - width) & (index < grid.hi[axis] + width)
        exists = np.full(index.shape, True) if wraps else (index >= 0) & (index < cells)
        beyond = (index < grid.lo[axis]) | (index >= grid.hi[axis])
        filled = filled & (near & exists).reshape(at)
        outside = outside + beyond.astype(int).reshape(at)
        places.append(index % cells)
    sentinel = np.full(format.itemsize, UNTOUCHED, np.uint8).view(format.storage)[0]
    filled = filled & (corners | (outside <= 1))
    return np.where(filled, words(whole[np.ix_(*places)]), words(np.array([sentinel]))[0])


def around(field):
    """Return the field with FIELD_HALO layers around it."""
    return field.region((-FIELD_HALO,) * field.ndim, tuple(cells + FIELD_HALO for cells in field.shape))


def cuts(ndim):
    """List the axes that may be cut: all, and each one alone, so that 2 ranks lie along each axis in turn."""
    return [None, *(tuple(axis == only for axis in range(ndim)) for only in range(ndim))]


# Eight blocks of at least FIELD_HALO cells fit along each axis, and no count of ranks divides the cells.
CASES = [
    (shape, periodic, split)
    for shape in [(67,), (37, 45), (33, 34, 35)]
    for periodic in itertools.product(BOTH, repeat=len(shape))
    for split in cuts(len(shape))
]


@pytest.mark.parametrize("corners", BOTH)
@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize(("shape", "periodic", "split"), CASES)
def test_ghosts_of_fields_of_all_formats_are_the_neighbours_bit_for_bit(comm, shape, periodic, split, width, corners):
    grid = Cartesian.create(comm, shape, periodic, halo=width, split=split)
    # In three dimensions some formats at a time, in turn, keep the suite quick.
    formats = FORMATS if len(shape) < 3 else [FORMATS[(width + place) % len(FORMATS)] for place in (0, 3)]
    wholes = [random_bits(shape, format, seed) for seed, format in enumerate(formats)]
    fields = [local_field(grid, whole, format) for whole, format in zip(wholes, formats, strict=True)]
    Halo(grid, fields, width=width, corners=corners).exchange()
    for field, whole in zip(fields, wholes, strict=True):
        expected = surroundings(grid, field.format, whole, width, corners)
        assert np.array_equal(words(around(field)), expected)


@pytest.mark.parametrize("shape", [(16, 16), (9, 13)])
def test_two_periodic_ranks_along_an_axis_do_not_mix_up_the_sides(world, shape):
    ranks = (2, 1) if world.size % 2 == 0 else (1, 1)
    from mpi4py import MPI

    pair = world.Split(world.rank // 2 if world.size % 2 == 0 else world.rank)
    grid = Cartesian.create(pair, shape, (True, False), ranks_per_axis=ranks)
    whole = random_bits(shape, FORMATS[0], 1)
    field = local_field(grid, whole, FORMATS[0])
    Halo(grid, [field], width=1).exchange()
    assert np.array_equal(words(field.region((-1, 0), (0, shape[1])))[0], words(whole[grid.lo[0] - 1]))
    assert np.array_equal(
        words(field.region((grid.shape[0], 0), (grid.shape[0] + 1, shape[1])))[0],
        words(whole[grid.hi[0] % shape[0]]),
    )
    if pair != MPI.COMM_SELF:
        pair.Free()


def numbers_around(comm, numbers, format, narrow, periodic=(True, True), **options):
    """Exchange a global array of float64 in a format with narrow messages; return the field and its truth."""
    grid = Cartesian.create(comm, numbers.shape, periodic, halo=2)
    whole = format.encode(numbers)
    field = local_field(grid, whole, format)
    Halo(grid, [field], width=2, corners=True, format=narrow, **options).exchange()
    exact = surroundings(grid, format, whole, 2, True).view(format.storage)
    return format.decode(around(field)).astype(float)[2:-2, 2:-2], format.decode(exact).astype(float)[2:-2, 2:-2]


def normal(seed=3, scale=1.0):
    """Return random numbers of very different sizes, the same on all ranks; the interior is 32 x 40 cells."""
    generator = np.random.default_rng(seed)
    return scale * generator.standard_normal((32, 40)) * 2.0 ** generator.integers(-12, 1, (32, 40))


@pytest.mark.parametrize("narrow", NARROW, ids=lambda format: format.name)
@pytest.mark.parametrize("scale", [1.0, 1e-30, 1e30])
def test_narrow_ghosts_are_rounded_once_to_the_narrow_format(comm, narrow, scale):
    got, exact = numbers_around(comm, normal(scale=scale), get_format("fp64"), narrow)
    # The largest number of a message is scaled to at least 2**(top - 1), and is at most that of the whole array.
    top = np.frexp(narrow.largest)[1] - 1
    quantum = narrow.smallest_subnormal * 2 * np.abs(exact).max() / 2.0**top
    assert (np.abs(got - exact) <= np.maximum(narrow.unit_roundoff * np.abs(exact), quantum / 2)).all()


@pytest.mark.parametrize("narrow", NARROW, ids=lambda format: format.name)
@pytest.mark.parametrize("power", [-900, 64, 900])
def test_narrow_ghosts_do_not_depend_on_the_power_of_two_of_the_field(comm, narrow, power):
    base, _ = numbers_around(comm, normal(), get_format("fp64"), narrow)
    moved, _ = numbers_around(comm, np.ldexp(normal(), power), get_format("fp64"), narrow)
    assert np.array_equal(moved, np.ldexp(base, power))


@pytest.mark.parametrize("wide", ["fp64", "fp32", "bf16", "fp16"])
@pytest.mark.parametrize("narrow", NARROW, ids=lambda format: format.name)
def test_zeros_survive_narrow_messages(comm, wide, narrow):
    got, exact = numbers_around(comm, np.zeros((32, 40)), get_format(wide), narrow)
    assert np.array_equal(got, exact)


@pytest.mark.parametrize("wide", ["fp64", "fp32", "bf16", "fp16"])
@pytest.mark.parametrize("narrow", NARROW, ids=lambda format: format.name)
def test_the_extremes_of_a_format_stay_finite_in_narrow_messages(comm, wide, narrow):
    wide = get_format(wide)
    for extreme in (wide.largest, wide.smallest_subnormal, wide.smallest_normal):
        got, exact = numbers_around(comm, np.full((32, 40), -extreme), wide, narrow)
        assert (np.abs(got - exact) <= narrow.unit_roundoff * extreme).all()


@pytest.mark.parametrize("narrow", NARROW, ids=lambda format: format.name)
def test_infinities_and_nan_survive_narrow_messages(comm, narrow):
    numbers = np.ones((32, 40))
    numbers[::3], numbers[1::6], numbers[4::6] = np.nan, np.inf, -np.inf
    got, exact = numbers_around(comm, numbers, get_format("fp64"), narrow)
    if not narrow.has_infinity:
        # A format without infinity says NaN instead; what matters is that it does not become a number.
        got, exact = (np.where(np.isfinite(values), values, np.nan) for values in (got, exact))
    assert np.array_equal(got, exact, equal_nan=True)


def test_infinity_does_not_spoil_the_scale_of_its_message(comm):
    numbers = normal(scale=1e-20)
    numbers[::5] = np.inf
    narrow = get_format("fp16")
    got, exact = numbers_around(comm, numbers, get_format("fp64"), narrow)
    finite = np.isfinite(exact)
    bound = narrow.unit_roundoff * np.abs(exact[finite]).max()
    assert (np.abs(got[finite] - exact[finite]) <= bound).all()


def test_fields_in_one_narrow_message_have_their_own_scale(comm):
    grid = Cartesian.create(comm, (32, 40), (True, True))
    wholes = [normal(1, 1e30), normal(2, 1e-30)]
    fields = [local_field(grid, whole, get_format("fp64")) for whole in wholes]
    Halo(grid, fields, width=1, format=get_format("fp16")).exchange()
    for field, whole in zip(fields, wholes, strict=True):
        ghosts = field.region((-1, 0), (0, grid.shape[1]))
        exact = whole[(grid.lo[0] - 1) % 32, grid.slices[1]]
        assert (np.abs(ghosts - exact) <= 2.0**-11 * np.abs(whole).max()).all()


def test_fields_that_are_not_wider_than_the_message_format_travel_bit_for_bit(comm):
    grid = Cartesian.create(comm, (37, 45), (True, True))
    formats = [get_format(name) for name in ("fp64", "bf16", "fp16", "fp8_e4m3")]
    wholes = [random_bits((37, 45), format, seed) for seed, format in enumerate(formats)]
    fields = [local_field(grid, whole, format) for whole, format in zip(wholes, formats, strict=True)]
    Halo(grid, fields, width=1, format=get_format("bf16")).exchange()
    for field, whole in list(zip(fields, wholes, strict=True))[1:]:
        assert np.array_equal(words(around(field)), surroundings(grid, field.format, whole, 1, False))


def test_an_exchange_can_be_repeated_with_new_values(comm):
    grid = Cartesian.create(comm, (37, 45), (True, False))
    field = local_field(grid, random_bits((37, 45), FORMATS[0], 0), FORMATS[0])
    halo = Halo(grid, [field], width=1)
    for seed in range(3):
        whole = random_bits((37, 45), FORMATS[0], seed)
        field.interior[...] = whole[grid.slices]
        halo.exchange()
        assert np.array_equal(words(around(field)), surroundings(grid, FORMATS[0], whole, 1, False))


@pytest.mark.parametrize("narrow", [None, get_format("fp8_e5m2")])
def test_the_interior_may_be_overwritten_while_messages_travel(comm, narrow):
    grid = Cartesian.create(comm, (37, 45), (True, True))
    field = local_field(grid, np.ones((37, 45)), get_format("fp64"))
    halo = Halo(grid, [field], width=2, corners=True, format=narrow)
    halo.start()
    field.interior[...] = 7.0
    comm.Barrier()
    halo.finish()
    ghosts = field.region((-2, -2), tuple(cells + 2 for cells in grid.shape)).copy()
    assert (field.interior == 7.0).all()
    ghosts[2:-2, 2:-2] = 1.0
    assert (ghosts == 1.0).all()


def test_two_exchanges_can_be_under_way_at_once(comm):
    grid = Cartesian.create(comm, (37, 45), (True, True))
    wholes = [random_bits((37, 45), FORMATS[0], seed) for seed in (1, 2)]
    fields = [local_field(grid, whole, FORMATS[0]) for whole in wholes]
    halos = [Halo(grid, [field], width=1) for field in fields]
    for halo in halos:
        halo.start()
    for halo in reversed(halos):
        halo.finish()
    for field, whole in zip(fields, wholes, strict=True):
        assert np.array_equal(words(around(field)), surroundings(grid, FORMATS[0], whole, 1, False))


def neighbours(grid, corners):
    """Return the other ranks around this one."""
    directions = itertools.product((-1, 0, 1), repeat=grid.ndim)
    near = (step for step in directions if corners or sum(map(abs, step)) == 1)
    return {grid.neighbour(step) for step in near} - {None, grid.comm.rank}


@pytest.mark.parametrize("corners", BOTH)
@pytest.mark.parametrize("periodic", list(itertools.product(BOTH, repeat=2)))
def test_there_is_one_message_for_each_neighbour_and_all_fields(comm, periodic, corners):
    grid = Cartesian.create(comm, (37, 45), periodic)
    fields = [Field.zeros(grid.shape, 1, format) for format in FORMATS]
    assert Halo(grid, fields, width=1, corners=corners).messages == len(neighbours(grid, corners))


def test_the_ledger_counts_messages_and_bytes_of_each_exchange(comm):
    grid = Cartesian.create(comm, (37, 48), (True, True), split=(True, False))
    ledger = Ledger()
    fields = [Field.zeros(grid.shape, 2, get_format(name)) for name in ("fp64", "bf16")]
    halo = Halo(grid, fields, width=2, ledger=ledger, phase="inner")
    halo.exchange()
    halo.exchange()
    total = sum(counts.message_bytes for counts in ledger.counts.get("inner", {}).values())
    # Two rows of 48 cells go up and two down, of 8 and of 2 bytes.
    assert total == 2 * halo.message_bytes == (2 * 2 * 2 * 48 * (8 + 2) if comm.size > 1 else 0)
    assert sum(counts.messages for counts in ledger.counts.get("inner", {}).values()) == 2 * halo.messages


def test_a_narrow_format_sends_fewer_bytes(comm):
    grid = Cartesian.create(comm, (37, 48), (True, True), split=(True, False))
    field = Field.zeros(grid.shape, 1, get_format("fp64"))
    halo = Halo(grid, [field], width=1, format=get_format("fp16"))
    # One row of 48 cells of 2 bytes up and one down, and an 8-byte scale for each message.
    assert halo.message_bytes == 2 * 48 * 2 + 8 * halo.messages if comm.size > 1 else halo.message_bytes == 0


def test_an_exchange_allocates_no_arrays(comm):
    grid = Cartesian.create(comm, (256, 256), (True, True))
    halo = Halo(grid, [Field.zeros(grid.shape, 4, get_format("fp64"))], width=4, corners=True)
    halo.exchange()
    tracemalloc.start()
    halo.exchange()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # One edge of a block on 8 ranks has at least 4 * 64 * 8 bytes for each of two sides; Python's own objects are less.
    assert peak < 4096


@pytest.mark.parametrize("width", [5, 9])
def test_blocks_thinner_than_the_halo_are_refused_on_all_ranks(comm, width):
    cells = width * comm.size - 1
    grid = Cartesian.create(comm, (cells, 16), (True, False), split=(True, False))
    field = Field.zeros(grid.shape, width, get_format("fp64"))
    with pytest.raises(ShapeError, match=f"thinner than the halo of width {width}.*at least {width * comm.size} cells"):
        Halo(grid, [field], width=width)


def test_a_side_that_is_not_exchanged_may_be_thinner_than_the_halo(comm):
    grid = Cartesian.create(comm, (64, 2), (False, False), split=(True, False))
    field = Field.zeros(grid.shape, 3, get_format("fp64"))
    Halo(grid, [field], width=3).exchange()
    assert (field.storage == 0).all()


@pytest.mark.parametrize(
    ("shape", "halo", "width", "message"),
    [((8, 8), 1, 0, "give 1 or more"), ((8, 7), 1, 1, "field 0 has shape"), ((8, 8), 1, 2, "a halo of at least 2")],
)
def test_fields_that_do_not_fit_are_refused(shape, halo, width, message):
    from mpi4py import MPI

    grid = Cartesian.create(MPI.COMM_SELF, (8, 8), (False, False))
    with pytest.raises(ShapeError, match=message):
        Halo(grid, [Field.zeros(shape, halo, get_format("fp32"))], width=width)


def test_no_fields_are_refused(comm):
    with pytest.raises(ShapeError, match="no fields"):
        Halo(Cartesian.create(comm, (32, 32), (False, False)), [], width=1)


def test_starting_twice_is_an_error(comm):
    grid = Cartesian.create(comm, (32, 32), (True, False))
    halo = Halo(grid, [Field.zeros(grid.shape, 1, get_format("fp32"))], width=1)
    halo.start()
    with pytest.raises(RuntimeError, match=r"call finish\(\) first"):
        halo.start()
    halo.finish()


def test_finishing_what_was_not_started_is_an_error(comm):
    grid = Cartesian.create(comm, (32, 32), (True, False))
    halo = Halo(grid, [Field.zeros(grid.shape, 1, get_format("fp32"))], width=1)
    with pytest.raises(RuntimeError, match=r"call start\(\) first"):
        halo.finish()
