"""`mpsolve ls`: one line per run."""

import pytest

pytestmark = pytest.mark.launches


def test_each_run_has_a_line(sweep, mpsolve):
    result = mpsolve("ls")
    header, *lines = [line.split() for line in result.stdout.splitlines()]
    assert header == ["run", "app", "status", "precision", "ranks", "time_s", "backward_error"]
    assert lines[2] == ["bf16_run", "heat", "ok", "bf16", "1", "2", "1e-16"]
    assert (len(lines), result.returncode, result.stderr) == (3, 0, "")


def test_a_damaged_run_is_named_and_the_rest_listed(sweep, mpsolve, tmp_path):
    (tmp_path / "runs/fp32_run/run.json").write_text("{")
    result = mpsolve("ls")
    assert [line.split()[0] for line in result.stdout.splitlines()[1:]] == ["fp64_run", "bf16_run"]
    assert result.stderr.startswith("mpsolve: error: fp32_run: ")
    assert (len(result.stderr.splitlines()), result.returncode) == (1, 2)


def test_a_folder_that_is_not_there_is_one_line(mpsolve):
    result = mpsolve("ls", "gone")
    assert (result.returncode, len(result.stderr.splitlines())) == (2, 1)
    assert "cannot list gone: No such file or directory" in result.stderr


def test_an_empty_folder_says_so(mpsolve, tmp_path):
    (tmp_path / "runs").mkdir()
    result = mpsolve("ls")
    assert (result.stdout, result.returncode) == ("no runs in runs\n", 0)
