"""The shallow-water core: order two, exact mass, the same bits on any ranks, rounding far below truncation."""

import emulation
import numpy as np
import pytest

from mpsolve import lookup
from mpsolve.ledger import Ledger
from mpsolve.models.shallow_water import diagnostics
from mpsolve.models.shallow_water.method import FLUXES
from mpsolve.models.shallow_water.model import ShallowWaterModel
from mpsolve.models.shallow_water.stages import SCHEMES
from mpsolve.models.shallow_water.stepping import HALO
from mpsolve.models.shallow_water.trouble import trouble
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
    assert trouble(core) is None


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


def test_an_unsteady_answer_is_approached_with_order_two(alone):
    errors = []
    for shape, dt_s, count in (((16, 32), 200.0, 40), ((32, 64), 100.0, 80)):
        model, core = stepped(alone, count, "laeuter", shape, dt_s)
        truth = model.answer(count * dt_s)
        assert np.abs(truth - model.height).max() > 10.0
        errors.append(diagnostics.relative_norms(core, core.height(), truth)[1])
    assert 3.5 < errors[0] / errors[1] < 4.6


def test_the_continents_are_mountains_where_the_map_has_land():
    from mpsolve.models.shallow_water.problems import land

    bottom = land.create((36, 72), 0.0).bottom
    heights = bottom(np.radians([[35.0], [0.0], [-25.0], [-85.0]]), np.radians([[100.0, 200.0, 133.0]]))
    assert heights[0, 0] > 1000 and heights[2, 2] > 500 and heights[3].min() > 500
    assert heights[0, 1] < 100 and heights[1, 1] < 10


def test_a_wind_moves_water_at_rest_and_dies_out_at_the_ends(alone):
    model, _ = core_of(alone, "williamson2", (16, 32), 50.0)
    wind = model._wind(1e-5)
    assert wind.max() == pytest.approx(1e-5, rel=0.01) and wind[0] < 1.1e-6 and wind[-1] < 1.1e-6
    still = np.zeros_like(model.eastward)
    backend = lookup.find("backends", "reference").create(1)
    fixed = {"fluxes": "energy", "scheme": "ssprk3", "dt_s": 50.0, "drag_per_s": 0.0, "viscosity_m2_s": 0.0}
    core = model.core(backend, Ledger(), Roles(), wind_m_s2=1e-5, **fixed)
    core.set_state(np.full_like(model.height, 5000.0), still, still)
    core.step()
    moved = core.state[1].to_numpy().mean(axis=1)
    assert np.allclose(moved, 50.0 * wind, rtol=1e-3)


def test_what_files_give_takes_the_place_of_the_problem(alone):
    from mpsolve.models.shallow_water.model import Given

    model, _ = core_of(alone, "williamson2", (16, 32), 50.0)
    ground, height = np.full((16, 32), 7.0), np.full((16, 32), 3000.0)
    east = np.arange(16.0 * 32).reshape(16, 32)
    other = ShallowWaterModel(model.problem, model.grid, 2.0, Given(ground, (height, east, east)))
    assert np.array_equal(other.bottom, ground) and np.array_equal(other.height, height)
    assert other.eastward[3, 5] == (east[3, 5] + east[3, 4]) / 2
    assert other.northward[3, 5] == (east[3, 5] + east[2, 5]) / 2 and not other.northward[0].any()
    assert other.answer(0.0) is None
    assert other.given.halved().state[1].shape == (8, 16)


def test_the_shifted_adams_bashforth_stepper_is_of_first_order(alone):
    _, exact = stepped(alone, 160, "williamson6", (16, 32), 10.0, scheme="rk4")
    errors = []
    for dt_s, count in ((40.0, 40), (20.0, 80)):
        _, core = stepped(alone, count, "williamson6", (16, 32), dt_s, scheme="ab2")
        errors.append(diagnostics.relative_norms(core, core.height(), exact.height())[1])
    # Its weights 1.6 and -0.6 leave a tenth of Euler's error.
    assert 1.7 < errors[0] / errors[1] < 2.3


def test_what_was_made_with_other_scales_counts_as_it_was(alone):
    _, core = core_of(alone, "williamson6", (16, 32), 40.0, scheme="ab2", roles=Roles(inner="fp16"))
    _, other = core_of(alone, "williamson6", (16, 32), 40.0, scheme="ab2", roles=Roles(inner="fp16"))
    for number in range(6):
        core.step()
        if number == 2:
            # Powers of two change no bit of what is neither too large nor too small.
            other.scales = tuple(2.0 * scale for scale in other.scales)
        other.step()
    assert np.array_equal(core.height(), other.height())


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
    ("problem", "fluxes", "inner", "filter_rad", "scheme"),
    [
        ("williamson5", "energy", "fp16", 1.0, "rk4"),
        ("williamson5", "energy", "fp16", 1.0, "ab2"),
        ("turbulence", "arakawa_lamb", "bf16", NOWHERE, "rk4"),
        ("williamson2", "enstrophy", "fp64", NOWHERE, "rk4"),
    ],
)
def test_the_number_of_ranks_changes_no_bit(world, alone, whole, problem, fluxes, inner, filter_rad, scheme):
    options = {"roles": Roles(inner=inner), "fluxes": fluxes, "filter_rad": filter_rad, "scheme": scheme}
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
    assert trouble(core).text == "the depth is not positive in row 3, column 7"
    core.state[1].set(np.where(np.arange(32) == 5, np.nan, 0.0) + np.zeros((16, 1)))
    core.state[0].set(0.0)
    assert trouble(core).text == "the eastward velocity is not finite in row 0, column 5"


@pytest.mark.ranks
@pytest.mark.parametrize(("state", "counted"), [("fp64", "fp64"), ("fp32", "fp16")])
def test_the_ledger_has_the_filter_and_the_arithmetic_of_the_stages(comm, core_of, state, counted):
    roles = Roles(state=state, inner="fp16")
    _, core = core_of(comm, "williamson2", (24, 48), 60.0, filter_rad=1.0, roles=roles)
    core.space.ledger.counts.clear()
    core.step()
    work = core.space.ledger.to_dict()
    stages = {name: one["flops"] for name, one in work["stage"].items()}
    assert max(stages, key=stages.get) == counted
    # Beyond 1 rad lie 8 rows of cells and 9 of southern faces: three stages read and write them in 2 bytes.
    filtered = comm.allreduce(work.get("filter", {}).get("fp64", {}).get("bytes", 0))
    assert filtered == 3 * (8 + 8 + 9) * 48 * 2 * 2


@pytest.mark.parametrize("scheme", ["ab2", "ssprk3"])
def test_a_state_of_another_precision_is_scaled_anew(alone, scheme):
    _, wide = stepped(alone, 5, "williamson6", (16, 32), 50.0, scheme=scheme)
    _, narrow = core_of(alone, "williamson6", (16, 32), 50.0, scheme=scheme, roles=Roles(inner="fp16"))
    chosen = narrow.scales
    narrow.restore(*wide.saved())
    assert wide.scales == (1.0, 1.0, 1.0) != narrow.scales
    # A flow that hardly changes has increments of the size of those at its beginning.
    assert all(0.5 <= now / then <= 2 for now, then in zip(narrow.scales, chosen, strict=True))
    change = wide.height()
    for core in (wide, narrow):
        for _ in range(5):
            core.step()
    change = np.abs(wide.height() - change).max()
    # FP16 rounds increments to half of 2**-11, in each of 15 stages at most.
    assert np.abs(wide.height() - narrow.height()).max() < 15 * 2.0**-11 * change


@pytest.mark.parametrize("name", ["williamson5", "turbulence"])
def test_a_state_in_fp32_keeps_its_mass_to_rounding_of_fp64(alone, name):
    _, core = core_of(alone, name, (16, 32), 50.0, roles=Roles(state="fp32", inner="fp16"))
    begin, surface = diagnostics.invariants(core)["volume"], core.volume()
    for _ in range(20):
        core.step()
    lost = diagnostics.invariants(core)["volume"] / begin - 1
    core.restore_volume(surface)
    left = abs(diagnostics.invariants(core)["volume"] / begin - 1)
    heights = np.abs(core.state[0].to_numpy()).astype(np.float32)
    finest = float(np.min(np.spacing(heights) * core.geometry.area_m2[:, None])) / begin
    # Half a unit of the last place of the cell that takes the rest, which that may raise; sums round once each.
    assert left <= 2 * finest + 8 * 2.0**-53 < abs(lost) / 10
