"""`mpsolve project`: a run on another machine, and the check of the model."""

import json

import pytest

from mpsolve.__main__ import main

COUNTS = {"flops": 0, "bytes": 0, "messages": 0, "message_bytes": 0, "reductions": 0}


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """A dense run, and one that left no ledger."""
    monkeypatch.chdir(tmp_path)
    record = {"schema_version": 1, "status": "ok", "app": "mxp", "argv": [], "energy": [], "reasons": {}, "config": {}}
    record |= {"environment": {"ranks": []}, "precision": {"inner": "bf16"}}
    record["results"] = {"unknowns": 4096, "refinements": 2, "format": "bf16", "backward_error": 1e-13, "time_s": 0.5}
    for name, ledger in (("dense", {"update": {"bf16": COUNTS | {"flops": 10**10}}}), ("bare", {})):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "run.json").write_text(json.dumps(record | {"ledger": ledger}))


def test_the_table_has_terms_energy_and_accuracy(runs, capsys):
    assert main(["project", "dense", "--machine", "jupiter", "--nodes", "1..all", "--size", "memory"]) == 0
    out = capsys.readouterr().out
    header = next(line for line in out.splitlines() if line.strip().startswith("nodes"))
    for name in ("time s", "from", "to", "compute", "memory", "latency", "bandwidth", "energy J", "waiting J"):
        assert name in header
    assert "5,938" in out
    assert "backward_error  1e-13" in out


def test_json_has_every_machine(runs, capsys):
    assert main(["project", "dense", "--machine", "all", "--nodes", "all", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len({one["machine"] for one in found}) == len(found) >= 14
    assert all(one["terms"]["compute_s"] > 0 for one in found)


def test_scaling_is_drawn(runs, capsys, tmp_path):
    assert (
        main(["project", "dense", "--machine", "panaai", "--nodes", "1", "--strong", "--weak", "--out", "pictures"])
        == 0
    )
    drawn = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert drawn == ["strong_panaai.png", "weak_panaai.png"]


def test_the_check_prints_rows_medians_and_reasons(capsys):
    assert main(["project", "--validate"]) == 0
    out = capsys.readouterr().out
    for text in ("Frontier (Crusher) HPL-MxP 2023-03", "median of the absolute errors", "refinement", "beyond 20%"):
        assert text in out


def test_the_check_as_json_has_each_row(capsys):
    assert main(["project", "--validate", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert all(row["error"] == pytest.approx(row["predicted_pflops"] / row["published_pflops"] - 1) for row in rows)


def test_of_all_machines_those_that_are_too_small_are_named_and_the_others_shown(runs, capsys):
    assert main(["project", "dense", "--machine", "all", "--nodes", "64"]) == 2
    shown = capsys.readouterr()
    assert "cerebras_andromeda has 1 to 16 nodes, not 64" in shown.err
    assert "on JUPITER Booster" in shown.out


@pytest.mark.parametrize(("arguments", "named"), [
    (["dense", "--validate"], "leave RUN and --machine out"),
    (["dense", "--machine", "jupitr"], "did you mean 'jupiter'?"),
    (["dense", "--machine", "jupiter", "--nodes", "6000"], "1 to 5938 nodes, not 6000"),
    (["bare", "--machine", "jupiter"], "no ledger of its work"),
    (["gone", "--machine", "jupiter"], "gone"),
    (["dense"], "--machine NAME"),
    (["runs", "--machine", "jupiter"], "holds 2 runs"),
])  # fmt: skip
def test_bad_input_is_one_line_and_exit_status_2(arguments, named, runs, capsys):
    assert main(["project", *arguments]) == 2
    error = capsys.readouterr().err
    assert named in error
    assert len(error.splitlines()) == 1
