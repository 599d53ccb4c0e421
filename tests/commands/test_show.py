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
        "inner.bf16.flops          1000",
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
