"""Runs of the apps for dense systems, several in one launch: starting Python takes longer than a small solve."""

import json
from types import SimpleNamespace

import pytest

#: Every list of words is a run of the app named first; what it printed and its status or error are collected.
PROGRAM = """
import contextlib, importlib, io, json, sys
from mpsolve.parallel import stream
from mpsolve.errors import MpsolveError
from mpsolve.parallel import launch

stream.ARRAY_BYTES = stream.LEAST_BYTES = 1 << 20

def one(app, *words):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            status = importlib.import_module(f"mpsolve.apps.{app}").main(list(words))
        except MpsolveError as error:
            status = str(error)
    return status, out.getvalue()

def main(given):
    comm = launch.start()
    found = [comm.gather(one(*words)) for words in json.loads(given[0])]
    if comm.rank == 0:
        print(json.dumps(found))
    return 0

sys.exit(launch.run(main, sys.argv[1:]))
"""
QUICK = ("--backend", "reference", "--set", "run.pictures=false")


@pytest.fixture(scope="session")
def run_apps(mpirun, surroundings):
    """Return a function that runs apps: ``run(ranks, [(app, word, ...), ...])`` returns a status and output for each.

    The status, or the text of the error, must be the same on every rank; the output is that of rank 0.
    """

    def run(ranks, runs, *, quick=True, timeout=110):
        words = [[app, *(QUICK if quick else ()), *map(str, rest)] for app, *rest in runs]
        process = mpirun(ranks, "-c", PROGRAM, json.dumps(words), timeout=timeout, environment=surroundings)
        assert process.returncode == 0, process.stdout + process.stderr
        found = json.loads(process.stdout.splitlines()[-1])
        for of_ranks in found:
            assert len({str(status) for status, _ in of_ranks}) == 1, of_ranks
        return [SimpleNamespace(status=ranks[0][0], out=ranks[0][1]) for ranks in found]

    return run
