"""The energy balance climate model on the blocks of a Cartesian grid: implicit heat on the sphere with seasons."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mpsolve.models.base import DiffusiveModel
from mpsolve.models.earth.coefficients import REFERENCE_CO2_PPM, EarthCoefficients, earth_coefficients
from mpsolve.models.earth.grid import SphereGrid
from mpsolve.models.earth.insolation import Orbit, insolation_year
from mpsolve.models.earth.surface import Surface
from mpsolve.operators.diffusion import Coefficients
from mpsolve.parallel.cartesian import Cartesian

#: Time steps a year of the published model.
STEPS_PER_YEAR = 48


@dataclass(frozen=True)
class Scenario:
    """What may be changed about the Earth.

    Attributes
    ----------
    co2_ppm : float
        CO2 in parts per million by volume.
    orbit : Orbit
        Shape and tilt of the orbit, and the solar constant.
    """

    co2_ppm: float = REFERENCE_CO2_PPM
    orbit: Orbit = field(default_factory=Orbit)


class EarthModel(DiffusiveModel):
    """Surface temperature of the Earth: C dT/dt = div(D grad T) - (A + B T) + Q (1 - albedo), times the cell area.

    Time is in years since the vernal equinox. Coefficients are computed on the whole grid by every rank and then cut,
    so that they do not depend on the division.

    Parameters
    ----------
    surface : Surface
        The map.
    sphere : SphereGrid
        The global grid.
    scenario : Scenario
        CO2 and orbit.
    grid : Cartesian
        Its division; axes latitude and longitude, the second one periodic.
    """

    quantity, unit, time_unit = "temperature", "degrees_C", "year"

    def __init__(self, surface: Surface, sphere: SphereGrid, scenario: Scenario, grid: Cartesian) -> None:
        self.surface, self.sphere, self.grid = surface, sphere, grid
        earth = earth_coefficients(surface, sphere, scenario.co2_ppm)
        rows, columns = grid.slices
        self.coefficients = self._cut(earth)
        area = earth.area[rows, None]
        self.mass = area * earth.heat_capacity[rows, columns]
        self._absorbed = area * (1.0 - earth.albedo[rows, columns])
        self._outgoing = area * earth.outgoing
        self._insolation = insolation_year(scenario.orbit, sphere.lat_rad, STEPS_PER_YEAR)[:, rows]
        self.weights = np.broadcast_to(sphere.weights[rows, None], grid.shape)

    def _cut(self, earth: EarthCoefficients) -> Coefficients:
        """Return this rank's faces and the reaction B times the area."""
        (low, left), (high, right) = self.grid.lo, self.grid.hi
        north_south = earth.faces.north_south[low : high + 1, left:right]
        east_west = earth.faces.east_west[low:high, left : right + 1]
        reaction = np.repeat(earth.area[low:high, None] * earth.outgoing_slope, right - left, axis=1)
        return Coefficients((np.array(north_south), np.array(east_west)), reaction)

    def source(self, time: float) -> NDArray[np.float64]:
        """Return absorbed sunlight less the constant part of the outgoing radiation, at a time in years."""
        step = round(time * STEPS_PER_YEAR) % STEPS_PER_YEAR
        return self._absorbed * self._insolation[step][:, None] - self._outgoing

    def mean_source(self) -> NDArray[np.float64]:
        """Return the mean of `source` over a year."""
        return self._absorbed * np.mean(self._insolation, axis=0)[:, None] - self._outgoing

    def initial(self) -> NDArray[np.float64]:
        """Return local radiative balance of the annual mean, the start of the steady solve."""
        return self.mean_source() / self.coefficients.reaction

    def exact(self, time: float) -> None:
        """Return None: there is no analytic solution."""
