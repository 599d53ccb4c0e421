"""Runs of the heat app as subprocesses, small enough for two cores."""

import json
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

APP = ("-m", "mpsolve.apps.heat")
#: The NumPy backend compiles nothing, which on small grids is most of the time; no pictures for the same reason.
QUICK = ("--backend", "reference", "--set", "run.pictures=false")


def pytest_collection_modifyitems(items):
    """Mark every test of this folder: each starts processes of its own."""
    for item in items:
        if "tests/apps/" in item.path.as_posix():
            item.add_marker(pytest.mark.launches)


@pytest.fixture(scope="session")
def surroundings(tmp_path_factory):
    """Return the environment of an app: kernels compiled once for all tests, one thread."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    return threads | {"MPSOLVE_CACHE_DIR": str(tmp_path_factory.mktemp("kernels"))}


@pytest.fixture
def app(mpirun, plain, surroundings, tmp_path):
    """Return a function that runs the app and returns the process and its run directory."""

    def run(*arguments, ranks=0, out="run", timeout=100, quick=False):
        directory = tmp_path / out
        words = (*APP, *(QUICK if quick else ()), *arguments, *(("--out", str(directory)) if out else ()))
        start = (lambda *given, **options: mpirun(ranks, *given, **options)) if ranks else plain
        process = start(*words, timeout=timeout, environment=surroundings)
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


@pytest.fixture
def write_map(tmp_path):
    """Return a function that writes a map of the surface: ``write(name, lat, lon, land_fraction=...)``."""

    def write(name, lat, lon, **maps):
        with h5py.File(tmp_path / name, "w") as file:
            file["lat"], file["lon"] = lat, lon
            for dataset, values in maps.items():
                file[dataset] = values
        return tmp_path / name

    return write
