"""The heat app as a user starts it: answers, records, sweeps, exit status."""

import json
import math

import numpy as np
import pytest

EARTH = ("--config", "earth", "--set", "earth.latitudes=32", "--set", "earth.longitudes=64", "--set", "earth.years=1")
HEAT = ("--set", "heat.shape=[24,20]", "--set", "time.diffusion_number=50")
EXPLICIT = ("--set", "heat.shape=[24,20]", "--set", "heat.problem=heat_sine", "--set", "time.diffusion_number=0.2")
QUIET = ("--set", "run.pictures=false", "--backend", "reference")


@pytest.mark.parametrize("precision", ["fp64", "bf16"])
def test_the_earth_has_the_same_bits_on_1_2_3_and_8_ranks(app, field_of, precision):
    words = (*EARTH, *QUIET, "--precision", precision)
    fields = []
    for ranks in (1, 2, 3, 8):
        run = app(*words, ranks=ranks, out=f"on{ranks}")
        assert run.status == 0, run.error
        fields.append(field_of(run.directory, "monthly_mean"))
    assert all(np.array_equal(fields[0], other) for other in fields[1:])


@pytest.mark.parametrize(
    "words",
    [
        (*HEAT, "--precision", "fp16"),
        (*EXPLICIT, "--set", "time.stepper=rk4", "--set", "time.steps=20", "--precision", "bf16"),
        (*EXPLICIT, "--set", "time.stepper=euler", "--set", "time.steps=20", "--precision", "fp16:stochastic"),
        (*EXPLICIT, "--set", "time.stepper=euler", "--set", "time.steps=20", "--set", "time.steps_per_pass=3"),
    ],
    ids=["implicit", "rk4", "stochastic", "several steps per pass"],
)
def test_heat_has_the_same_bits_on_1_and_3_ranks(app, field_of, words):
    runs = [
        app(*words, "--set", "run.pictures=false", "--backend", "cpu", ranks=ranks, out=f"{ranks}") for ranks in (1, 3)
    ]
    assert [run.status for run in runs] == [0, 0], runs[1].error
    assert np.array_equal(*(field_of(run.directory) for run in runs))


def test_a_sweep_over_precisions_ends_at_one_backward_error(app, record_of):
    run = app(*EARTH, *QUIET, "--sweep", "bf16,fp64,fp32,fp16", ranks=2, timeout=140)
    assert run.status == 0, run.error
    assert "rounding_error" in run.out and "backward_error" in run.out
    for name in ("fp64", "fp32", "bf16", "fp16"):
        results = record_of(run.directory / name)["results"]
        assert results["backward_error"] <= 1e-12
        assert results["format"] == name and results["escalations"] == []
        # The condition number of these systems is below 1e4, and each of 49 solves may err by that times 1e-12.
        assert name == "fp64" or results["rounding_error"] < 1e4 * 49 * 1e-12


def test_a_format_that_fails_is_left_and_the_record_says_so(app, record_of):
    run = app(*HEAT, *QUIET, "--precision", "fp8_e4m3", "--set", "time.diffusion_number=1000")
    results = record_of(run.directory)["results"]
    assert run.status == 0
    assert results["escalations"][0]["from"] == "fp8_e4m3" and results["escalations"][0]["reason"]
    assert results["format"] in ("bf16", "fp32", "fp64") and results["backward_error"] <= 1e-12


def test_a_plain_narrow_state_stagnates_and_the_other_updates_do_not(app, record_of):
    updates = ("plain", "increment", "compensated", "stochastic")
    words = ("--set", "time.stepper=euler", "--set", "time.steps=400", "--set", "time.diffusion_number=0.01")
    run = app(*EXPLICIT, *QUIET, *words, "--sweep", ",".join(f"fp16:{update}" for update in updates))
    assert run.status == 0, run.error
    results = {update: record_of(run.directory / f"fp16-{update}")["results"] for update in updates}
    assert results["plain"]["stagnant_cells"] > 0.5 * 24 * 20
    assert results["increment"]["stagnant_cells"] == 0
    assert all(results[u]["error_l2"] < 0.2 * results["plain"]["error_l2"] for u in updates[1:])


def test_the_record_holds_the_standard_names_units_and_the_reason_for_no_energy(app, record_of, field_of):
    run = app(*HEAT, *QUIET, ranks=3)
    record = record_of(run.directory)
    assert record["status"] == "ok" and record["environment"]["ranks"][2]["rank"] == 2
    assert {"time_s", "unknowns_per_s", "stream_bytes_per_s", "backward_error", "error_l2"} <= set(record["results"])
    assert record["results"]["unknowns"] == 480 and record["config"]["time"]["stepper"] == "backward_euler"
    assert record["energy"][0]["kind"] in ("unavailable", "counter")
    assert record["energy"][0]["joules"] is not None or record["energy"][0]["reason"]
    rows = [json.loads(line) for line in (run.directory / "steps.jsonl").read_text().splitlines()]
    assert {"step", "refinement"} == {row["kind"] for row in rows}
    assert field_of(run.directory).shape == (24, 20)
    assert np.allclose(np.diff(field_of(run.directory, "x")), 1 / 24)


@pytest.mark.parametrize("problem", ["heat_sine", "heat_cosine", "heat_gaussian", "heat_walls", "heat_manufactured"])
def test_every_problem_is_close_to_its_answer(app, record_of, problem):
    words = ("--set", "heat.shape=[32,32]", "--set", f"heat.problem={problem}", "--set", "time.diffusion_number=1")
    run = app(*QUIET, *words, "--set", "time.stepper=crank_nicolson", "--precision", "fp32")
    assert run.status == 0, run.error
    # Second order: (k h)^2 / 12 for a mode of wave number k, which is pi, or that of the width of the Gaussian.
    wave_number = 1 / 0.05 if problem == "heat_gaussian" else math.pi
    assert record_of(run.directory)["results"]["error_l2"] < (wave_number / 32) ** 2 / 12


def test_doubled_carbon_dioxide_warms_by_the_forcing_over_the_slope(app, record_of):
    means = []
    for co2 in (315, 630):
        run = app(*EARTH, *QUIET, "--set", f"earth.co2_ppm={co2}", out=f"co2_{co2}")
        means.append(record_of(run.directory)["results"]["global_annual_mean_c"])
    # The steady states differ by exactly that; the first year starts from them. 48 solves to 1e-12 of 300 K or less.
    assert means[1] - means[0] == pytest.approx(5.35 * math.log(2) / 2.15, abs=1e-6)


def test_a_run_that_does_not_converge_ends_with_status_1_and_advice(app, record_of):
    run = app(*HEAT, *QUIET, "--precision", "bf16", "--set", "solver.max_refinements=1")
    assert run.status == 1
    assert "not converged: bf16: step 1: refinement_limit" in run.out and "max_refinements" in run.out
    assert record_of(run.directory)["status"] == "failed"


def test_the_printed_configuration_gives_itself_again(app, tmp_path):
    first = app("--print-config", "--set", "heat.shape=[7,9]", "--precision", "bf16", ranks=3, out="")
    (tmp_path / "again.toml").write_text(first.out)
    second = app("--print-config", "--config", str(tmp_path / "again.toml"), out="")
    assert first.status == second.status == 0
    assert first.out == second.out and 'inner = "bf16"' in first.out


def test_help_is_printed_once_and_starts_no_mpi(app, plain):
    assert app("--help", ranks=3, out="").out.count("usage:") == 1
    code = (
        "import sys; from mpsolve.apps import heat; heat.main(['--help']);"
        "bad = {'numpy', 'mpi4py.MPI', 'numba', 'h5py', 'matplotlib'} & set(sys.modules); sys.exit(len(bad))"
    )
    assert plain("-c", code).returncode == 0
