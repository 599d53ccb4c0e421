"""The climate of the Earth from the app: global means, grids, maps of one's own, carbon dioxide."""

import json
import math
from pathlib import Path

import h5py
import numpy as np
import pytest

REFERENCE = json.loads((Path(__file__).parents[1] / "models" / "earth" / "reference_64x32.json").read_text())
SMALL = ("--config", "configs/earth.toml", "--set", "earth.latitudes=32", "--set", "earth.longitudes=64")
YEAR = ("--set", "earth.years=1")


@pytest.mark.slow
def test_the_climate_at_equilibrium_is_the_reference(app, record_of):
    tolerance_k = 1e-3
    run = app(*SMALL, "--set", f"earth.equilibrium_k={tolerance_k}", quick=True)
    results = record_of(run.directory)["results"]
    assert run.status == 0, run.error
    assert results["equilibrium"]
    assert results["last_change_k"] < tolerance_k
    # The mean comes closer by a quarter of its distance a year or faster: at most 3 times the last change is left.
    assert results["global_annual_mean_c"] == pytest.approx(REFERENCE["global_annual_mean_c"], abs=3 * tolerance_k)
    assert results["northern_annual_mean_c"] == pytest.approx(REFERENCE["northern_annual_mean_c"], abs=3 * tolerance_k)
    assert results["southern_annual_mean_c"] == pytest.approx(REFERENCE["southern_annual_mean_c"], abs=3 * tolerance_k)
    assert results["hottest"] == "32.7 C at 8.4 S 59.1 W in Feb"
    assert results["coldest"] == "-38.7 C at 87.2 S 98.4 E in Aug"


@pytest.fixture(scope="module")
def years(run_several, quick, tmp_path_factory):
    """Return the run directories of two years on two ranks, by the parts per million of carbon dioxide."""
    folder = tmp_path_factory.mktemp("years")
    out = {co2: folder / f"co2_{co2}" for co2 in (315, 630)}
    words = {co2: ("--set", f"earth.co2_ppm={co2}") if co2 != 315 else () for co2 in out}
    run_several(2, [(*quick, *SMALL, *YEAR, *words[co2], "--out", str(out[co2])) for co2 in out])
    return out


def test_a_year_leaves_the_monthly_fields_their_means_and_their_units(years, record_of, field_of):
    directory = years[315]
    with h5py.File(directory / "fields.h5") as file:
        units = {name: file[name].attrs["units"] for name in file}
        axes = [axis[0].name for axis in file["monthly_mean"].dims]
    celsius = dict.fromkeys(("annual_mean", "monthly_mean", "zonal_mean"), "degrees_C")
    assert units == celsius | {"month": "1", "lat": "degrees_north", "lon": "degrees_east"}
    assert axes == ["/month", "/lat", "/lon"]
    months, days = field_of(directory, "monthly_mean"), [31, 28.2422, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    assert months.shape == (12, 32, 64)
    assert np.allclose(field_of(directory, "annual_mean"), np.average(months, axis=0, weights=days), atol=1e-12)
    assert np.allclose(field_of(directory, "zonal_mean"), months.mean(axis=2), atol=1e-12)
    record = record_of(directory)
    assert record["results"]["steps"] == 48
    assert record["reasons"]["error_l2"].startswith("the climate has no analytic answer")
    assert record["reasons"]["last_change_k"].startswith("the first year has none before it")


def test_both_poles_of_a_grid_of_nodes_have_one_temperature(app, field_of):
    # To the last bit, whatever the tolerance is.
    words = ("--set", "earth.points=nodes", "--set", "earth.latitudes=33", "--set", "solver.rtol=1e-5")
    run = app(*SMALL, *YEAR, *words, ranks=3, quick=True)
    assert run.status == 0, run.error
    months, lat = field_of(run.directory, "monthly_mean"), field_of(run.directory, "lat")
    assert (lat[0], lat[-1]) == (-90.0, 90.0)
    assert all(np.ptp(months[:, pole], axis=1).max() == 0.0 for pole in (0, -1))
    assert np.ptp(months[:, 16], axis=1).min() > 0.0


def test_doubled_carbon_dioxide_warms_by_the_forcing_over_the_slope(years, record_of):
    means = [record_of(years[co2])["results"]["global_annual_mean_c"] for co2 in (315, 630)]
    # A warmer start and less outgoing radiation leave the difference constant. Each of 49 solves has a backward error
    # of 1e-12, relative to norm(A) norm(T), of a matrix with a condition number of about 4000 and up to 33 degrees C.
    assert means[1] - means[0] == pytest.approx(5.35 * math.log(2) / 2.15, abs=49 * 1e-12 * 4000 * 33)


def test_a_map_may_run_southwards_and_from_0_to_360(run_several, quick, tmp_path, write_map, field_of):
    generator = np.random.default_rng(3)
    lat, lon = (np.arange(36) + 0.5) * 5 - 90, (np.arange(72) + 0.5) * 5 - 180
    codes, albedo = generator.integers(1, 9, (36, 72)), generator.uniform(0.2, 0.7, (36, 72))
    plain_map = write_map("plain.h5", lat, lon, surface_class=codes, albedo=albedo)
    # The same globe: rows from north to south, columns from the meridian of Greenwich.
    half = {"surface_class": np.roll(codes, 36, 1)[::-1], "albedo": np.roll(albedo, 36, 1)[::-1]}
    turned_map = write_map("turned.h5", lat[::-1], np.roll(lon, 36) % 360, **half)
    out = {path: tmp_path / path.stem for path in (plain_map, turned_map)}
    words = (*quick, *SMALL, *YEAR)
    run_several(1, [(*words, "--set", f"earth.surface={path}", "--out", str(out[path])) for path in out])
    fields = [field_of(directory, "annual_mean") for directory in out.values()]
    # Only the rounding of edges up to 360 degrees differs, by 1e-13 of a cell; the condition number is about 4000.
    assert np.abs(fields[0] - fields[1]).max() < 1e-8
    assert np.ptp(fields[0]) > 10


def test_a_brighter_planet_is_colder(run_several, quick, tmp_path, write_map, record_of):
    lat, lon = (np.arange(18) + 0.5) * 10 - 90, (np.arange(36) + 0.5) * 10 - 180
    ocean, runs = np.full((18, 36), 5), []
    for albedo in (0.3, 0.4):
        path = write_map(f"{albedo}.h5", lat, lon, surface_class=ocean, albedo=np.full((18, 36), albedo))
        words = ("--set", f"earth.surface={path}", "--out", str(tmp_path / f"of{albedo}"))
        runs.append((*quick, *SMALL, *YEAR, *words))
    run_several(1, runs)
    means = [record_of(tmp_path / f"of{albedo}")["results"]["global_annual_mean_c"] for albedo in (0.3, 0.4)]
    # A tenth of the mean sunlight of 343 W m-2 over B; the 48 steps sample the ellipse of the orbit to 1e-3.
    assert means[0] - means[1] == pytest.approx(0.1 * 1371.685 / 4 / 2.15, rel=2e-3)


def test_a_climate_that_does_not_settle_ends_with_status_1_and_still_shows_its_year(app, record_of, field_of):
    run = app(*SMALL, "--set", "earth.max_years=1", quick=True)
    assert run.status == 1
    assert "no equilibrium within 1 years; raise earth.max_years" in run.out
    assert field_of(run.directory, "annual_mean").shape == (32, 64)
    assert record_of(run.directory)["status"] == "failed"


def test_a_solve_that_fails_leaves_no_climate(app, record_of):
    run = app(
        *SMALL, *YEAR, "--set", "solver.max_iterations=3", "--set", "solver.max_refinements=2", ranks=2, quick=True
    )
    assert run.status == 1
    assert "not converged: fp64: step 0: refinement_limit" in run.out
    assert not (run.directory / "fields.h5").exists()
    assert "global_annual_mean_c" not in record_of(run.directory)["results"]
