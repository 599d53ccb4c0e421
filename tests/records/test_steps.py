"""steps.jsonl survives a kill: lines are whole on disk when append returns, and a torn one is left out."""

import json
import math

import pytest

from mpsolve.errors import FileError
from mpsolve.records.steps import LONGEST_LINE, StepLog, read_steps, torn


@pytest.fixture
def path(tmp_path):
    return tmp_path / "steps.jsonl"


def test_a_row_is_on_disk_before_the_log_is_closed(path):
    log = StepLog(path)
    log.append(step=1, residual=0.5, format="bf16")
    assert read_steps(path)[0]["residual"] == 0.5


def test_a_row_has_every_standard_name(path):
    StepLog(path).append(step=1)
    expected = {"kind", "step", "time", "wall_s", "residual", "format", "escalations", "joules"}
    assert set(read_steps(path)[0]) == expected


def test_the_wall_time_is_measured_unless_given(path):
    log = StepLog(path)
    log.append(step=1)
    log.append(step=2, wall_s=7.0)
    first, second = read_steps(path)
    assert first["wall_s"] >= 0
    assert second["wall_s"] == 7.0


def test_a_residual_that_is_not_finite_is_null_with_a_reason(path):
    StepLog(path).append(step=1, residual=math.inf)
    (row,) = read_steps(path)
    assert (row["residual"], row["reasons"]) == (None, {"residual": "it became inf"})


def test_names_of_the_app_are_kept(path):
    StepLog(path).append(step=3, kind="refinement", mean_c=14.0)
    (row,) = read_steps(path)
    assert (row["kind"], row["mean_c"]) == ("refinement", 14.0)


@pytest.mark.parametrize("tail", ['{"step": 2, "resid', '{"step": 2', "3", '"\xff'])
def test_a_torn_last_line_is_left_out(path, tail):
    path.write_bytes(b'{"step": 1}\n' + tail.encode("latin-1"))
    assert read_steps(path) == [{"step": 1}]
    assert torn(path) == "the last line of steps.jsonl is torn, and left out"


@pytest.mark.parametrize("content", ["", '{"step": 1}\n', '{"step": 1}\n{"step": 2}'])
def test_whole_lines_are_not_torn(path, content):
    assert torn(path) == ""
    path.write_text(content)
    assert torn(path) == ""


def test_only_the_end_of_a_long_file_is_read_to_see_whether_it_is_torn(path):
    path.write_text('{"step": 1}\n' * (LONGEST_LINE // 10) + '{"st')
    assert torn(path)


def test_a_damaged_line_in_the_middle_is_named(path):
    path.write_text('{"step": 1}\nnoise\n{"step": 3}\n')
    with pytest.raises(FileError, match=r"steps\.jsonl, line 2"):
        read_steps(path)


def test_a_run_that_was_killed_before_its_first_step_has_no_rows(path):
    assert read_steps(path) == []
    path.touch()
    assert read_steps(path) == []


def test_other_ranks_write_nothing(tmp_path):
    log = StepLog(None)
    log.append(step=1)
    log.close()
    assert list(tmp_path.iterdir()) == []


def test_a_log_that_cannot_be_made_is_an_error_that_names_it(tmp_path):
    with pytest.raises(FileError, match=r"cannot write .*gone.*--out"):
        StepLog(tmp_path / "gone" / "steps.jsonl")


def test_a_full_disk_is_an_error_that_names_the_file():
    from pathlib import Path

    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    log = StepLog(Path("/dev/full"))
    with pytest.raises(FileError, match="No space left on device"):
        log.append(step=1)


def test_every_line_is_json_for_other_tools(path):
    StepLog(path).append(step=1, residual=math.nan, more={"a": (1, 2)})
    assert json.loads(path.read_text())["more"] == {"a": [1, 2]}
