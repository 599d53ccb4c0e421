"""Stages in parts: the same tendency as in one pass, a format a term, friction of either order, a carried bell."""

import numpy as np
import pytest

from mpsolve.models.shallow_water import diagnostics
from mpsolve.models.shallow_water.geometry import plane
from mpsolve.models.shallow_water.method import FLUXES, TermFormats
from mpsolve.models.shallow_water.problems.base import Problem, nothing
from mpsolve.precision import Roles

WIDE = TermFormats(vorticity="fp64")


def parts_of(core):
    return [field.to_numpy() for field in core.state]


@pytest.mark.parametrize("fluxes", FLUXES)
@pytest.mark.parametrize("problem", ["williamson5", "galewsky"])
def test_terms_in_arrays_of_fp64_change_nothing_but_the_order_of_sums(alone, stepped, problem, fluxes):
    options = {"fluxes": fluxes, "filter_rad": 1.0}
    _, one = stepped(alone, 3, problem, (16, 32), 60.0, **options)
    _, many = stepped(alone, 3, problem, (16, 32), 60.0, terms=WIDE, **options)
    for found, expected in zip(parts_of(many), parts_of(one), strict=True):
        # Each of nine stages adds a few dozen rounded products of the size of 1e4 times the change they make.
        assert np.abs(found - expected).max() <= 1e-12 * max(np.abs(expected).max(), 1.0)


@pytest.mark.parametrize(
    "terms",
    [
        TermFormats(continuity="fp16"),
        TermFormats(vorticity="fp16"),
        TermFormats(kinetic_energy="fp16"),
        TermFormats(diffusion="fp16"),
    ],
)
def test_each_term_is_rounded_to_its_own_format(alone, stepped, terms):
    _, exact = stepped(alone, 5, "galewsky", (16, 32), 60.0)
    _, low = stepped(alone, 5, "galewsky", (16, 32), 60.0, terms=terms)
    moved = np.abs(exact.height() - low.height()).max()
    # A term in FP16 is off by 2^-11 of itself; five steps change the height by a few hundred metres.
    assert 1e-12 < moved < 2.0**-11 * 300


@pytest.mark.parametrize("fluxes", ["energy", "arakawa_lamb"])
def test_vorticity_does_not_sink_below_the_smallest_number_of_fp16(alone, stepped, fluxes):
    # At 2e-8 / (m s) it lies below 6e-8, so that without a scale there would be no Coriolis force.
    terms = TermFormats(vorticity="fp16") if fluxes == "energy" else TermFormats()
    roles = Roles(inner="fp16")
    _, exact = stepped(alone, 20, "williamson2", (16, 32), 200.0, fluxes=fluxes)
    _, low = stepped(alone, 20, "williamson2", (16, 32), 200.0, fluxes=fluxes, roles=roles, terms=terms)
    off = diagnostics.relative_norms(low, low.height(), exact.height())[1]
    assert off < 2.0**-11 * 0.1


def wave(hyperviscosity_m4_s=0.0, viscosity_m2_s=0.0, shape=(16, 16)):
    """Return a doubly periodic shear flow at rest in height, without rotation: friction alone acts on it."""
    length = 1.6e6
    geometry = plane(shape, (length, length), 0.0, 0.0, walls=False)
    k = 2 * np.pi / length
    return Problem(
        geometry, 9.8, lambda y, x: 1000.0 + nothing(y, x), lambda y, x: np.sin(k * y) + 0 * x, nothing,
    )  # fmt: skip


@pytest.mark.parametrize("order", [2, 4])
def test_friction_of_either_order_damps_a_wave_at_its_own_rate(alone, stepped, order):
    dx, steps, dt_s = 1e5, 20, 100.0
    # The wave of the grid: the Laplacian multiplies it by minus this.
    squared = (2 / dx * np.sin(np.pi / 16)) ** 2
    # The shortest wave decays 50 times as fast, or 2800 times.
    rate = 1e-4 if order == 2 else 1e-6
    options = {"viscosity_m2_s": rate / squared} if order == 2 else {"hyperviscosity_m4_s": rate / squared**2}
    options = {"viscosity_m2_s": 0.0} | options
    model, core = stepped(alone, steps, wave(), (16, 16), dt_s, scheme="rk4", **options)
    left = core.state[1].to_numpy() / np.where(np.abs(model.eastward) > 0.1, model.eastward, np.inf)
    left = left[np.abs(model.eastward) > 0.1]
    # The classical method leaves a relative error of (rate dt)^5 / 120 a step.
    assert np.abs(left / np.exp(-rate * dt_s * steps) - 1).max() <= steps * (rate * dt_s) ** 5 / 120 + 1e-12
    assert not np.allclose(left, 1.0)


def test_hyperviscosity_limits_the_step(core_of, alone):
    model, _ = core_of(alone, wave(), (16, 16), 100.0)
    free = model.largest_dt_s("rk4")
    # 2.78 over the rate of the shortest wave, nu (8 / dx^2)^2.
    strong = 1e16
    limit = 2.78 / (strong * (8 / 1e10) ** 2)
    assert model.largest_dt_s("rk4", 0.0, strong) == pytest.approx(1 / np.hypot(1 / free, 1 / limit))


@pytest.mark.parametrize("angle", [0.0, np.pi / 4, np.pi / 2])
def test_a_carried_bell_keeps_its_mass_and_its_velocities_and_converges(alone, core_of, angle):
    errors = []
    for shape, dt_s, count in (((32, 64), 600.0, 48), ((64, 128), 150.0, 192)):
        model, core = core_of(alone, "williamson1", shape, dt_s, angle=angle)
        before = core.volume()
        for _ in range(count):
            core.step()
        truth = model.answer(count * dt_s)
        errors.append(diagnostics.relative_norms(core, core.height(), truth)[1])
        assert np.array_equal(core.state[1].to_numpy(), model.eastward)
        # Fluxes cancel in pairs; each stage rounds every cell once, by at most 2^-53 of a thousand metres.
        everywhere = float(np.sum(model.problem.geometry.area_m2)) * shape[1]
        assert abs(core.volume() - before) <= 3 * count * 2.0**-53 * 1000 * everywhere
    # The bell has no second derivative at its edge: order 3/2 there, 2 inside.
    assert 2.0**1.4 < errors[0] / errors[1] < 2.0**2.6


def test_the_flow_of_the_bell_keeps_a_uniform_height(alone, core_of):
    model, core = core_of(alone, "williamson1", (16, 32), 600.0, angle=0.7)
    core.set_state(np.full((16, 32), 500.0), model.eastward, model.northward)
    for _ in range(10):
        core.step()
    # Fluxes through the faces of a cell cancel but for rounding, the largest of which are polar.
    assert np.abs(core.height() - 500.0).max() < 1e-9


@pytest.mark.ranks
@pytest.mark.parametrize(
    ("problem", "more"),
    [
        ("williamson5", {"scheme": "fb_rk32", "filter_rad": 1.0, "roles": Roles(inner="fp16")}),
        ("turbulence", {"scheme": "fb_rk32", "terms": TermFormats("fp32", "bf16", "fp32", "bf16")}),
        ("turbulence", {"hyperviscosity_m4_s": 1e15, "roles": Roles(state="fp32", inner="fp32")}),
        ("williamson1", {"angle": 0.7}),
    ],
)
def test_the_number_of_ranks_changes_no_bit(world, alone, whole, stepped, problem, more):
    _, one = stepped(alone, 4, problem, (33, 32), 60.0, **more)
    _, many = stepped(world, 4, problem, (33, 32), 60.0, **more)
    for found, expected in zip(many.state, one.state, strict=True):
        assert np.array_equal(whole(many.grid, found.to_numpy()), expected.to_numpy())


def test_every_backend_has_the_bits_of_numpy(alone, stepped):
    import emulation

    options = {"roles": Roles(inner="fp16"), "filter_rad": 1.0, "scheme": "fb_rk32", "hyperviscosity_m4_s": 1e14}
    options |= {"terms": TermFormats(continuity="fp32", kinetic_energy="fp16")}
    _, expected = stepped(alone, 2, "williamson5", (16, 32), 60.0, **options)
    for backend in ("cpu", emulation.backend()):
        _, found = stepped(alone, 2, "williamson5", (16, 32), 60.0, backend=backend, **options)
        assert np.array_equal(found.height(), expected.height())
