"""The compared numbers: speed-up only between solved runs of one problem, joules only with their kind."""

import pytest

from mpsolve.compare.align import load
from mpsolve.compare.metrics import METRICS, OPTIONAL, collect, number


def test_every_run_has_the_same_names_and_a_reason_for_each_gap(make_run):
    runs = [load(make_run("a")), load(make_run("b", error_l2=1e-6))]
    values, reasons = collect(runs)
    expected = [*(name for name in METRICS if name not in OPTIONAL), "energy"]
    assert [list(row) for row in values] == [expected] * 2
    for row, why in zip(values, reasons, strict=True):
        assert {name for name, value in row.items() if value is None} == set(why)


def test_an_optional_row_is_there_for_all_if_one_run_has_it(make_run):
    changes = [{"from": "bf16", "to": "fp32"}]
    values, reasons = collect([load(make_run("a")), load(make_run("b", escalations=changes, format="fp32"))])
    assert [row["escalations"] for row in values] == [None, 1]
    assert [row["format"] for row in values] == [None, "fp32"]
    assert "stagnant_cells" not in values[0]
    assert reasons[0]["format"] == "not in the record"


def test_the_speedup_is_the_time_of_the_baseline_over_the_own(make_run):
    runs = [load(make_run("a")), load(make_run("b", time_s=2.0))]
    assert [row["speedup"] for row in collect(runs)[0]] == [1.0, 4.0]
    assert [row["speedup"] for row in collect(runs, baseline=1)[0]] == [0.25, 1.0]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"converged": False}, "not solved"),
        ({"status": "failed"}, "not solved"),
        ({"time_s": None}, "no time measured"),
        ({"unknowns": 1}, "another problem than the baseline"),
    ],
)
def test_a_run_that_did_not_do_the_same_work_has_no_speedup(make_run, changes, reason):
    values, reasons = collect([load(make_run("a")), load(make_run("b", **changes))])
    assert (values[1]["speedup"], reasons[1]["speedup"]) == (None, reason)


def test_nothing_is_measured_against_a_baseline_that_is_not_solved(make_run):
    _, reasons = collect([load(make_run("a", converged=False)), load(make_run("b"))])
    assert reasons[1]["speedup"] == "the baseline is not solved"


def test_energy_without_joules_is_unavailable_with_the_reason(make_run):
    values, reasons = collect([load(make_run("a"))])
    assert (values[0]["energy"], reasons[0]["energy"]) == (None, "no counter")


def test_measured_and_modelled_joules_never_share_a_name(make_run, make_reading):
    measured, modelled = make_reading(3.0, "counter", "dram"), make_reading(9.0, "modelled", "dram")
    values, _ = collect([load(make_run("a", energy=[measured])), load(make_run("b", energy=[modelled]))])
    assert [row["energy_dram_j"] for row in values] == [3.0, None]
    assert [row["energy_dram_modelled_j"] for row in values] == [None, 9.0]


def test_scopes_have_a_name_each(make_run, make_reading):
    energy = [make_reading(3.0, "counter", "dram"), make_reading(5.0, "counter", "cpu_package")]
    (row,), _ = collect([load(make_run("a", energy=energy))])
    assert (row["energy_dram_j"], row["energy_cpu_package_j"]) == (3.0, 5.0)


@pytest.mark.parametrize("value", [None, True, "fast", float("nan"), [1]])
def test_what_is_no_number_is_none(value):
    assert number(value) is None
