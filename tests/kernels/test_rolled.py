"""Stages that keep rows of what cells share have the bits of those that compute it anew for each cell."""

import numpy as np
import pytest

pytest.importorskip("numba")

from mpsolve.backends import cpu, reference
from mpsolve.field import Field
from mpsolve.kernels.points import shallow_water as points
from mpsolve.kernels.points.shallow_water_rows import ROLLED
from mpsolve.precision import get_format

#: Thinner than a strip, and in two strips of which one is ragged.
SHAPES = [(1, 3), (4, 150), (9, 301)]
#: A kernel is compiled for each: stage, formats of state and increments, whether outputs pass the caches.
CASES = [
    (points.energy_first, "fp64", "fp16", True),
    (points.energy_flat, "fp64", "fp64", True),
    (points.energy_flat, "fp32", "fp16", True),
    (points.energy_over, "fp64", "fp16", False),
]


def bound(point, shape, state, inner, last):
    """Return outputs, inputs and scalars of a stage on random numbers: the last one makes a state."""
    rng, first = np.random.default_rng(3), point is points.energy_first
    wide = np.float64 if state == "fp64" else np.float32

    def field(name, size=1.0):
        one = Field.zeros(shape, 2, get_format(name))
        one.storage[...] = one.format.encode(size * rng.standard_normal(one.storage.shape))
        return one

    inputs = [field(state, 10.0), field(state), field(state)] + [field(inner) for _ in range(0 if first else 3)]
    columns = inputs[0].storage.shape
    names = ["dx", "dxe", "ra", "rz", "fa", "fb", "fc", "wind", "open"]
    inputs += [np.asarray(rng.uniform(0.5, 2.0, columns[name == "fc"]), wide) for name in names]
    inputs += [field(state)] if point is points.energy_over else []
    made = [Field.zeros(shape, 2, get_format(state if last else inner)) for _ in range(3)]
    scalars = [100.0, 9.81, 0.7, 1 / 0.7, 3.0, 0.1, 0.5, 0.25]
    scalars += [1.0, 0.1, 0.1, 0.1] if first else [0.25, 0.5, 0.125, 1.0, 0.5, 0.25, 0.3, 0.01, 0.02, 0.03]
    return made, inputs, scalars


def test_every_stage_in_pieces_is_looked_at():
    assert {case[0] for case in CASES} == set(ROLLED)


@pytest.mark.parametrize(("point", "state", "inner", "stream"), CASES)
def test_rows_change_no_bit(point, state, inner, stream, monkeypatch):
    monkeypatch.setattr(cpu, "STREAM_BYTES", 0 if stream else 1 << 60)
    for shape in SHAPES:
        made, inputs, scalars = bound(point, shape, state, inner, last=point is not points.energy_first)
        launch = cpu.create().bind(point, made, inputs)
        assert launch.spec.rolled is ROLLED[point]
        launch(*scalars)
        right = [field.like() for field in made]
        reference.create().bind(point, right, inputs)(*scalars)
        for field, other in zip(made, right, strict=True):
            np.testing.assert_array_equal(field.storage, other.storage)
