"""Pictures are drawn from the data that is there, and say what is missing."""

import sys

import numpy as np
import pytest

from mpsolve.compare import plot
from mpsolve.compare.align import load
from mpsolve.compare.repeats import grouped
from mpsolve.errors import BackendUnavailable, FileError
from mpsolve.records.fields import write_fields
from mpsolve.records.steps import StepLog

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were saved, instead of files."""
    pytest.importorskip("matplotlib")
    figures = []
    monkeypatch.setattr(plot, "_save", lambda figure, path: figures.append(figure) or "")
    return figures


def log(directory, rows):
    steps = StepLog(directory / "steps.jsonl")
    for row in rows:
        steps.append(**row)
    steps.close()


def test_a_run_with_everything_gets_three_pictures(make_run, tmp_path):
    pytest.importorskip("matplotlib")
    directory = make_run("a", inner="bf16", error_l2=1e-5)
    log(directory, [{"step": 0, "residual": 10.0**-n, "kind": "refinement"} for n in range(1, 5)])
    write_fields(directory / "fields.h5", {"u": (np.eye(4), "K", {})}, {})
    written, problems = plot.draw([load(directory)], tmp_path / "new" / "pictures")
    assert [path.name for path in written] == ["accuracy_against_time.png", "residual.png", "field_bf16.png"]
    assert all(path.read_bytes().startswith(PNG) for path in written)
    assert problems == []


def test_fields_of_one_precision_are_pictures_of_their_own(make_run, tmp_path):
    pytest.importorskip("matplotlib")
    directories = [make_run("a", inner="bf16"), make_run("b", inner="bf16"), make_run("c")]
    for directory in directories:
        write_fields(directory / "fields.h5", {"u": (np.eye(4), "K", {})}, {})
    repeats = grouped([load(directory) for directory in directories])
    repeats += [load(directories[1])]
    written, _ = plot.draw(repeats, tmp_path / "pictures")
    fields = [path.name for path in written if path.name.startswith("field_")]
    assert fields == ["field_bf16_1.png", "field_fp64_2.png", "field_bf16_3.png"]


def test_a_run_with_nothing_to_show_says_why(make_run, tmp_path):
    pytest.importorskip("matplotlib")
    written, problems = plot.draw([load(make_run("a", time_s=None))], tmp_path)
    assert written == []
    assert problems == [
        "no accuracy_against_time.png: no run has both a time and an error greater than 0",
        "no residual.png: no run has residuals in steps.jsonl",
    ]


def test_a_damaged_field_file_costs_only_its_picture(make_run, tmp_path):
    pytest.importorskip("matplotlib")
    directory = make_run("a", error_l2=1e-5)
    (directory / "fields.h5").write_bytes(b"no HDF5")
    written, problems = plot.draw([load(directory)], tmp_path)
    assert [path.name for path in written] == ["accuracy_against_time.png"]
    assert "damaged or no HDF5 file" in problems[-1]


def test_the_accuracy_that_most_runs_have_is_drawn(make_run, drawn, tmp_path):
    runs = [load(make_run("a", rounding_error=1e-9)), load(make_run("b", rounding_error=1e-8, error_l2=1e-5))]
    plot.accuracy_against_time(runs, tmp_path / "a.png")
    assert drawn[0].axes[0].get_ylabel() == "rounding_error [1]"


def test_points_are_labelled_by_precision_at_time_and_error(make_run, drawn, tmp_path):
    runs = [
        load(make_run("a", inner="fp64", error_l2=1e-6)),
        load(make_run("b", inner="bf16", time_s=2.0, error_l2=0.5)),
    ]
    plot.accuracy_against_time(runs, tmp_path / "a.png")
    points = {line.get_label(): (line.get_xdata()[0], line.get_ydata()[0]) for line in drawn[0].axes[0].lines}
    assert points == {"fp64": (8.0, 1e-6), "bf16": (2.0, 0.5)}


def test_both_axes_show_a_decade_even_for_one_point(make_run, drawn, tmp_path):
    plot.accuracy_against_time([load(make_run("a", error_l2=1e-6))], tmp_path / "a.png")
    for low, high in (drawn[0].axes[0].get_xlim(), drawn[0].axes[0].get_ylim()):
        assert high / low >= 10


def test_residuals_are_those_of_the_refinements_of_the_last_solve(make_run, drawn, tmp_path):
    directory = make_run("a")
    solves = [
        {"step": step, "residual": step * value, "kind": "refinement"} for step in (1, 2) for value in (1e-3, 1e-9)
    ]
    log(directory, [*solves, {"step": 1, "residual": 0.7}])
    plot.residual_history([load(directory)], tmp_path / "r.png")
    (line,) = drawn[0].axes[0].lines
    assert list(line.get_xdata()) == [1, 2]
    assert list(line.get_ydata()) == [2e-3, 2e-9]


def test_without_refinements_the_residual_of_each_step_is_drawn(make_run, drawn, tmp_path):
    directory = make_run("a")
    log(directory, [{"step": 1, "residual": 0.5}, {"step": 2, "residual": None}, {"step": 3, "residual": 0.25}])
    plot.residual_history([load(directory)], tmp_path / "r.png")
    assert list(drawn[0].axes[0].lines[0].get_ydata()) == [0.5, 0.25]


def test_the_field_has_a_colour_bar_with_its_unit(make_run, drawn, tmp_path):
    directory = make_run("a")
    write_fields(directory / "fields.h5", {"u": (np.eye(4), "degrees_C", {"long_name": "warmth"})}, {})
    plot.field_picture(load(directory), tmp_path / "f.png")
    axes = drawn[0].axes[0]
    assert axes.child_axes[0].get_ylabel() == "u [°C]"
    assert axes.get_title(loc="left").startswith("warmth")


def test_runs_of_one_precision_are_numbered(make_run):
    runs = [load(make_run("a", inner="bf16")), load(make_run("b", inner="bf16"))]
    assert plot.labels(runs) == ["bf16 1", "bf16 2"]


def test_without_matplotlib_the_extra_is_named(make_run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(BackendUnavailable, match=r"pip install 'mpsolve\[report\]'"):
        plot.draw([load(make_run("a"))], tmp_path)


def test_a_place_that_cannot_be_written_is_an_error(make_run, tmp_path):
    pytest.importorskip("matplotlib")
    (tmp_path / "taken").write_text("")
    with pytest.raises(FileError, match="choose another directory with --out"):
        plot.draw([load(make_run("a", error_l2=1.0))], tmp_path / "taken")
