"""Runs of the heat app as subprocesses, small enough for two cores."""

import json
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

APP = ("-m", "mpsolve.apps.heat")


@pytest.fixture(scope="session")
def kernels(tmp_path_factory):
    """Return the environment of an app: kernels compiled once for all tests, one thread."""
    return {"MPSOLVE_CACHE_DIR": str(tmp_path_factory.mktemp("kernels"))}


@pytest.fixture
def app(mpirun, plain, kernels, tmp_path):
    """Return a function that runs the app and returns the process and its run directory."""

    def run(*arguments, ranks=0, out="run", timeout=100):
        directory = tmp_path / out
        words = (*APP, *arguments, *(("--out", str(directory)) if out else ()))
        if ranks:
            process = mpirun(ranks, *words, timeout=timeout, environment=kernels)
        else:
            process = plain(*words, timeout=timeout, environment=kernels)
        return SimpleNamespace(status=process.returncode, out=process.stdout, error=process.stderr, directory=directory)

    return run


@pytest.fixture(scope="session")
def field_of():
    """Return a function that reads a field of a run directory."""

    def read(directory, name="temperature"):
        with h5py.File(directory / "fields.h5") as file:
            return np.array(file[name])

    return read


@pytest.fixture(scope="session")
def record_of():
    """Return a function that reads run.json."""
    return lambda directory: json.loads((directory / "run.json").read_text())
