"""The shallow-water core: order two, exact mass, the same bits on any ranks, rounding far below truncation."""

import emulation
import numpy as np
import pytest

from mpsolve import lookup
from mpsolve.ledger import Ledger
from mpsolve.models.shallow_water import diagnostics
from mpsolve.models.shallow_water.model import ShallowWaterModel
from mpsolve.models.shallow_water.stages import SCHEMES
from mpsolve.models.shallow_water.stepping import FLUXES, HALO
from mpsolve.parallel.cartesian import Cartesian
from mpsolve.precision import Roles

NOWHERE = 1.6


def core_of(comm, problem, shape, dt_s, *, roles=None, fluxes="energy", scheme="ssprk3", angle=0.0, **more):
    """Return the model of a problem and a core in its initial state."""
    made = lookup.find("models.shallow_water.problems", problem).create(shape, angle)
    grid = Cartesian.create(comm, shape, (made.geometry.periodic, True), halo=HALO, split=(True, False))
    model = ShallowWaterModel(made, grid, more.get("filter_rad", NOWHERE))
    backend = more.get("backend") or lookup.find("backends", "reference").create(1)
    core = model.core(
        backend,
        Ledger(),
        roles or Roles(),
        fluxes=fluxes,
        scheme=scheme,
        dt_s=dt_s,
        drag_per_s=0.0,
        viscosity_m2_s=-1.0,
    )
    return model, core


def stepped(comm, count, *arguments, **options):
    model, core = core_of(comm, *arguments, **options)
    for _ in range(count):
        core.step()
    return model, core


def error_l2(model, core):
    return diagnostics.relative_norms(core, core.height(), model.height)[1]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_halving_the_spacing_divides_the_error_of_a_steady_flow_by_four(alone, scheme):
    coarse, fine = (
        error_l2(*stepped(alone, count, "williamson2", (n, 2 * n), dt_s, scheme=scheme))
        for n, count, dt_s in ((16, 54, 200.0), (32, 216, 50.0))
    )
    assert 3.5 < coarse / fine < 4.6


@pytest.mark.parametrize("fluxes", FLUXES)
def test_mass_is_kept_by_every_kind_of_fluxes(alone, fluxes):
    _, core = core_of(alone, "williamson5", (16, 32), 100.0, fluxes=fluxes)
    before = diagnostics.invariants(core)
    for _ in range(50):
        core.step()
    after = diagnostics.invariants(core)
    # Fluxes cancel in pairs; each of 1536 stage updates of 512 cells rounds once, at random.
    assert abs(after["volume"] / before["volume"] - 1) <= 64 * 2.0**-53
    assert diagnostics.trouble(core) == ""


@pytest.mark.parametrize("fluxes", ["energy", "arakawa_lamb"])
def test_energy_changes_by_the_stepper_alone(alone, fluxes):
    changes = []
    for dt_s, count in ((100.0, 20), (50.0, 40)):
        _, core = core_of(alone, "williamson6", (16, 32), dt_s, fluxes=fluxes, scheme="rk4")
        before = diagnostics.invariants(core)["energy"]
        for _ in range(count):
            core.step()
        changes.append(abs(diagnostics.invariants(core)["energy"] / before - 1))
    # The classical method loses energy like the fifth power of the step, until rounding is larger.
    assert changes[1] <= max(changes[0] / 16, 1e-14)


@pytest.mark.parametrize("inner", ["fp32", "fp16", "bf16"])
def test_rounding_is_a_small_part_of_truncation(alone, inner):
    model, exact = stepped(alone, 100, "williamson2", (32, 64), 60.0)
    _, core = core_of(alone, "williamson2", (32, 64), 60.0, roles=Roles(inner=inner))
    volume = core.volume()
    for _ in range(100):
        core.step()
    core.restore_volume(volume)
    rounding = diagnostics.relative_norms(core, core.height(), exact.height())[1]
    assert 0 < rounding <= 0.1 * error_l2(model, exact)
    assert abs(core.volume() - volume) <= 1e-15 * diagnostics.invariants(core)["volume"]


@pytest.mark.ranks
@pytest.mark.parametrize(
    ("problem", "fluxes", "inner", "filter_rad"),
    [
        ("williamson5", "energy", "fp16", 1.0),
        ("turbulence", "arakawa_lamb", "bf16", NOWHERE),
        ("williamson2", "enstrophy", "fp64", NOWHERE),
    ],
)
def test_the_number_of_ranks_changes_no_bit(world, alone, whole, problem, fluxes, inner, filter_rad):
    options = {"roles": Roles(inner=inner), "fluxes": fluxes, "filter_rad": filter_rad, "scheme": "rk4"}
    _, one = stepped(alone, 5, problem, (33, 32), 60.0, **options)
    _, many = stepped(world, 5, problem, (33, 32), 60.0, **options)
    for found, expected in zip(many.state, one.state, strict=True):
        assert np.array_equal(whole(many.grid, found.to_numpy()), expected.to_numpy())


@pytest.mark.parametrize("fluxes", ["energy", "arakawa_lamb"])
def test_every_backend_has_the_bits_of_numpy(alone, fluxes):
    options = {"roles": Roles(inner="fp16"), "fluxes": fluxes, "filter_rad": 1.0}
    _, expected = stepped(alone, 3, "williamson5", (16, 32), 60.0, **options)
    for backend in (emulation.backend(), lookup.find("backends", "cpu").create(1)):
        _, found = stepped(alone, 3, "williamson5", (16, 32), 60.0, backend=backend, **options)
        assert np.array_equal(found.height(), expected.height())


def test_the_filter_changes_neither_row_means_nor_long_waves(alone):
    _, core = core_of(alone, "williamson5", (32, 64), 60.0, filter_rad=1.0)
    field = core.increments[0][0]
    rows = np.random.default_rng(1).standard_normal((32, 64))
    field.set(rows)
    core.method.smooth(core.increments[0])
    filtered = field.to_numpy()
    assert np.allclose(filtered.mean(axis=1), rows.mean(axis=1), atol=1e-15)
    assert np.array_equal(filtered[10:22], rows[10:22])
    assert np.abs(np.fft.rfft(filtered[0])[-1]) < 0.2 * np.abs(np.fft.rfft(rows[0])[-1])


def test_trouble_is_named_with_its_place(alone):
    _, core = core_of(alone, "williamson2", (16, 32), 60.0)
    height = core.height()
    height[3, 7] = -10.0
    core.state[0].set(height - core.physics.depth_m)
    assert diagnostics.trouble(core) == "the depth is not positive in row 3, column 7"
    core.state[1].set(np.where(np.arange(32) == 5, np.nan, 0.0) + np.zeros((16, 1)))
    core.state[0].set(0.0)
    assert diagnostics.trouble(core) == "the eastward velocity is not finite in row 0, column 5"
