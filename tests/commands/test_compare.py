"""`mpsolve compare`: runs side by side."""

import csv
import io
import json

import pytest

pytestmark = pytest.mark.launches


def edit(tmp_path, name, **sections):
    path = tmp_path / "runs" / name / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | sections))


def test_runs_are_compared_in_the_order_given(sweep, mpsolve):
    result = mpsolve("compare", "bf16_run", "fp64_run", "--format", "csv")
    lines = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [(line["run"], float(line["speedup"])) for line in lines] == [("bf16_run", 1.0), ("fp64_run", 0.25)]
    assert result.returncode == 0


def test_a_folder_of_runs_stands_for_its_runs(sweep, mpsolve):
    content = json.loads(mpsolve("compare", "runs", "--format", "json").stdout)
    assert [run["run"] for run in content["runs"]] == sweep


@pytest.mark.parametrize("baseline", ["bf16", "bf16_run", "runs/bf16_run"])
def test_the_baseline_can_be_chosen_by_precision_name_or_directory(sweep, mpsolve, baseline):
    content = json.loads(mpsolve("compare", "runs", "--format", "json", "--baseline", baseline).stdout)
    assert [run["speedup"] for run in content["runs"]] == [0.25, 0.5, 1.0]


def test_a_baseline_outside_the_comparison_is_refused(sweep, mpsolve):
    result = mpsolve("compare", "fp64_run", "--baseline", "fp32_run")
    assert result.returncode == 2
    assert "--baseline fp32_run means 0 of the compared runs (fp64_run)" in result.stderr


def test_a_damaged_run_is_named_and_the_rest_compared(sweep, mpsolve, tmp_path):
    (tmp_path / "runs/fp32_run/run.json").write_text('{"schema_version": 1')
    result = mpsolve("compare", *sweep)
    assert "fp64_run" in result.stdout
    assert "bf16_run" in result.stdout
    assert result.stderr.startswith("mpsolve: error: fp32_run: ")
    assert result.returncode == 2


def test_a_run_whose_steps_are_torn_is_named_and_compared(sweep, mpsolve, tmp_path):
    with (tmp_path / "runs/bf16_run/steps.jsonl").open("a") as file:
        file.write('{"kind": "st')
    result = mpsolve("compare", "fp64_run", "bf16_run", "--format", "csv")
    assert result.returncode == 0 and len(result.stdout.splitlines()) == 3
    assert result.stderr == "mpsolve: note: bf16_run: the last line of steps.jsonl is torn, and left out\n"


def test_nothing_but_damaged_runs_is_one_line(sweep, mpsolve, tmp_path):
    (tmp_path / "runs/fp32_run/run.json").write_text("")
    result = mpsolve("compare", "fp32_run")
    assert (result.returncode, result.stdout, len(result.stderr.splitlines())) == (2, "", 1)


def test_different_grids_are_shown_and_refused(sweep, mpsolve, tmp_path):
    edit(tmp_path, "bf16_run", config={"grid": {"shape": [16, 16]}, "solver": {"inner": "cg"}})
    result = mpsolve("compare", "fp64_run", "bf16_run")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.index("grid.shape") < result.stderr.index(
        "mpsolve: error: these runs solve different problems"
    )
    assert "--force" in result.stderr.splitlines()[-1]


def test_force_compares_different_apps_without_a_speedup(sweep, mpsolve, tmp_path):
    edit(tmp_path, "bf16_run", app="climate")
    content = json.loads(mpsolve("compare", "fp64_run", "bf16_run", "--force", "--format", "json").stdout)
    assert content["differences"]["app"] == ["heat", "climate"]
    assert content["runs"][1]["speedup"] is None


def test_an_unknown_run_names_the_nearest(sweep, mpsolve):
    result = mpsolve("compare", "bf61_run")
    assert result.returncode == 2
    assert "did you mean 'bf16_run'?" in result.stderr


def test_an_unknown_format_lists_those_there_are(sweep, mpsolve):
    result = mpsolve("compare", "runs", "--format", "pdf")
    assert result.returncode == 2
    assert "'pdf'" in result.stderr
