"""The environment of a run: what is told and what is kept back."""

import platform
import sys

import pytest

from mpsolve.records.environment import cpu_model, gather_environment, mpi_library, slurm_variables, versions


@pytest.mark.ranks
def test_every_rank_is_listed_with_its_host_and_devices(comm):
    environment = gather_environment(comm, devices=[f"cuda:{comm.rank}"])
    if comm.rank == 0:
        expected = [{"rank": n, "host": platform.node(), "devices": [f"cuda:{n}"]} for n in range(comm.size)]
        assert environment["ranks"] == expected
    else:
        assert environment == {}


def test_versions_name_what_is_missing():
    assert versions(["numpy", "no-such-package"])["no-such-package"] is None
    assert versions([])["python"] == platform.python_version()


def test_only_listed_slurm_variables_are_recorded():
    given = {"SLURM_JOB_ID": "17", "SLURM_JOB_USER": "me", "SLURM_SUBMIT_DIR": "/home/me", "PATH": "/bin"}
    assert slurm_variables(given) == {"SLURM_JOB_ID": "17"}


def test_the_processor_is_read_from_the_kernel(tmp_path):
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text("processor\t: 0\nmodel name\t: Abacus 9000\nmodel name\t: other\n")
    assert cpu_model(tmp_path) == "Abacus 9000"


def test_the_mpi_library_is_not_loaded_to_be_named(monkeypatch):
    monkeypatch.delitem(sys.modules, "mpi4py.MPI", raising=False)
    assert mpi_library() is None
    assert "mpi4py.MPI" not in sys.modules


def test_the_mpi_library_is_named_when_it_runs(comm):
    assert mpi_library()
