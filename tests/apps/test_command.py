"""The command line: help, the printed configuration, and the time both take."""

import tomllib

import pytest

HEAVY = ("numpy", "numba", "h5py", "matplotlib", "mpi4py.MPI", "mpi4py")


def test_the_printed_configuration_gives_itself_again(app, tmp_path):
    first = app("--print-config", "--set", "heat.shape=[7,9]", "--precision", "bf16", ranks=3, out="")
    (tmp_path / "again.toml").write_text(first.out)
    second = app("--print-config", "--config", str(tmp_path / "again.toml"), out="")
    assert first.status == second.status == 0
    assert first.out == second.out
    printed = tomllib.loads(first.out)
    assert (printed["heat"]["shape"], printed["precision"]["inner"]) == ([7, 9], "bf16")


@pytest.mark.parametrize("name", ["heat", "heat3d", "earth", "earth_quarter_degree"])
def test_a_published_configuration_is_found_by_its_name(app, name):
    by_name, by_path = (app("--print-config", "--config", given, out="") for given in (name, f"configs/{name}.toml"))
    assert by_name.status == by_path.status == 0
    assert by_name.out == by_path.out


def test_the_default_configuration_is_the_published_one_of_the_app(app):
    assert app("--print-config", out="").out == app("--print-config", "--config", "heat", out="").out


def test_help_is_printed_once_on_many_ranks(app):
    run = app("--help", ranks=3, out="")
    assert (run.status, run.error) == (0, "")
    assert run.out.count("usage: python -m mpsolve.apps.heat") == 1


def test_help_loads_neither_numpy_nor_mpi(plain):
    code = f"import sys; from mpsolve.apps import heat; heat.main(['--help']); print({{*{HEAVY!r}}} & set(sys.modules))"
    run = plain("-c", code)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == "set()"
