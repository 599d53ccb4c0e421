"""The pieces together: the steady climate and a year of the model against the reference figures."""

import json
from pathlib import Path

import numpy as np
import pytest

from mpsolve.models.earth.climatology import global_mean, monthly_means, summary
from mpsolve.models.earth.coefficients import earth_coefficients
from mpsolve.models.earth.grid import SphereGrid
from mpsolve.models.earth.insolation import Orbit, insolation_year
from mpsolve.models.earth.surface_file import default_surface_path, read_surface

REFERENCE = json.loads(Path(__file__).with_name("reference_64x32.json").read_text())
EPSILON = np.finfo(np.float64).eps


class DenseModel:
    """The model with dense matrices: diffusion and reaction L, heat capacity C and forcing F, all times the area."""

    def __init__(self, grid, co2_ppm=315.0, steps=48):
        self.grid, self.steps = grid, steps
        parts = earth_coefficients(read_surface(default_surface_path()), grid, co2_ppm)
        area = np.broadcast_to(parts.area[:, None], grid.shape)
        self.operator = self._diffusion(parts.faces) - np.diag(parts.outgoing_slope * area.ravel())
        self.capacity = (area * parts.heat_capacity).ravel()
        sun = insolation_year(Orbit(), grid.lat_rad, steps)
        absorbed = sun[:, :, None] * (1 - parts.albedo)
        self.forcing = ((absorbed - parts.outgoing) * area).reshape(steps, -1)

    def _diffusion(self, faces):
        rows, columns = self.grid.shape
        index = np.arange(rows * columns).reshape(rows, columns)
        matrix = np.zeros((index.size, index.size))
        links = [(index[:-1], index[1:], faces.north_south[1:-1])]
        links.append((np.roll(index, 1, axis=1), index, faces.east_west[:, :-1]))
        for first, second, coefficient in links:
            for a, b in ((first, second), (second, first)):
                matrix[a, b] += coefficient
                matrix[a, a] -= coefficient
        return matrix

    def steady(self):
        """Annual mean climate, shape of the grid."""
        return np.linalg.solve(-self.operator, self.forcing.mean(axis=0)).reshape(self.grid.shape)

    def year_states(self):
        """States of the equilibrium year: the fixed point of the map of a year, shape (steps, n, m)."""
        implicit = np.diag(self.capacity * self.steps) - self.operator / 2
        explicit = np.diag(self.capacity * self.steps) + self.operator / 2
        advance = np.linalg.solve(implicit, explicit)
        source = np.linalg.solve(implicit, (self.forcing + np.roll(self.forcing, -1, axis=0)).T / 2).T
        reached = np.zeros_like(self.capacity)
        for step in range(self.steps):
            reached = advance @ reached + source[step]
        full_year = np.linalg.matrix_power(advance, self.steps)
        states = [np.linalg.solve(np.eye(len(reached)) - full_year, reached)]
        for step in range(self.steps - 1):
            states.append(advance @ states[-1] + source[step])
        return np.array(states).reshape(self.steps, *self.grid.shape)


@pytest.fixture(scope="module")
def steady():
    """The steady climate on 64 x 32 cells."""
    return DenseModel(SphereGrid.cells(REFERENCE["n_lat"], REFERENCE["n_lon"])).steady()


def test_the_global_annual_mean_is_the_reference(steady):
    weights = SphereGrid.cells(32, 64).weights
    # The reference has nine decimals; the condition number, about 4000, times eps times 30 degrees is below that.
    assert abs(global_mean(steady, weights) - REFERENCE["global_annual_mean_c"]) <= 1e-8


def test_the_annual_mean_at_sample_cells_is_the_reference(steady):
    for sample in REFERENCE["annual_mean_samples"]:
        assert abs(steady[sample["row"], sample["column"]] - sample["temperature_c"]) <= 1e-8


def test_the_planet_radiates_what_it_absorbs(steady):
    grid = SphereGrid.cells(32, 64)
    parts = earth_coefficients(read_surface(default_surface_path()), grid)
    sun = insolation_year(Orbit(), grid.lat_rad).mean(axis=0)[:, None]
    absorbed = global_mean(sun * (1 - parts.albedo), grid.weights)
    radiated = parts.outgoing + parts.outgoing_slope * global_mean(steady, grid.weights)
    assert abs(absorbed - radiated) <= 1e-9


def test_doubled_co2_warms_everywhere_by_forcing_over_b(steady):
    warming = DenseModel(SphereGrid.cells(32, 64), co2_ppm=630.0).steady() - steady
    assert np.abs(warming - REFERENCE["doubled_co2_warming_k"]).max() <= 1e-8


@pytest.mark.parametrize("grid", [SphereGrid.cells(12, 24), SphereGrid.nodes(13, 24)], ids=lambda grid: grid.kind)
def test_the_mean_of_the_equilibrium_year_is_the_steady_climate(grid):
    # The model is linear and the trapezoidal rule telescopes over a year that repeats.
    model = DenseModel(grid)
    states = model.year_states()
    assert np.abs(states.mean(axis=0) - model.steady()).max() <= 1e-8


def test_seasons_are_those_of_the_earth():
    grid = SphereGrid.cells(18, 36)
    months = monthly_means(DenseModel(grid).year_states())
    facts = summary(months, grid)
    siberia = months[:, np.abs(grid.lat - 65.0).argmin(), np.abs(grid.lon - 105.0).argmin()]
    southern_ocean = months[:, np.abs(grid.lat + 45.0).argmin(), np.abs(grid.lon + 135.0).argmin()]
    # Land swings by tens of degrees and is coldest soon after the solstice, the ocean by a few and months later.
    assert siberia.argmin() in (0, 1)
    assert np.ptp(siberia) > 30
    assert np.ptp(southern_ocean) < 8
    assert facts["global_july_mean_c"] > facts["global_january_mean_c"] + 1
