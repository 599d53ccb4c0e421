"""Repeats of a configuration: what counts as one, medians, spreads, and what must never be merged."""

import csv
import io
import json

import pytest

from mpsolve.__main__ import main
from mpsolve.compare.align import load
from mpsolve.compare.repeats import grouped, spread
from mpsolve.compare.table import render


@pytest.fixture
def five(make_run, make_reading):
    """Three repeats in fp64 and two in bf16, in turn."""
    return [
        load(make_run(name, inner=inner, time_s=time_s, energy=[make_reading(joules, "counter", "gpu")]))
        for name, inner, time_s, joules in (
            ("a", "fp64", 8.0, 100.0), ("b", "bf16", 2.0, 30.0), ("c", "fp64", 9.0, 110.0),
            ("d", "bf16", 4.0, 50.0), ("e", "fp64", 7.0, 80.0),
        )
    ]  # fmt: skip


def test_repeats_become_medians_of_time_and_joules_with_the_spread_beside_them(five):
    full, low = grouped(five)
    assert (full.name, full.results["time_s"], low.results["time_s"]) == ("a", 8.0, 3.0)
    assert [member.name for member in full.members] == ["a", "c", "e"]
    assert full.energy[0]["joules"] == 100.0 and low.energy[0]["joules"] == 40.0
    assert spread(full, "time_s", full) == (7.0, 9.0)
    assert spread(full, "energy_gpu_j", full) == (80.0, 110.0)
    assert spread(low, "speedup", full) == (8.0 / 4.0, 8.0 / 2.0)
    assert spread(full, "backward_error", full) is None


@pytest.mark.parametrize("change", [
    {"inner": "fp32"}, {"app": "climate"}, {"ranks": 3}, {"status": "failed"}, {"converged": False},
    {"config": {"grid": {"shape": [64, 65]}}}, {"backend": "cuda"},
])  # fmt: skip
def test_runs_that_differ_in_more_than_luck_are_no_repeats(make_run, change):
    runs = [load(make_run("a")), load(make_run("b", **change))]
    assert grouped(runs) == runs


def test_runs_on_other_processors_or_devices_are_no_repeats(make_run):
    paths = [make_run(name) for name in "abc"]
    for path, model, device in zip(paths, ("X", "Y", "X"), ([], [], ["cuda:0 H100"]), strict=True):
        record = json.loads((path / "run.json").read_text())
        record["environment"] |= {"hosts": {"h": {"cpu_model": model}}, "ranks": [{"devices": device}] * 2}
        (path / "run.json").write_text(json.dumps(record))
    runs = [load(path) for path in paths]
    assert len(grouped(runs)) == 3


def test_every_format_has_median_and_spread(five):
    runs = grouped(five)
    lines = {line.split("  ")[0]: line for line in render(runs).splitlines()}
    assert lines["time_s, spread"].split("  ")[1:] and "7 to 9" in lines["time_s, spread"]
    assert "median of 3 repeats" in render(runs).splitlines()[0]
    assert "| time_s, spread | 7 to 9 | 2 to 4 |" in render(runs, "md")
    first, second = json.loads(render(runs, "json"))["runs"]
    assert first["repeats"] == 3 and first["members"] == ["a", "c", "e"] and first["spread"]["time_s"] == [7.0, 9.0]
    (full, low) = csv.DictReader(io.StringIO(render(runs, "csv")))
    assert (full["repeats"], full["time_s"], full["time_s_least"], low["time_s_most"]) == ("3", "8.0", "7.0", "4.0")


def compared(capsys, *words):
    status = main(["compare", *map(str, words)])
    shown = capsys.readouterr()
    return status, shown.out, shown.err


def test_a_condition_is_held_against_medians_and_tells_the_spread(five, tmp_path, capsys):
    status, _, error = compared(capsys, tmp_path, "--fail-if", "time_s>7.5")
    assert status == 1
    assert error == "mpsolve: fails: a: time_s = 8 (median of 3 runs, 7 to 9), the limit is 7.5\n"


def test_before_and_after_of_one_configuration_are_not_merged(make_run, tmp_path, capsys):
    for name, time_s in (("before/1", 1.0), ("before/2", 1.1), ("after/1", 2.0), ("after/2", 2.2)):
        make_run(name, time_s=time_s)
    words = (tmp_path / "before", tmp_path / "after")
    status, out, error = compared(capsys, *words, "--fail-if", "time_s>+5%", "--format", "csv")
    assert status == 1 and "time_s = 2.1 (median of 2 runs" in error
    assert [line["repeats"] for line in csv.DictReader(io.StringIO(out))] == ["2", "2"]
    status, _, error = compared(capsys, tmp_path / "before", "--fail-if", "time_s>+5%")
    assert status == 2 and "all 2 are repeats of one" in error


def test_the_baseline_stays_apart_from_its_repeats(five, tmp_path, capsys):
    status, out, _ = compared(capsys, tmp_path, "--baseline", "e", "--format", "json")
    content = json.loads(out)
    assert (status, content["baseline"]) == (0, "e")
    assert [(run["repeats"], run["time_s"]) for run in content["runs"]] == [(2, 8.5), (2, 3.0), (1, 7.0)]


def test_each_shows_every_run(five, tmp_path, capsys):
    _, out, _ = compared(capsys, tmp_path, "--each", "--format", "csv")
    assert [line["run"] for line in csv.DictReader(io.StringIO(out))] == ["a", "b", "c", "d", "e"]
    status, _, error = compared(capsys, tmp_path, "--each", "--baseline", "bf16")
    assert status == 2 and "means 2 runs" in error


def test_measured_and_modelled_joules_are_not_ranked_together(make_run, make_reading, tmp_path, capsys):
    make_run("a", energy=[make_reading(100.0, "counter")])
    make_run("b", inner="bf16", energy=[make_reading(50.0, "modelled")])
    status, out, error = compared(capsys, tmp_path, "--fail-if", "energy_node_j>+5%", "--format", "csv")
    assert status == 1 and "energy_node_j is not known (only modelled joules of this scope" in error
    measured, modelled = csv.DictReader(io.StringIO(out))
    assert (measured["energy_node_j"], measured["energy_node_modelled_j"]) == ("100.0", "")
    assert (modelled["energy_node_j"], modelled["energy_node_modelled_j"]) == ("", "50.0")
    status, _, error = compared(capsys, tmp_path, "--fail-if", "energy_node_modelled_j>+5%")
    assert status == 1 and "of the baseline a is not known (only measured joules" in error
