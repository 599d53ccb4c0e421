"""`mpsolve calibrate`: this host as a machine file."""

import pytest

from mpsolve.__main__ import main
from mpsolve.projection.catalogue import load_machine


@pytest.mark.launches
def test_this_host_becomes_a_machine(mpsolve, tmp_path):
    result = mpsolve("calibrate", "--products", "fp64", "--out", "mine.toml")
    assert (result.returncode, result.stderr) == (0, "")
    machine = load_machine(str(tmp_path / "mine.toml"))
    assert machine.kind == "host"
    assert machine.accelerator.measured["fp64"].number > 0
    assert machine.accelerator.measured["memory_bandwidth"].number > 0


@pytest.mark.parametrize(("arguments", "named"), [
    (["--out", "mine.json"], "must end in .toml"), (["--out", "there.toml"], "exists"),
    (["--products", "fp65"], "fp65"),
])  # fmt: skip
def test_a_mistake_is_found_before_measuring(arguments, named, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.toml").touch()
    assert main(["calibrate", *arguments]) == 2
    assert named in capsys.readouterr().err


def test_without_a_launcher_it_says_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("mpsolve.commands.calibrate.find_launchers", list)
    assert main(["calibrate"]) == 2
    assert "no mpirun or mpiexec" in capsys.readouterr().err
