"""Sweeps: one problem in several precisions, compared at the end."""

import json

import pytest

EARTH = ("--config", "configs/earth.toml", "--set", "earth.latitudes=32", "--set", "earth.longitudes=64")
EULER = ("--set", "heat.shape=[24,20]", "--set", "heat.problem=heat_sine", "--set", "time.stepper=euler")
SLOW = ("--set", "time.diffusion_number=0.005", "--set", "time.steps=400")
NAMES = ("bf16", "fp64", "fp32", "fp16")


@pytest.mark.slow
def test_every_precision_ends_at_the_backward_error_of_fp64(app, record_of, plain):
    run = app(*EARTH, "--set", "earth.years=1", "--sweep", ",".join(NAMES), quick=True)
    assert run.status == 0, run.error
    records = {name: record_of(run.directory / name) for name in NAMES}
    for name, record in records.items():
        results = record["results"]
        assert results["backward_error"] <= 1e-12
        assert (results["format"], results["escalations"]) == (name, [])
        # Each of 49 solves has a backward error of 1e-12 with a matrix whose condition number is about 4000.
        assert name == "fp64" or results["rounding_error"] < 49 * 2 * 1e-12 * 4000
    assert records["fp64"]["reasons"]["rounding_error"] == "this is an FP64 run itself"
    compared = plain("-m", "mpsolve", "compare", str(run.directory), "--format", "json")
    assert {entry["precision"] for entry in json.loads(compared.stdout)["runs"]} == set(NAMES)


def test_the_table_keeps_the_order_of_the_sweep_and_fp64_runs_first(app, record_of):
    words = ("--set", "heat.shape=[16,16]", "--set", "time.diffusion_number=20")
    run = app(*words, "--sweep", "fp32,bf16,fp64", quick=True)
    header = next(line for line in run.out.splitlines() if line.startswith("precision "))
    assert header.split() == ["precision", "fp32", "bf16", "fp64"]
    started = {name: record_of(run.directory / name)["environment"]["started_utc"] for name in ("fp32", "bf16", "fp64")}
    assert min(started, key=started.__getitem__) == "fp64"
    assert record_of(run.directory / "fp32")["results"]["rounding_error"] < 1e-9


def test_without_an_fp64_run_the_rounding_error_says_so(app, record_of):
    run = app("--set", "heat.shape=[16,16]", "--set", "time.diffusion_number=20", "--sweep", "fp32,bf16", quick=True)
    reason = record_of(run.directory / "bf16")["reasons"]["rounding_error"]
    assert reason == "no FP64 run of the same problem in this sweep to compare with"
    assert reason[:40] in run.out


def test_a_plain_narrow_state_stagnates_and_the_other_updates_do_not(app, record_of):
    updates = ("plain", "increment", "compensated", "stochastic")
    run = app(*EULER, *SLOW, "--sweep", ",".join(["fp64", *(f"fp16:{update}" for update in updates)]), quick=True)
    assert run.status == 0, run.error
    results = {update: record_of(run.directory / f"fp16-{update}")["results"] for update in updates}
    # A step changes a cell by 0.005 h^2 2 pi^2 u = 1.7e-4 u, less than half the spacing of FP16, 2.4e-4 u or more.
    assert results["plain"]["stagnant_cells"] == 24 * 20
    assert results["increment"]["stagnant_cells"] == results["compensated"]["stagnant_cells"] == 0
    assert all(results[update]["rounding_error"] < 0.2 * results["plain"]["rounding_error"] for update in updates[1:])
    assert "stagnant_cells" in run.out
