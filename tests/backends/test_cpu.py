"""The compiled sweep gives the same bits however it is cut: tiles, strips, blocks of rows, ways to store."""

import numpy as np
import pytest

pytest.importorskip("numba")

from mpsolve.backends import cpu, reference
from mpsolve.bins import to_float
from mpsolve.errors import FormatError
from mpsolve.field import Field
from mpsolve.kernels.passes import sweep_stages, tile_width
from mpsolve.kernels.sweep import RING, SweepSpec
from mpsolve.kernels.sweep_array import reflect_outer_axes
from mpsolve.precision import get_format

SHAPES = [(1, 1), (3, 5), (5, 70), (17, 129), (40, 200), (9, 64)]
STEPS = (1, 2, 3, 4, 5, 8)
MIRRORS = [((1, 1), (1, 1)), ((-1, 1), (0, -1)), ((0, 0), (0, 0)), ((0, -1), (1, 0))]


def random_field(shape, name, halo=8):
    field = Field.zeros(shape, halo, get_format(name))
    field.storage[...] = field.format.encode(np.random.default_rng(2).standard_normal(field.storage.shape))
    return field


def swept(field, steps, mirrors, **cut):
    target = field.like()
    for stage in sweep_stages(target, field, (0.2, 0.2), steps, mirrors, **cut):
        reflect_outer_axes(stage.source, mirrors)
        for arguments in stage.calls:
            stage.kernel(*arguments)
    return target.interior.copy()


def expected(field, steps, mirrors):
    target = field.like()
    reference.create().bind_sweep(target, field, (0.2, 0.2), steps, mirrors)()
    return target.interior


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", ["fp64", "fp32", "bf16", "fp16"])
def test_tiles_and_strips_change_no_bit(name, shape, stream):
    field = random_field(shape, name)
    line = 64 // field.format.itemsize
    for steps in STEPS:
        for mirrors in MIRRORS:
            right = expected(field, steps, mirrors)
            for width, threads in ((None, 1), (line, 3), (2 * line, 2)):
                result = swept(field, steps, mirrors, threads=threads, stream=stream, width=width)
                np.testing.assert_array_equal(result, right, err_msg=f"{steps=} {mirrors=} {width=} {threads=}")


@pytest.mark.parametrize("name", ["fp8_e4m3", "tf32"])
def test_formats_of_other_widths_are_tiled_alike(name):
    field = random_field((13, 300), name)
    right = expected(field, 3, MIRRORS[1])
    line = 64 // field.format.itemsize
    for stream in (False, True):
        result = swept(field, 3, MIRRORS[1], threads=2, stream=stream, width=2 * line)
        np.testing.assert_array_equal(result, right)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_change_no_bit(threads):
    field = random_field((300, 400), "bf16")
    target = field.like()
    cpu.create(threads).bind_sweep(target, field, (0.2, 0.2), 4, MIRRORS[1])()
    np.testing.assert_array_equal(target.interior, expected(field, 4, MIRRORS[1]))


def test_large_fields_are_written_past_the_caches_with_the_same_bits(monkeypatch):
    field = random_field((60, 500), "fp16")
    small = swept(field, 2, MIRRORS[1], threads=1, stream=False)
    monkeypatch.setattr(cpu, "STREAM_BYTES", 0)
    target = field.like()
    cpu.create(1).bind_sweep(target, field, (0.2, 0.2), 2, MIRRORS[1])()
    np.testing.assert_array_equal(target.interior, small)


@pytest.mark.parametrize("ndim", [1, 3])
def test_strips_of_other_dimensions_change_no_bit(ndim):
    shape = (200,) if ndim == 1 else (7, 6, 70)
    field = random_field(shape, "fp32", halo=3)
    mirrors = MIRRORS[3][:1] * ndim
    whole, cut = field.like(), field.like()
    for target, threads in ((whole, 1), (cut, 3)):
        for stage in sweep_stages(target, field, (0.1,) * ndim, 3, mirrors, threads=threads, stream=threads > 1):
            reflect_outer_axes(stage.source, mirrors)
            for arguments in stage.calls:
                stage.kernel(*arguments)
    np.testing.assert_array_equal(whole.interior, cut.interior)


def test_a_launch_may_be_repeated():
    field = random_field((20, 90), "fp32")
    target, back = field.like(), field.like()
    walls = ((1, 1), (-1, 1))
    there = cpu.create(1).bind_sweep(target, field, (0.2, 0.2), 2, walls)
    home = cpu.create(1).bind_sweep(field, target, (0.2, 0.2), 2, walls)
    copy = field.like().set(field.to_numpy())
    for _ in range(3):
        there()
        home()
    for _ in range(3):
        reference.create().bind_sweep(back, copy, (0.2, 0.2), 4, walls)()
        copy, back = back, copy
    np.testing.assert_array_equal(field.interior, copy.interior)


@pytest.mark.parametrize("steps", [2, 4, 8])
@pytest.mark.parametrize("name", ["fp64", "fp8_e4m3"])
def test_the_rings_of_a_tile_fit_the_second_level_cache(name, steps):
    spec = SweepSpec(get_format(name), 2, 1, True)
    width = tile_width(spec, 100_000, steps)
    assert width % spec.columns == 0
    assert (steps - 1) * RING * width * spec.format.itemsize <= 1 << 20


@pytest.mark.parametrize("dots", [(), ((0, 0), (0, 1))], ids=["alone", "summed"])
@pytest.mark.parametrize("name", ["fp64", "fp16", "fp8_e5m2"])
def test_streaming_kernels_of_points_write_and_sum_the_same_bits(monkeypatch, name, dots):
    def point(load, a, c, i, j):
        return load(a[0], i, j - 1) + load(a[0], i + 1, j)

    field = random_field((30, 2500), name, halo=1)
    plain, streamed = field.like(), field.like()
    box = {"lo": (1, 3), "hi": (29, 2490), "dots": dots}
    expected = cpu.create(2).bind(point, [plain], [field], **box)()
    monkeypatch.setattr(cpu, "STREAM_BYTES", 0)
    sums = cpu.create(2).bind(point, [streamed], [field], **box)()
    np.testing.assert_array_equal(streamed.storage, plain.storage)
    assert [to_float(table) for table in sums] == [to_float(table) for table in expected]


def test_a_loop_that_would_confuse_two_formats_of_one_width_is_refused():
    fields = [random_field((3, 4), name) for name in ("fp16", "bf16")]
    with pytest.raises(FormatError, match="not bf16 and fp16"):
        cpu.create().bind(None, [], fields, dots=((0, 1),))
