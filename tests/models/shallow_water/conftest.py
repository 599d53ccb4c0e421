"""Cores of the shallow-water tests."""

import pytest

from mpsolve import lookup
from mpsolve.ledger import Ledger
from mpsolve.models.shallow_water.model import ShallowWaterModel
from mpsolve.models.shallow_water.stepping import HALO
from mpsolve.parallel.cartesian import Cartesian
from mpsolve.precision import Roles

NOWHERE = 1.6


@pytest.fixture
def core_of():
    """Return a function that makes the model of a problem and a core in its initial state."""

    def make(comm, problem, shape, dt_s, *, angle=0.0, filter_rad=NOWHERE, backend="reference", roles=None, **more):
        if isinstance(problem, str):
            problem = lookup.find("models.shallow_water.problems", problem).create(shape, angle)
        made = problem
        grid = Cartesian.create(comm, shape, (made.geometry.periodic, True), halo=HALO, split=(True, False))
        model = ShallowWaterModel(made, grid, filter_rad)
        method = {"fluxes": "energy", "scheme": "ssprk3", "drag_per_s": 0.0, "viscosity_m2_s": -1.0} | more
        backend = lookup.find("backends", backend).create(1) if isinstance(backend, str) else backend
        return model, model.core(backend, Ledger(), roles or Roles(), dt_s=dt_s, **method)

    return make


@pytest.fixture
def stepped(core_of):
    """Return a function that does some steps of a core."""

    def run(comm, count, *arguments, **options):
        model, core = core_of(comm, *arguments, **options)
        for _ in range(count):
            core.step()
        return model, core

    return run
