"""The climate model on the blocks of a divided grid: the same numbers for any division, and a balanced budget."""

import json
from pathlib import Path

import numpy as np
import pytest

from mpsolve import lookup
from mpsolve.ledger import Ledger
from mpsolve.models.earth.coefficients import OUTGOING_SLOPE, earth_coefficients, outgoing_radiation
from mpsolve.models.earth.grid import SphereGrid
from mpsolve.models.earth.insolation import insolation_year
from mpsolve.models.earth.model import STEPS_PER_YEAR, EarthModel, Scenario
from mpsolve.models.earth.surface_file import default_surface_path, read_surface
from mpsolve.operators.diffusion import Diffusion
from mpsolve.parallel.cartesian import Cartesian
from mpsolve.parallel.reductions import total
from mpsolve.parallel.space import Space
from mpsolve.precision import get_format
from mpsolve.solvers.refinement import RefinementSolver
from mpsolve.solvers.refinement_options import RefinementOptions

REFERENCE = json.loads(Path(__file__).with_name("reference_64x32.json").read_text())
RTOL = 1e-13
pytestmark = pytest.mark.ranks


@pytest.fixture(scope="module")
def surface():
    return read_surface(default_surface_path())


@pytest.fixture
def make(surface):
    """Return a function that sets the model up on a communicator."""

    def model(comm, sphere=None, scenario=None):
        sphere = sphere or SphereGrid.cells(32, 64)
        grid = Cartesian.create(comm, sphere.shape, (False, True), split=(True, False))
        return EarthModel(surface, sphere, scenario or Scenario(), grid)

    return model


def steady(model):
    """Solve for the climate of the mean source."""
    space = Space(model.grid.comm, lookup.find("backends", "reference").create(1), model.grid.shape, 1, Ledger())
    operator = Diffusion(model.grid, space, model.coefficients, get_format("fp64"))
    solver = RefinementSolver(operator, RefinementOptions(rtol=RTOL, accumulate="fp64"))
    solver.right_hand_side.set(model.mean_source())
    solver.solution.set(model.initial())
    assert solver.solve().converged
    return solver.solution.to_numpy()


@pytest.mark.parametrize("name", ["mass", "weights"])
def test_the_blocks_are_those_of_the_whole_model(comm, alone, make, whole, name):
    divided, single = make(comm), make(alone)
    assert np.array_equal(whole(divided.grid, getattr(divided, name)), getattr(single, name))


def test_the_faces_are_those_of_the_whole_model(comm, alone, make):
    divided, single = make(comm), make(alone)
    (low, _), (high, _) = divided.grid.lo, divided.grid.hi
    for axis, rows in enumerate((slice(low, high + 1), slice(low, high))):
        assert np.array_equal(divided.coefficients.faces[axis], single.coefficients.faces[axis][rows])


@pytest.mark.parametrize("step", [0, 13, 47])
def test_the_source_is_that_of_the_whole_model_at_every_season(comm, alone, make, whole, step):
    divided, single = make(comm), make(alone)
    at = step / STEPS_PER_YEAR
    assert np.array_equal(whole(divided.grid, divided.source(at)), single.source(at))


def test_the_source_is_absorbed_sunlight_less_outgoing_radiation(alone, make, surface):
    sphere = SphereGrid.cells(32, 64)
    parts, sun = earth_coefficients(surface, sphere), insolation_year(Scenario().orbit, sphere.lat_rad, STEPS_PER_YEAR)
    expected = parts.area[:, None] * (sun[12][:, None] * (1 - parts.albedo) - parts.outgoing)
    # One product is associated differently: two roundings of absorbed sunlight.
    bound = 4 * np.finfo(float).eps * parts.area[:, None] * (sun[12][:, None] + parts.outgoing)
    assert np.all(np.abs(make(alone).source(0.25) - expected) <= bound)


def test_the_year_repeats_itself(comm, make):
    model = make(comm)
    assert np.array_equal(model.source(0.0), model.source(3.0))


def test_the_mean_source_is_the_mean_of_the_sources_of_a_year(comm, make):
    model = make(comm)
    sources = [model.source(step / STEPS_PER_YEAR) for step in range(STEPS_PER_YEAR)]
    bound = 2 * STEPS_PER_YEAR * np.finfo(float).eps * np.max(np.abs(sources), axis=0)
    assert np.all(np.abs(np.mean(sources, axis=0) - model.mean_source()) <= bound)


def test_the_start_is_in_local_radiative_balance(comm, make):
    model = make(comm)
    assert np.allclose(model.coefficients.reaction * model.initial(), model.mean_source(), rtol=1e-15, atol=0)


def test_everything_that_must_be_positive_is(comm, make):
    model = make(comm, SphereGrid.nodes(33, 64))
    assert np.min(model.mass) > 0
    assert np.min(model.coefficients.reaction) > 0
    assert all(np.min(face) >= 0 for face in model.coefficients.faces)
    assert total(comm, model.weights) == pytest.approx(1.0, abs=1e-14)
    assert model.exact(0.0) is None


def test_the_steady_climate_is_the_reference(comm, make):
    model = make(comm)
    climate = steady(model)
    # The condition number is about 4000 and the largest temperature 33 degrees C; the reference has nine decimals.
    bound = RTOL * 4000 * 33 + 1e-9
    assert total(comm, climate * model.weights) == pytest.approx(REFERENCE["global_annual_mean_c"], abs=bound)


def test_the_planet_radiates_what_it_absorbs(comm, make):
    model = make(comm)
    climate = steady(model)
    absorbed_less_constant = total(comm, model.mean_source())
    # Diffusion moves heat and makes none: 4 pi B mean(T) = mean source.
    radiated = 4 * np.pi * OUTGOING_SLOPE * total(comm, climate * model.weights)
    assert radiated == pytest.approx(absorbed_less_constant, rel=1e-9)


def test_doubled_carbon_dioxide_warms_every_place_alike(comm, make):
    warming = steady(make(comm, scenario=Scenario(co2_ppm=630.0))) - steady(make(comm))
    expected = (outgoing_radiation(315.0) - outgoing_radiation(630.0)) / OUTGOING_SLOPE
    assert np.abs(warming - expected).max() <= 2 * RTOL * 4000 * 33 + 1e-9
