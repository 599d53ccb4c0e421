"""Runs are found by name, and damaged ones set aside."""

from pathlib import Path

import pytest

from mpsolve.compare import align
from mpsolve.errors import FileError, UnknownNameError


def test_a_run_is_found_by_its_directory(make_run):
    directory = make_run("a")
    assert align.resolve(str(directory)) == [directory]


def test_a_run_is_found_by_its_name_or_a_unique_beginning(make_run, tmp_path):
    directory = make_run("20260101_heat_ab")
    make_run("20260102_heat_cd")
    assert align.resolve("20260101_heat_ab", tmp_path) == [directory]
    assert align.resolve("20260101", tmp_path) == [directory]


def test_an_ambiguous_beginning_names_the_runs_that_share_it(make_run, tmp_path):
    make_run("heat_1")
    make_run("heat_2")
    with pytest.raises(FileError, match="the beginning of 2 runs: heat_1, heat_2; give more of it"):
        align.resolve("heat", tmp_path)


def test_an_unknown_name_lists_the_runs_and_the_nearest(make_run, tmp_path):
    make_run("heat_1")
    with pytest.raises(UnknownNameError, match="unknown run 'haet_1'; there are: heat_1; did you mean 'heat_1'"):
        align.resolve("haet_1", tmp_path)


def test_a_directory_of_runs_means_all_of_them_in_the_order_in_which_they_began(make_run, tmp_path):
    later, first = make_run("sweep/a", inner="bf16"), make_run("sweep/b")
    content = (first / "run.json").read_text()
    (first / "run.json").write_text(content.replace("2026 sweep/b", "2025"))
    assert align.resolve(str(tmp_path / "sweep")) == [first, later]


def test_a_directory_without_runs_is_an_error(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileError, match="holds no run"):
        align.resolve(str(tmp_path / "empty"))


def test_a_folder_that_is_not_there_cannot_be_listed(tmp_path):
    with pytest.raises(FileError, match="cannot list"):
        align.runs_below(tmp_path / "gone")


def test_a_summary_has_the_roles_beside_the_configuration(make_run):
    run = align.load(make_run("a", inner="bf16", ranks=3))
    assert run.config == {"grid.shape": [64, 64], "precision.inner": "bf16"}
    assert (run.precision, run.ranks) == ("bf16", 3)


def test_a_damaged_run_is_a_line_and_the_rest_is_read(make_run):
    good, bad = make_run("good"), make_run("bad")
    (bad / "run.json").write_text('{"schema_version": 1, "sta')
    runs, problems = align.load_all([bad, good])
    assert [run.name for run in runs] == ["good"]
    assert len(problems) == 1
    assert problems[0].startswith("bad: ")


def test_differences_name_each_key_with_a_value_per_run(make_run):
    one = align.load(make_run("a", config={"solver": {"rtol": 1e-9, "inner": "cg"}}))
    two = align.load(make_run("b", config={"solver": {"rtol": 1e-12, "inner": "cg"}, "seed": 1}))
    assert align.differences([one, two]) == {"solver.rtol": (1e-9, 1e-12), "seed": (align.ABSENT, 1)}


def test_a_file_name_is_no_run(make_run):
    with pytest.raises(UnknownNameError):
        align.resolve(str(make_run("a") / "run.json"), Path("no-such-folder"))
