"""Runs on disk as a sweep would leave them, without solving anything."""

import pytest

from mpsolve.records.results import fill_results
from mpsolve.records.run import write_json


def reading(joules=None, kind="unavailable", scope="node", reason="no counter"):
    reason = reason if joules is None else ""
    return {"joules": joules, "kind": kind, "scope": scope, "source": "test", "reason": reason, "seconds": 1.0}


@pytest.fixture
def make_run(tmp_path):
    """Return a function that writes a run directory below tmp_path and returns it."""

    def make(name, *, inner="fp64", app="heat", config=None, status="ok", energy=None, ranks=2, **results):
        results = {"time_s": 8.0, "unknowns": 4096, "converged": True, "backward_error": 1e-16} | results
        values, reasons = fill_results(results)
        directory = tmp_path / name
        directory.mkdir(parents=True)
        content = {"schema_version": 1, "status": status, "app": app, "argv": [app]}
        content |= {"config": {"grid": {"shape": [64, 64]}} if config is None else config}
        content |= {"environment": {"ranks": [{"rank": n} for n in range(ranks)], "started_utc": f"2026 {name}"}}
        content |= {"precision": {"inner": inner}, "ledger": {}, "results": values, "reasons": reasons}
        content |= {"energy": [reading()] if energy is None else energy}
        write_json(directory / "run.json", content)
        return directory

    return make


@pytest.fixture
def make_reading():
    """Return a function that makes one reading as run.json holds it."""
    return reading
