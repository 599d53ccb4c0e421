"""The FP64 defect step removes rounding; the energy can be corrected; what is wrong is named with its term."""

import numpy as np
import pytest

from mpsolve.models.shallow_water import diagnostics
from mpsolve.models.shallow_water.defect import Defect
from mpsolve.models.shallow_water.trouble import Trouble, largest_term
from mpsolve.precision import Roles

STEPS = 60


def rounding(alone, core_of, every, **more):
    """Return the distance from FP64 after some steps, with a defect step every so many, and the defect."""
    options = {"roles": Roles(inner="bf16"), "filter_rad": 1.0} | more
    _, exact = core_of(alone, "williamson5", (16, 32), 300.0, **options | {"roles": Roles()})
    _, core = core_of(alone, "williamson5", (16, 32), 300.0, **options)
    _, twin = core_of(alone, "williamson5", (16, 32), 300.0, **options | {"roles": Roles()})
    defect = Defect(core, twin)
    for number in range(STEPS):
        exact.step()
        defect.step() if every and (number + 1) % every == 0 else core.step()
    return diagnostics.relative_norms(core, core.height(), exact.height())[1], defect


@pytest.mark.parametrize("scheme", ["ssprk3", "fb_rk32"])
def test_each_defect_step_removes_its_part_of_the_rounding(alone, core_of, scheme):
    none, _ = rounding(alone, core_of, 0, scheme=scheme)
    half, defect = rounding(alone, core_of, 2, scheme=scheme)
    every, _ = rounding(alone, core_of, 1, scheme=scheme)
    # Errors of single steps that are independent of each other add up like their root.
    assert half < 0.9 * none
    assert every < 1e-13
    assert defect.steps == STEPS // 2
    assert abs(defect.persistence) < 0.5


def test_the_defect_is_that_of_a_step(alone, core_of):
    _, defect = rounding(alone, core_of, 2)
    # An increment in BF16 is off by up to 2^-9 of itself; a step moves a hundredth of the flow's energy or less.
    assert 1e-9 < defect.drift < 2.0**-9


def test_the_energy_is_what_it_was_after_its_correction(alone, stepped):
    _, core = stepped(alone, 0, "williamson6", (16, 32), 100.0, roles=Roles(inner="fp16"))
    before = diagnostics.invariants(core)["energy"]
    for _ in range(20):
        core.step()
    assert abs(diagnostics.invariants(core)["energy"] / before - 1) > 1e-12
    diagnostics.restore_energy(core, before)
    assert abs(diagnostics.invariants(core)["energy"] / before - 1) < 8 * 2.0**-53


@pytest.mark.ranks
def test_the_largest_term_is_found_on_whichever_rank_it_lies(world, core_of):
    model, core = core_of(world, "williamson2", (33, 32), 60.0)
    rows = np.arange(core.grid.lo[0], core.grid.hi[0])[:, None]
    height = model.height + np.where(rows == 20, 1000.0, 0.0)
    core.set_state(height, model.eastward, model.northward)
    text = largest_term(core, Trouble("", "northward velocity", 20, 5))
    assert text.startswith("the largest term there a step before is the pressure gradient, -")
    # Of 1000 m over a row of the grid; the slope that balances the flow, f u = 2e-3 m/s2, goes the other way.
    size = float(text.split(", ")[1].split()[0])
    assert size == pytest.approx(-model.problem.gravity_m_s2 * 1000.0 / model.problem.geometry.dy_m, rel=0.15)
