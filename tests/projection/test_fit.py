"""Efficiencies: fitted without the row they predict and without what is from memory; and how well they do."""

from dataclasses import replace

import pytest

from mpsolve.projection import benchmarks, check_text, fit, published, spread

ROWS = [row for row in published.rows() if not row.missing]
KINDS = ("fp64", "low", "bandwidth")
FAMILIES = ("nvidia", "amd", "intel", "fujitsu", "aws")


@pytest.mark.parametrize("row", ROWS[::4], ids=lambda row: row.label)
def test_the_needed_efficiency_reproduces_the_row(row):
    # Bisection leaves (2 / 0.01)^(2^-24), far below 1e-5.
    assert benchmarks.predict(row, fit.needed(row)).pflops == pytest.approx(row.pflops, rel=1e-5)


def test_no_row_from_memory_is_fitted():
    recalled = {row.label for row in ROWS if row.status == "recall"}
    assert recalled
    for kind in KINDS:
        for family in FAMILIES:
            assert not recalled & set(fit.efficiency(kind, family).rows)


@pytest.mark.parametrize("row", ROWS[::3], ids=lambda row: row.label)
def test_a_row_does_not_help_to_predict_itself(row, monkeypatch):
    family, kind = published.accelerator_of(row).family, benchmarks.kind_of(row)
    honest = fit.efficiency(kind, family, row)
    changed = replace(row, pflops=row.pflops * 0.7)
    monkeypatch.setattr(published, "rows", lambda: tuple(changed if one == row else one for one in ROWS))
    assert fit.efficiency(kind, family, changed) == honest


def test_a_family_without_results_takes_the_others():
    assert fit.efficiency("low", "aws").pooled
    assert not fit.efficiency("low", "amd").pooled


def test_the_newest_result_of_a_machine_counts():
    rows = fit.efficiency("fp64", "amd").rows
    assert set(rows) == {"Frontier HPL 2024-11", "El Capitan HPL 2025-11"}


@pytest.mark.parametrize("benchmark", check_text.AIMS)
def test_the_median_error_is_within_its_aim(benchmark):
    assert check_text.medians(spread.checks())[benchmark] < check_text.AIMS[benchmark]


def test_the_openmxp_run_is_predicted():
    check = next(check for check in spread.checks() if check.row.lu_s)
    assert check.prediction.lu.total_s == pytest.approx(check.row.lu_s, rel=check_text.OPENMXP_AIM)
    assert check.prediction.terms.total_s == pytest.approx(check.row.time_s, rel=check_text.OPENMXP_AIM)


def test_a_part_of_the_openmxp_run_that_misses_its_aim_says_why():
    check = next(check for check in spread.checks() if check.row.lu_s)
    error = check.prediction.refinement.total_s / check.row.refinement_s - 1
    missed = abs(error) >= check_text.OPENMXP_AIM
    assert (check_text.WHY_REFINEMENT in check_text.render()) == missed


def test_every_large_error_has_its_reason():
    text = check_text.render()
    for check in spread.checks():
        if abs(check.error) > 0.2:
            assert f"{check.row.label}: {check.error:+.0%}; {check_text.why(check)}" in text


@pytest.mark.parametrize("kind", KINDS)
def test_the_spread_covers_most_rows(kind):
    # The root mean square of any errors is exceeded by fewer than a third of them, if one is not far beyond.
    errors = [check for check in spread.checks() if benchmarks.kind_of(check.row) == kind]
    factor = spread.factor(kind)
    outside = [check for check in errors if not 1 / factor <= 1 + check.error <= factor]
    assert len(outside) <= len(errors) / 2
    assert 1 < factor < 2
