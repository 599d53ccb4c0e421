"""A folder with a finished sweep, and the command `mpsolve` as users start it."""

import numpy as np
import pytest

from mpsolve.energy.base import unavailable
from mpsolve.ledger import Ledger
from mpsolve.records.fields import write_fields
from mpsolve.records.run import RunRecord

TIMES = {"fp64": 8.0, "fp32": 4.0, "bf16": 2.0}


@pytest.fixture
def sweep(tmp_path, comm):
    """Three runs below tmp_path/runs, made as an app makes them; returns their names in order."""
    names = []
    for precision, time_s in TIMES.items():
        directory = tmp_path / "runs" / f"{precision}_run"
        config = {"grid": {"shape": (8, 8)}, "solver": {"inner": "cg"}}
        record = RunRecord.create(directory, "heat", config, ["heat"], comm, {"inner": precision})
        for refinement in range(3):
            record.steps.append(step=0, residual=10.0 ** (-5 * refinement - 1), kind="refinement", format=precision)
        ledger = Ledger()
        ledger.add("inner", precision, flops=1000)
        write_fields(record.fields_path, {"u": (np.eye(8), "K", {})}, {})
        results = {"time_s": time_s, "unknowns": 64, "converged": True, "backward_error": 1e-16, "error_l2": 1e-3}
        record.finish("ok", results, ledger, [unavailable("no powercap counters")])
        names.append(directory.name)
    return names


@pytest.fixture
def mpsolve(tmp_path, plain):
    """Return a function that runs ``python -m mpsolve`` in tmp_path; standard output, error and status come back."""

    def run(*arguments, environment=None):
        code = f"import os, runpy; os.chdir({str(tmp_path)!r}); runpy.run_module('mpsolve', run_name='__main__')"
        return plain("-c", code, *arguments, environment=environment)

    return run
