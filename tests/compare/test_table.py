"""The table in its four formats."""

import csv
import io
import json

import pytest

from mpsolve.compare.align import load
from mpsolve.compare.table import WIDTH, cell, render, render_differences
from mpsolve.errors import UnknownNameError


@pytest.fixture
def sweep(make_run):
    """Three precisions of one problem; the last did not converge."""
    return [
        load(make_run("a", inner="fp64", iterations=100)),
        load(make_run("b", inner="bf16", iterations=150, time_s=2.0, rounding_error=1e-9)),
        load(make_run("c", inner="fp16", converged=False, energy=[])),
    ]


def row(text, name):
    """The cells of the one line that begins with a name."""
    (line,) = [line for line in text.splitlines() if line.split() and line.split()[0] == name]
    return line.split()[1:]


def test_the_configuration_differences_come_before_the_metrics(sweep):
    text = render(sweep)
    assert text.index("precision.inner") < text.index("backward_error")
    assert row(text, "precision.inner") == ["fp64", "bf16", "fp16"]


def test_each_run_is_a_column(sweep):
    text = render(sweep)
    assert row(text, "iterations") == ["100", "150", "-"]
    assert row(text, "converged") == ["yes", "yes", "no"]
    assert row(text, "speedup") == ["1", "4", "-"]
    assert row(text, "energy") == ["unavailable"] * 3


def test_gaps_are_explained_below_the_table(sweep):
    notes = render(sweep).split("\n\n")[-1]
    assert "no energy (run 1, 2): no counter" in notes
    assert "no energy (run 3): no reading in the record" in notes
    assert "no speedup (run 3): not solved" in notes
    assert "no refinements, error_l2, error_linf, unknowns_per_s: this app does not measure it" in notes


def test_the_legend_tells_directory_app_ranks_and_baseline(sweep):
    legend = render(sweep, baseline=1).splitlines()[:3]
    assert legend[0] == f"run 1: {sweep[0].directory} (heat, 2 ranks)"
    assert legend[1].endswith("(heat, 2 ranks, baseline)")


def test_columns_are_aligned(sweep):
    metrics = render(sweep).split("\n\n")[2].splitlines()
    assert len({len(line) for line in metrics}) == 1


def test_more_runs_than_fit_continue_in_a_block_below(make_run):
    text = render([load(make_run(f"r{number:02}", inner="fp32")) for number in range(30)])
    table = text.split("\n\n", 1)[1]
    assert max(map(len, table.splitlines())) <= WIDTH
    assert sum(line.startswith("time_s") for line in table.splitlines()) > 1
    assert sum(len(line.split()) - 1 for line in table.splitlines() if line.startswith("time_s")) == 30


def test_one_run_alone_has_no_baseline_and_no_difference(make_run):
    text = render([load(make_run("a"))])
    assert "baseline" not in text
    assert "configuration" not in text


def test_json_has_every_value_unrounded_with_reasons(sweep):
    content = json.loads(render(sweep, "json"))
    assert content["baseline"] == "a"
    assert content["differences"]["precision.inner"] == ["fp64", "bf16", "fp16"]
    assert content["runs"][1]["rounding_error"] == 1e-9
    assert content["runs"][0]["reasons"]["energy"] == "no counter"
    assert content["runs"][0]["energy"] == [load(sweep[0].directory).energy[0]]


def test_csv_has_a_line_per_run_and_empty_cells_for_gaps(sweep):
    first, second, third = csv.DictReader(io.StringIO(render(sweep, "csv")))
    assert (first["run"], first["precision"], first["rounding_error"]) == ("a", "fp64", "")
    assert float(second["speedup"]) == 4.0
    assert third["speedup"] == ""


def test_csv_survives_names_with_commas(make_run):
    (line,) = csv.DictReader(io.StringIO(render([load(make_run('a, "b"'))], "csv")))
    assert line["run"] == 'a, "b"'


def test_markdown_is_a_table_whose_rows_have_equal_length(sweep):
    lines = [line for line in render(sweep, "md").splitlines() if line.startswith("|")]
    assert {line.count("|") for line in lines} == {5}
    assert "| time_s | 8 | 2 | 8 |" in lines


def test_markdown_escapes_its_own_signs(make_run):
    runs = [load(make_run("a", config={"note": "x|y"})), load(make_run("b", config={"note": "z"}))]
    assert "| note | x\\|y | z |" in render(runs, "md")


def test_an_unknown_format_lists_those_there_are(sweep):
    with pytest.raises(UnknownNameError, match="unknown table format 'html'; there are: table, json, csv, md"):
        render(sweep, "html")


def test_the_differences_can_be_had_alone(sweep):
    text = render_differences(sweep)
    assert "precision.inner" in text
    assert "backward_error" not in text


def test_long_values_are_cut_and_empty_ones_named():
    assert cell("x" * 100).endswith("…")
    assert len(cell("x" * 100)) == 28
    assert cell("") == "(empty)"
