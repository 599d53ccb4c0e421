"""Several steps in one pass, against one step after the other in the compute type: the bits are the same."""

import numpy as np
import pytest

from mpsolve.errors import FormatError, ShapeError
from mpsolve.field import Field
from mpsolve.kernels.transfers.layout import Correction, Overlay
from mpsolve.lookup import find
from mpsolve.precision import get_format
from mpsolve.solvers.multigrid import relaxation

HALO = 4
LENGTHS = (0.9, 0.55, 0.7, 0.6)
REACTION = 0.3


def filled(shape, format, seed, ghosts=True):
    field = Field.zeros(shape, HALO, format)
    rng = np.random.default_rng(seed)
    if ghosts:
        lo, hi = (-HALO,) * len(shape), tuple(n + HALO for n in shape)
        field.write(format.encode(rng.uniform(-1, 1, [n + 2 * HALO for n in shape])), lo, hi)
    else:
        field.set(rng.uniform(-1, 1, shape))
    return field


def vectors(field, constant):
    """Return conductances and inverse diagonals along each axis; along the last one they vary at its ends at most."""
    found, rng = [], np.random.default_rng(7)
    for axis in range(field.ndim):
        for _ in (0, 1):
            values = np.full(field.storage.shape[axis] + 1, rng.uniform(0.1, 0.3))
            start = field.origin[axis]
            if not constant or axis < field.ndim - 1:
                values[start - HALO : start + field.shape[axis] + HALO] *= rng.uniform(
                    0.5, 1, field.shape[axis] + 2 * HALO
                )
            values[start] *= 2
            found.append(values.astype(field.format.compute))
    weights = [found[2 * axis] for axis in range(field.ndim)]
    return [*found, *weights]


def one_after_the_other(source, b, inputs, lengths):
    """Take the steps in the compute type, each on a box that is smaller by one cell; return the interior."""
    wide = get_format("fp64" if source.format.name == "fp64" else "fp32")
    here, there, given = (source.like(wide) for _ in range(3))
    for field, copy in ((source, here), (b, given)):
        everything = (-HALO,) * field.ndim, tuple(n + HALO for n in field.shape)
        copy.write(field.format.decode(field.read(*everything)), *everything)
    backend, point = find("backends", "cpu").create(1), relaxation.SWEEPS[source.ndim, relaxation.UNIFORM]
    for number, length in enumerate(lengths):
        reach = len(lengths) - 1 - number
        lo, hi = (-reach,) * source.ndim, tuple(n + reach for n in source.shape)
        backend.bind(point, [there], [here, given, *inputs], lo=lo, hi=hi)(REACTION, length)
        here, there = there, here
    return source.format.encode(here.interior)


@pytest.mark.parametrize("shape", [(5, 7), (9, 150), (3, 8200), (4, 5, 6), (3, 21, 17)])
@pytest.mark.parametrize("name", ["fp64", "fp16", "bf16"])
@pytest.mark.parametrize("steps", [1, 2, 4])
@pytest.mark.parametrize("constant", [True, False], ids=["constant", "varying"])
def test_steps_of_one_pass_have_the_bits_of_single_steps(shape, name, steps, constant):
    format, ndim = get_format(name), len(shape)
    source, b, target = filled(shape, format, 1), filled(shape, format, 2), Field.zeros(shape, HALO, format)
    inputs = vectors(source, constant)
    along = (2 * ndim - 1, 2 * ndim, 3 * ndim)
    for threads in (1, 2):
        backend = find("backends", "cpu").create(threads)
        point = relaxation.SWEEPS[ndim, relaxation.UNIFORM]
        launch = backend.bind_steps(point, target, source, [b, *inputs], along=along, correction=None)
        launch(REACTION, *LENGTHS[:steps])
        assert np.array_equal(target.interior, one_after_the_other(source, b, inputs, LENGTHS[:steps]))


def test_large_results_pass_the_caches(monkeypatch):
    monkeypatch.setattr("mpsolve.backends.cpu.STREAM_BYTES", 0)
    for name in ("fp64", "bf16"):
        test_steps_of_one_pass_have_the_bits_of_single_steps((9, 150), name, 4, True)
        test_steps_of_one_pass_have_the_bits_of_single_steps((4, 5, 6), name, 2, False)


CASES = [((True, True), (0, 1), (6, 75)), ((True, False), (1, 0), (7, 9)), ((True, True, True), (1, 0, 1), (5, 6, 9))]


@pytest.mark.parametrize("guess", [True, False])
@pytest.mark.parametrize(("halved", "first", "shape"), CASES)
@pytest.mark.parametrize("name", ["fp64", "fp16"])
def test_the_interpolation_is_added_first(name, halved, first, shape, guess):
    format, overlay, ndim = get_format(name), Overlay(halved, first), len(shape)
    wide, rng = get_format("fp64" if name == "fp64" else "fp32"), np.random.default_rng(3)
    coarse_shape = [-(-(n - s) // 2) if h else n for n, s, h in zip(shape, first, halved, strict=True)]
    coarse, b = filled(tuple(coarse_shape), format, 4), filled(shape, format, 5, ghosts=False)
    target, inputs = Field.zeros(shape, HALO, format), vectors(b, True)
    source = filled(shape, format, 1, ghosts=False) if guess else None
    weights = []
    for axis, halve in enumerate(halved):
        weight = np.zeros(target.storage.shape[axis] + 1, format.compute)
        start = target.origin[axis]
        weight[start : start + shape[axis]] = rng.random(shape[axis])
        weights.append(weight if halve else None)
    backend = find("backends", "cpu").create(1)
    start = target.like(wide)
    if source is not None:
        start.interior[...] = format.decode(source.interior)
    backend.bind_prolongation(start, coarse, overlay, weights)()
    # Ghosts beyond the sides have no diagonal, so that they remain zero.
    for axis in range(ndim):
        vector, origin = inputs[2 * ndim + axis], target.origin[axis]
        vector[:origin] = vector[origin + shape[axis] :] = 0
    expected = one_after_the_other(start, b, inputs, LENGTHS)
    along = (2 * ndim - 1, 2 * ndim, 3 * ndim)
    point = relaxation.SWEEPS[ndim, relaxation.UNIFORM]
    correction = Correction(coarse, overlay, weights, tuple((0, n) for n in shape))
    launch = backend.bind_steps(point, target, source, [b, *inputs], along=along, correction=correction)
    launch(REACTION, *LENGTHS)
    assert np.array_equal(target.interior, format.encode(expected))


def test_what_cannot_share_a_pass_is_refused():
    fine, format = filled((6, 6), get_format("fp32"), 1), get_format("fp32")
    backend, point = find("backends", "cpu").create(1), relaxation.SWEEPS[2, relaxation.UNIFORM]
    inputs, coarse = [fine, *vectors(fine, True)], Field.zeros((3, 3), HALO, get_format("fp64"))
    with pytest.raises(ShapeError, match="share storage"):
        backend.bind_steps(point, fine, fine, inputs, along=(), correction=None)
    with pytest.raises(ShapeError, match="halo"):
        backend.bind_steps(point, fine.like(format), fine, inputs, along=(), correction=None)(0.0, *[1.0] * 5)
    quarter = [np.zeros(n + 1) for n in fine.storage.shape]
    with pytest.raises(FormatError, match="fp64"):
        correction = Correction(coarse, Overlay((True, True), (0, 0)), quarter, ((0, 6), (0, 6)))
        backend.bind_steps(point, fine, None, inputs, along=(), correction=correction)
