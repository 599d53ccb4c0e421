"""Climatology: weights of the months, means by area, and the hottest and coldest places."""

import numpy as np
import pytest

from mpsolve.errors import ShapeError
from mpsolve.models.earth import climatology
from mpsolve.models.earth.climatology import Place
from mpsolve.models.earth.grid import SphereGrid

EPSILON = np.finfo(np.float64).eps


@pytest.mark.parametrize("steps", [1, 12, 48, 365])
def test_the_weights_of_each_month_sum_to_one(steps):
    assert np.abs(climatology.month_weights(steps).sum(axis=1) - 1).max() <= 8 * EPSILON


@pytest.mark.parametrize("steps", [1, 12, 48, 365])
def test_each_step_counts_alike_in_the_year(steps):
    days = np.array(climatology.DAYS) / sum(climatology.DAYS)
    assert np.abs(days @ climatology.month_weights(steps) * steps - 1).max() <= 1e-12


def test_the_year_starts_in_march():
    assert climatology.MONTHS[int(climatology.month_weights(48)[:, 0].argmax())] == "Mar"


def test_the_northern_summer_solstice_is_in_june():
    assert climatology.MONTHS[int(climatology.month_weights(48)[:, 12].argmax())] == "Jun"


def test_a_warm_step_in_january_warms_january_only():
    fields = np.zeros((48, 2, 3))
    fields[40] = 1.0  # 304 days after the equinox: 18 January
    months = climatology.monthly_means(fields)
    assert months[0].min() > 0.2
    assert not months[1:].any()


def test_step_by_step_gives_what_the_whole_year_gives():
    fields = np.random.default_rng(1).normal(size=(48, 3, 4))
    means = climatology.MonthlyMeans((3, 4), 48)
    for step in range(1, 49):
        means.add(step, fields[step % 48])
    assert np.abs(means.months - climatology.monthly_means(fields)).max() <= 48 * 4 * EPSILON


def test_the_annual_mean_of_the_months_is_that_of_the_steps():
    fields = np.random.default_rng(2).normal(size=(48, 3, 4))
    year = climatology.annual_mean(climatology.monthly_means(fields))
    assert np.abs(year - fields.mean(axis=0)).max() <= 100 * EPSILON


@pytest.mark.parametrize("make", [SphereGrid.cells, SphereGrid.nodes])
def test_the_global_mean_of_a_constant_is_the_constant(make):
    grid = make(33, 64)
    assert climatology.global_mean(np.full(grid.shape, 15.0), grid.weights) == pytest.approx(15.0, rel=1e-14)


def test_the_global_mean_weighs_by_area():
    grid = SphereGrid.cells(180, 36)
    field = np.broadcast_to(np.sin(grid.lat_rad)[:, None] ** 2, grid.shape)
    # The mean of sin^2 over the sphere is 1/3; the midpoint rule is off by about (pi / 180)^2 / 24 of it.
    assert climatology.global_mean(field, grid.weights) == pytest.approx(1 / 3, abs=(np.pi / 180) ** 2)


def test_weights_of_another_grid_are_refused():
    with pytest.raises(ShapeError, match=r"shape \(4, 8\) does not fit 5 weights"):
        climatology.global_mean(np.zeros((4, 8)), np.ones(5))


def _months(grid):
    """A year that is hottest in one cell in July and coldest in another in January."""
    months = np.zeros((12, *grid.shape))
    months[6, 5, 2] = 31.0
    months[0, 6, 12] = -42.0
    return months


def test_the_hottest_place_is_found_with_its_month():
    grid = SphereGrid.cells(8, 16)
    expected = Place(31.0, grid.lat[5], grid.lon[2], "Jul")
    assert climatology.hottest(_months(grid), grid) == expected


def test_the_coldest_place_is_found_with_its_month():
    grid = SphereGrid.cells(8, 16)
    expected = Place(-42.0, grid.lat[6], grid.lon[12], "Jan")
    assert climatology.coldest(_months(grid), grid) == expected


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (Place(-41.25, 67.5, 133.6, "Jan"), "-41.2 C at 67.5 N 133.6 E in Jan"),
        (Place(32.0, -8.4, -59.1), "32.0 C at 8.4 S 59.1 W"),
        (Place(-40.0, -90.0, 12.0, "Aug"), "-40.0 C at the South Pole in Aug"),
    ],
)
def test_a_place_is_written_as_a_scientist_would(place, text):
    assert str(place) == text


def test_the_seasonal_range_is_warmest_minus_coldest():
    grid = SphereGrid.cells(8, 16)
    assert climatology.seasonal_range(_months(grid))[6, 12] == 42.0


def test_the_zonal_mean_cycle_has_a_row_per_month():
    grid = SphereGrid.cells(8, 16)
    cycle = climatology.zonal_mean(_months(grid))
    assert cycle.shape == (12, 8)
    assert cycle[6, 5] == 31.0 / 16


@pytest.mark.parametrize("make", [SphereGrid.cells, SphereGrid.nodes])
def test_hemispheres_split_at_the_equator(make):
    grid = make(9, 16)
    months = np.broadcast_to(np.where(grid.lat > 0, 2.0, np.where(grid.lat < 0, -1.0, 0.5))[:, None], (12, *grid.shape))
    summary = climatology.summary(months, grid)
    half = np.diff(np.sin(grid.lat_edges))[4] / 2
    assert summary["northern_annual_mean_c"] == pytest.approx(2.0 - 1.5 * half, rel=1e-13)
    assert summary["southern_annual_mean_c"] == pytest.approx(-1.0 + 1.5 * half, rel=1e-13)


def test_the_summary_is_plain_numbers_and_text():
    grid = SphereGrid.cells(8, 16)
    summary = climatology.summary(_months(grid), grid)
    assert all(type(value) in (float, str) for value in summary.values())
