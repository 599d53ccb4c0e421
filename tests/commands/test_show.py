"""`mpsolve show`: one run for people."""

import json

import pytest

pytestmark = pytest.mark.launches


def test_every_part_of_the_record_is_shown(sweep, mpsolve):
    result = mpsolve("show", "bf16")
    assert result.returncode == 0
    for text in (
        "grid.shape    [8, 8]",
        "inner  bf16",
        "time_s              2",
        "flops_per_s         -  (this app does not measure it)",
        "1 node  unavailable: no powercap counters",
        "inner  bf16     1000",
        "last residual     1e-11",
        "run.json, steps.jsonl, fields.h5",
    ):
        assert text in result.stdout


def test_several_runs_are_too_many(sweep, mpsolve):
    result = mpsolve("show", "runs")
    assert result.returncode == 2
    assert "runs holds 3 runs (fp64_run, fp32_run, bf16_run); show takes one" in result.stderr


def test_a_measured_reading_is_shown_in_joules(sweep, mpsolve, tmp_path):
    path = tmp_path / "runs/bf16_run/run.json"
    record = json.loads(path.read_text())
    record["energy"] = [{"joules": 12.5, "kind": "counter", "scope": "dram", "source": "rapl", "reason": ""}]
    path.write_text(json.dumps(record))
    assert "1 dram  12.5 J  [counter, rapl]" in mpsolve("show", "bf16").stdout


def test_a_run_that_is_still_going_can_be_shown(tmp_path, mpsolve, comm):
    from mpsolve.records.run import RunRecord

    record = RunRecord.create(tmp_path / "runs" / "now", "heat", {}, [], comm, {})
    record.steps.append(step=4, residual=0.5)
    result = mpsolve("show", "now")
    assert "status     running" in result.stdout
    assert "last step         4" in result.stdout


def test_phases_are_shown_with_seconds_joules_and_their_sums(sweep, mpsolve, tmp_path):
    path = tmp_path / "runs/bf16_run/run.json"
    record = json.loads(path.read_text())
    record["results"]["ledger_phases_s"] = {"inner": 1.5, "residual": 0.25}
    phases = {"inner": 6.0, "residual": 1.5, "other": 0.5}
    record["energy"] = [{"joules": 8.0, "kind": "counter", "scope": "gpu", "source": "nvml", "phases": phases}]
    path.write_text(json.dumps(record))
    lines = mpsolve("show", "bf16").stdout.splitlines()
    start = lines.index("phases, seconds of rank 0")
    assert [line.split() for line in lines[start + 1 : start + 6]] == [
        ["phase", "seconds", "part", "energy_gpu_j"],
        ["inner", "1.5", "75.0%", "6"],
        ["residual", "0.25", "12.5%", "1.5"],
        ["other", "0.25", "12.5%", "0.5"],
        ["sum", "2", "8"],
    ]


def test_a_torn_last_line_of_the_steps_is_said_and_the_rest_shown(sweep, mpsolve, tmp_path):
    with (tmp_path / "runs/bf16_run/steps.jsonl").open("a") as file:
        file.write('{"kind": "st')
    result = mpsolve("show", "bf16")
    assert result.returncode == 0 and "rows              3" in result.stdout
    assert "note              the last line of steps.jsonl is torn, and left out" in result.stdout


def test_damaged_steps_are_named_and_the_rest_shown(sweep, mpsolve, tmp_path):
    path = tmp_path / "runs/bf16_run/steps.jsonl"
    path.write_text("noise\n" + path.read_text())
    result = mpsolve("show", "bf16")
    assert result.returncode == 2 and "backward_error" in result.stdout
    assert "steps.jsonl, line 1: not a JSON object" in result.stderr
