"""Runs of the heat app as subprocesses, small enough for two cores."""

import json
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

APP = ("-m", "mpsolve.apps.heat")
#: The NumPy backend compiles nothing, which on small grids is most of the time; no pictures for the same reason.
QUICK = ("--backend", "reference", "--set", "run.pictures=false")
#: Every list of words is a run of the app, one after the other in the same processes. The copy whose bandwidth is
#: recorded moves little: what it measures is no concern here, and touching the memory takes longer than a small run.
SEVERAL = """
import json, sys
from mpsolve.apps import heat
from mpsolve.parallel import stream
from mpsolve.parallel import launch

stream.ARRAY_BYTES = stream.LEAST_BYTES = 1 << 20
sys.exit(launch.run(lambda given: max([heat.main(words) for words in json.loads(given[0])]), sys.argv[1:]))
"""


def pytest_collection_modifyitems(items):
    """Mark every test of this folder: each starts processes of its own."""
    for item in items:
        if "tests/apps/" in item.path.as_posix():
            item.add_marker(pytest.mark.launches)


@pytest.fixture(scope="session")
def surroundings():
    """Return the environment of an app: one thread."""
    return dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


@pytest.fixture(scope="session")
def quick_program():
    """Return a function that gives the arguments of a Python that runs the app once, quickly, with some words."""
    return lambda words: ("-c", SEVERAL, json.dumps([[*QUICK, *words]]))


@pytest.fixture
def app(mpirun, plain, surroundings, quick_program, tmp_path):
    """Return a function that runs the app and returns the process and its run directory."""

    def run(*arguments, ranks=0, out="run", timeout=100, quick=False):
        directory = tmp_path / out
        words = (*arguments, *(("--out", str(directory)) if out else ()))
        program = quick_program(words) if quick else (*APP, *words)
        start = (lambda *given, **options: mpirun(ranks, *given, **options)) if ranks else plain
        process = start(*program, timeout=timeout, environment=surroundings)
        return SimpleNamespace(status=process.returncode, out=process.stdout, error=process.stderr, directory=directory)

    return run


@pytest.fixture(scope="session")
def run_several(mpirun, surroundings):
    """Return a function that runs the app once per list of words in one launch: ``run(ranks, runs)``.

    Starting Python, MPI and the imports takes longer than most small runs.
    """

    def run(ranks, runs, timeout=100):
        process = mpirun(ranks, "-c", SEVERAL, json.dumps(list(runs)), timeout=timeout, environment=surroundings)
        assert process.returncode == 0, process.stdout + process.stderr

    return run


@pytest.fixture(scope="session")
def quick():
    """Return the words that make a run quick."""
    return QUICK


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
