"""The heat app in a box, as a user starts it: answers, records, exit status."""

import itertools
import json
import math

import h5py
import numpy as np
import pytest

BOX = ("--set", "heat.shape=[24,20]", "--set", "time.diffusion_number=50")
EULER = ("--set", "heat.shape=[24,20]", "--set", "heat.problem=heat_sine", "--set", "time.stepper=euler")


PROBLEMS = ("heat_sine", "heat_cosine", "heat_gaussian", "heat_walls", "heat_manufactured")
CELLS = 16
HALVED = (8, 16)


@pytest.fixture(scope="module")
def errors(run_several, quick, record_of, tmp_path_factory):
    """Return the errors of all problems in 2 and 3 dimensions, and of the 3-D configuration, by name and number."""
    folder, runs = tmp_path_factory.mktemp("errors"), {}
    for problem, ndim in itertools.product(PROBLEMS, (2, 3)):
        words = ("--set", f"heat.shape={[CELLS] * ndim}", "--set", f"heat.problem={problem}", "--precision", "fp32")
        quarter = ("--set", "time.diffusion_number=0.25", "--set", "time.stepper=crank_nicolson")
        runs[problem, ndim] = (*words, *quarter)
    for cells in HALVED:
        words = ("--set", f"heat.shape={[cells] * 3}", "--set", f"time.diffusion_number={cells**2 / 160}")
        runs["configuration", cells] = ("--config", "configs/heat3d.toml", *words)
    out = {key: folder / f"{key[0]}{key[1]}" for key in runs}
    run_several(1, [(*quick, *words, "--out", str(out[key])) for key, words in runs.items()])
    return {key: record_of(directory)["results"]["error_l2"] for key, directory in out.items()}


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("problem", PROBLEMS)
def test_every_problem_is_close_to_its_answer(errors, problem, ndim):
    # The rate of a mode with wavenumber k is wrong by k^2 h^2 / 12 of itself, over the time t = 4 steps h^2 / 4. The
    # Gaussian has wavenumbers of about 2 over its width of 0.05, the others pi; and every axis adds its share.
    wavenumber, h = (2 / 0.05 if problem == "heat_gaussian" else math.pi), 1 / CELLS
    rate = wavenumber**2 * min(1.0, wavenumber**2 * h**2 / 12)
    assert errors[problem, ndim] < ndim * rate * h**2


def test_halving_the_cells_of_the_three_dimensional_configuration_quarters_the_error(errors):
    coarse, fine = (errors["configuration", cells] for cells in HALVED)
    # Same time step and end; the error of second order in space dominates, up to its next order (pi h)^2 / 12 < 2%.
    assert math.log2(coarse / fine) == pytest.approx(2, abs=0.1)


@pytest.fixture(scope="module")
def box(run_several, quick, tmp_path_factory):
    """Return the run directory of the box on three ranks."""
    directory = tmp_path_factory.mktemp("box") / "run"
    run_several(3, [(*quick, *BOX, "--out", str(directory))])
    return directory


def test_a_format_that_fails_is_left_and_record_and_output_say_so(app, record_of):
    words = ("--precision", "fp8_e4m3", "--set", "time.diffusion_number=1000", "--set", "solver.inner=cg")
    run = app(*BOX, *words, quick=True)
    results = record_of(run.directory)["results"]
    assert run.status == 0
    assert results["escalations"][0]["from"] == "fp8_e4m3"
    assert results["escalations"][0]["reason"]
    assert results["format"] in ("bf16", "fp32", "fp64")
    assert results["backward_error"] <= 1e-12
    shown = dict(line.split(maxsplit=1) for line in run.out.splitlines() if len(line.split()) == 2)
    assert shown["format"] == results["format"]
    assert int(shown["escalations"]) == len(results["escalations"])


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (("--set", "solver.max_refinements=1"), "raise max_refinements"),
        (("--set", 'precision.ladder=["bf16"]', "--set", "solver.rtol=1e-17"), "end the ladder with fp64"),
    ],
    ids=["refinements", "ladder"],
)
def test_a_run_that_does_not_converge_ends_with_status_1_and_advice(app, record_of, words, advice):
    run = app(*BOX, "--precision", "bf16", *words, ranks=2, quick=True)
    assert run.status == 1, run.error
    assert "not converged: bf16: step 1: " in run.out
    assert advice in run.out
    record = record_of(run.directory)
    assert (record["status"], record["results"]["converged"]) == ("failed", False)


def test_the_record_has_every_standard_name_with_a_value_or_a_reason(box, record_of):
    record = record_of(box)
    results, reasons = record["results"], record["reasons"]
    assert record["status"] == "ok"
    assert [place["rank"] for place in record["environment"]["ranks"]] == [0, 1, 2]
    measured = {"time_s", "setup_s", "unknowns_per_s", "flops_per_s", "bytes_per_s", "stream_bytes_per_s", "dt_s"}
    assert all(results[name] > 0 for name in measured | {"iterations", "refinements", "error_l2", "error_linf"})
    assert (results["unknowns"], results["steps"], results["format"]) == (480, 2, "fp64")
    assert results["error_reference"] == "analytic"
    missing = {name for name, value in results.items() if value is None}
    assert missing == set(reasons) == {"rounding_error", "mass_drift", "hpl_mxp_residual", "energy_drift"}
    assert "FP64 run itself" in reasons["rounding_error"]
    assert record["precision"] == {"name": "fp64", "halo": ""} | dict.fromkeys(
        ("state", "inner", "accumulate", "residual"), "fp64"
    )


def test_energy_is_measured_or_unavailable_with_the_reason(app, record_of):
    run = app(*BOX, quick=True)
    reading = record_of(run.directory)["energy"][0]
    assert reading["joules"] is not None if reading["kind"] == "counter" else reading["reason"]
    assert reading["kind"] == "counter" or ("unavailable" in run.out and reading["reason"][:20] in run.out)


def test_every_step_and_refinement_has_a_row(app, record_of):
    run = app(*BOX, "--precision", "bf16", "--set", "time.steps=3", ranks=2, quick=True)
    rows = [json.loads(line) for line in (run.directory / "steps.jsonl").read_text().splitlines()]
    steps = [row for row in rows if row["kind"] == "step"]
    results = record_of(run.directory)["results"]
    assert [row["step"] for row in steps] == [1, 2, 3]
    assert [row["time"] for row in steps] == pytest.approx([results["dt_s"] * n for n in (1, 2, 3)])
    assert all(row["residual"] <= 1e-12 and row["format"] == "bf16" and row["wall_s"] > 0 for row in steps)
    refinements = [row for row in rows if row["kind"] == "refinement"]
    # Each solve also logs the state that it starts from.
    assert len(refinements) == results["refinements"] + 3
    assert sum(row["iterations"] for row in refinements) == results["iterations"]


def test_fields_have_coordinates_and_units(box):
    with h5py.File(box / "fields.h5") as file:
        assert {name: file[name].attrs["units"] for name in file} == {"temperature": "K", "x": "m", "y": "m"}
        assert file["temperature"].shape == (24, 20)
        assert [axis[0].name for axis in file["temperature"].dims] == ["/x", "/y"]
        assert np.allclose(file["x"], (np.arange(24) + 0.5) / 24, rtol=1e-15)


def test_an_explicit_run_records_how_it_kept_its_state(app, record_of):
    words = (*EULER, "--set", "time.diffusion_number=0.2", "--set", "time.state_update=compensated")
    run = app(*words, "--set", "time.steps=40", "--precision", "fp16", quick=True)
    record = record_of(run.directory)
    roles = {"state": "fp16+fp16", "inner": "fp16", "halo": "", "state_update": "compensated", "name": "fp16"}
    assert record["precision"] == roles
    assert record["reasons"]["iterations"] == "explicit steps solve no system"
    rows = [json.loads(line) for line in (run.directory / "steps.jsonl").read_text().splitlines()]
    assert len(rows) == 20
    assert rows[-1]["step"] == 40
    assert rows[-1]["stagnant_cells"] == record["results"]["stagnant_cells"]


def test_heat_that_cannot_leave_does_not_drift(app, record_of):
    run = app("--set", "heat.shape=[16,16]", "--set", "heat.problem=heat_cosine", "--precision", "bf16", quick=True)
    # Two solves, each to a backward error of 1e-12 of a system whose norm is 4000 times that of its inverse.
    assert abs(record_of(run.directory)["results"]["mass_drift"]) < 2 * 4000 * 1e-12


def test_pictures_and_the_compiled_backend_are_the_default(app, record_of):
    pytest.importorskip("numba")
    pytest.importorskip("matplotlib")
    run = app(*BOX, "--precision", "fp32", ranks=2)
    assert run.status == 0, run.error
    assert record_of(run.directory)["results"]["backend"] == "cpu"
    named = [line.removeprefix("picture: ") for line in run.out.splitlines() if line.startswith("picture: ")]
    assert sorted(named) == sorted(str(path) for path in run.directory.glob("*.png"))
    assert f"{run.directory}/field_fp32.png" in named
