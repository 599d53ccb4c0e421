"""`mpsolve machines`: the catalogue, or one machine."""

import pytest

from mpsolve.__main__ import main
from mpsolve.projection.catalogue import machine_names


def test_every_machine_has_a_line(capsys):
    assert main(["machines"]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.split("\n\n")[0].splitlines()[1:]]
    assert tuple(listed) == machine_names()


def test_one_is_shown_with_its_conflicts(capsys):
    assert main(["machines", "jupiter"]) == 0
    out = capsys.readouterr().out
    assert "SPARSE FP8" in out
    assert "scheduler         slurm" in out


@pytest.mark.parametrize(
    ("name", "named"), [("jupitr", "did you mean 'jupiter'?"), ("gone.toml", "cannot read gone.toml")]
)
def test_an_unknown_one_is_one_line(name, named, capsys):
    assert main(["machines", name]) == 2
    error = capsys.readouterr().err
    assert named in error
    assert len(error.splitlines()) == 1
