"""The forward-backward stepper: order two, and stable to the limit of its entry, which other three stages are not."""

import numpy as np
import pytest

from mpsolve.models.shallow_water.stages import SCHEMES


def amplification(scheme, wave, flow):
    """Return the largest growth in a step of waves ``h' = -i (wave u + flow h), u' = -i (wave h + flow u)``."""
    stages = SCHEMES[scheme].stages
    old = np.eye(2, dtype=complex)
    made = {}
    for stage in stages:
        given = made.get(stage.source, np.zeros((2, 2), complex))
        here = old + given
        height = stage.keep * given[0] + stage.advance * -1j * (wave * here[1] + flow * here[0])
        new, middle = stage.forward or (0.0, 1.0)
        felt = old[0] + middle * given[0] + new * height
        speed = stage.keep * given[1] + stage.advance * -1j * (wave * felt + flow * here[1])
        made[stage.target] = np.array([height, speed])
    return np.abs(np.linalg.eigvals(old + made[-1])).max()


@pytest.mark.parametrize("scheme", ["fb_rk32", "rk32", "ssprk3"])
@pytest.mark.parametrize("part", [0.0, 0.05, 0.1, 0.15, 0.2, 0.25])
def test_waves_do_not_grow_below_the_limit(scheme, part):
    for total in np.linspace(0.02, SCHEMES[scheme].limit, 60):
        wave = total / (1 + part)
        assert amplification(scheme, wave, part * wave) <= 1 + 1e-7


def test_forward_backward_steps_are_half_as_long_again_as_those_of_three_stages():
    assert SCHEMES["fb_rk32"].limit > 1.5 * SCHEMES["ssprk3"].limit
    # Without the weights the same stages grow there.
    assert amplification("rk32", SCHEMES["fb_rk32"].limit, 0.0) > 1.5


def test_the_long_step_is_stable_on_the_sphere_where_three_stages_are_not(alone, core_of):
    heights = {}
    for scheme in ("fb_rk32", "rk32"):
        model, _ = core_of(alone, "williamson6", (16, 32), 1.0, filter_rad=1.0)
        dt_s = 0.97 * model.largest_dt_s("fb_rk32")
        assert dt_s > 1.55 * model.largest_dt_s("rk32")
        _, core = core_of(alone, "williamson6", (16, 32), dt_s, filter_rad=1.0, scheme=scheme)
        for _ in range(int(3 * 86400 / dt_s)):
            core.step()
        with np.errstate(all="ignore"):
            heights[scheme] = np.abs(core.height()).max()
    assert heights["fb_rk32"] < 12000
    assert not heights["rk32"] < 12000


def test_forward_backward_steps_are_of_order_two(alone, stepped):
    _, exact = stepped(alone, 240, "williamson6", (16, 32), 20.0, scheme="rk4")
    errors = []
    for dt_s, count in ((240.0, 20), (120.0, 40)):
        _, core = stepped(alone, count, "williamson6", (16, 32), dt_s, scheme="fb_rk32")
        errors.append(np.abs(core.height() - exact.height()).max())
    assert 3.5 < errors[0] / errors[1] < 4.6
