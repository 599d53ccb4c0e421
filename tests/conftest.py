"""Fixtures of all tests, and what makes pytest usable under mpirun: one voice, and no hang when one rank fails."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mpsolve.parallel import launch

RANKS = launch.launched()

# Variables of an outer mpirun or srun, which a nested mpirun would take for its own.
LAUNCHER_PREFIXES = ("PMI", "PMIX", "OMPI", "PRTE", "HYD", "MPI_LOCAL", "SLURM")


@pytest.hookimpl(trylast=True)
def pytest_configure(config):
    """Silence the terminal of every rank but 0; last, because the reporter is made in this hook too."""
    reporter = config.pluginmanager.getplugin("terminalreporter")
    if RANKS.rank and reporter is not None:
        reporter._tw._file = open(os.devnull, "w")  # noqa: SIM115


def pytest_collection_modifyitems(items):
    """Skip under mpirun what starts mpirun itself."""
    if RANKS.variable:
        for item in items:
            if item.get_closest_marker("launches"):
                item.add_marker(pytest.mark.skip(reason="starts its own ranks; runs under plain pytest"))


def pytest_runtest_logreport(report):
    """End all ranks when a test fails on one, because the others may wait for it in a collective."""
    if RANKS.size > 1 and report.failed:
        _abort(f"{report.nodeid} failed in {report.when} on rank {RANKS.rank} of {RANKS.size}:\n{report.longreprtext}")


def pytest_collectreport(report):
    """End all ranks when a test file cannot be imported on one."""
    if RANKS.size > 1 and report.failed:
        _abort(f"{report.nodeid} cannot be collected on rank {RANKS.rank}:\n{report.longreprtext}")


def _abort(message):
    sys.stdout.flush()
    os.write(2, f"{message}\n".encode())
    launch.start().Abort(1)


@pytest.fixture(scope="session")
def world():
    """Every rank that runs the tests; one under plain pytest."""
    return launch.start()


@pytest.fixture(params=["self", "world"] if RANKS.size > 1 else ["self"])
def comm(request, world):
    """COMM_SELF, and under mpirun also the communicator of all ranks."""
    from mpi4py import MPI

    return world if request.param == "world" else MPI.COMM_SELF


@pytest.fixture(scope="session")
def mpirun():
    """Return a function that runs Python on N ranks and returns the completed process; see `_run_ranks`."""
    beside = Path(sys.executable).parent / "mpirun"
    program = str(beside) if beside.exists() else shutil.which("mpirun")
    if program is None:
        pytest.skip("there is no mpirun beside Python or on the PATH")

    def run_ranks(ranks, *arguments, timeout=60, environment=None):
        """Run ``python ARGUMENTS`` on N ranks and end them all if they take longer than ``timeout`` seconds."""
        return run_bounded([program, "-n", str(ranks), sys.executable, *arguments], timeout, environment)

    return run_ranks


def run_bounded(command, timeout=60, environment=None):
    """Run a command without the variables of an outer launcher; kill its process group when the time is over."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(LAUNCHER_PREFIXES)}
    # Open MPI refuses to start as root or with more ranks than cores unless told so; MPICH ignores these.
    allowed = {
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
        "OMPI_MCA_rmaps_base_oversubscribe": "1",
    }
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**clean, **allowed, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **(environment or {})},
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        pytest.fail(f"{command} was still running after {timeout} s\n{out}\n{err}")
    return subprocess.CompletedProcess(command, process.returncode, out, err)


@pytest.fixture(scope="session")
def plain():
    """Return a function that runs Python without a launcher and returns the completed process."""

    def run_alone(*arguments, timeout=60, environment=None):
        return run_bounded([sys.executable, *arguments], timeout, environment)

    return run_alone
