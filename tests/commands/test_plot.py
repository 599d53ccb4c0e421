"""`mpsolve plot`: pictures of runs."""

import pytest

pytestmark = pytest.mark.launches


def test_the_paths_of_the_pictures_are_printed(sweep, mpsolve, tmp_path):
    pytest.importorskip("matplotlib")
    result = mpsolve("plot", "runs", "--out", "pictures")
    names = ["accuracy_against_time", "residual", "field_fp64", "field_fp32", "field_bf16"]
    assert result.stdout.splitlines() == [f"pictures/{name}.png" for name in names]
    assert all((tmp_path / line).stat().st_size > 1000 for line in result.stdout.splitlines())
    assert result.returncode == 0


def test_without_a_place_the_pictures_lie_in_the_first_run(sweep, mpsolve, tmp_path):
    pytest.importorskip("matplotlib")
    mpsolve("plot", "bf16_run")
    assert (tmp_path / "runs/bf16_run/field_bf16.png").is_file()


def test_no_picture_at_all_is_a_failure(sweep, mpsolve, tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "runs/bf16_run"
    (path / "run.json").write_text((path / "run.json").read_text().replace('"time_s": 2.0', '"time_s": null'))
    (path / "steps.jsonl").unlink()
    (path / "fields.h5").unlink()
    result = mpsolve("plot", "bf16_run")
    assert (result.returncode, result.stdout) == (1, "")
    assert "no residual.png: no run has residuals" in result.stderr


def test_without_matplotlib_the_extra_is_named_in_one_line(sweep, mpsolve, tmp_path):
    (tmp_path / "matplotlib.py").write_text("raise ImportError('not installed')")
    import os
    import sys

    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    result = mpsolve("plot", "bf16_run", environment={"PYTHONPATH": path})
    assert result.returncode == 2
    assert result.stderr == "mpsolve: error: pictures need matplotlib: pip install 'mpsolve[report]'\n"
