"""Records of runs on a grid and of dense runs, as the apps leave them."""

import json

import pytest

from mpsolve.projection import catalogue
from mpsolve.projection.work import read_work

GRID_LEDGER = {
    "stepper": {"fp64": {"flops": 8_000_000, "bytes": 80_000_000}},
    "halo": {"bf16": {"messages": 5000, "message_bytes": 104000}},
    "residual": {"fp64": {"flops": 200_000_000, "bytes": 400_000_000, "reductions": 40}},
    "inner": {"bf16": {"flops": 3_000_000_000, "bytes": 5_000_000_000, "reductions": 400}},
}
DENSE_LEDGER = {
    "panel": {"fp32": {"flops": 2_080_374_784}},
    "update": {"bf16": {"flops": 43_687_870_464}},
    "solve": {"fp32": {"flops": 67_108_864, "bytes": 134_217_728}},
    "residual": {"fp64": {"flops": 67_108_864, "bytes": 268_435_456, "reductions": 8}},
}
GRID = {
    "app": "heat",
    "config": {"model": "heat", "heat": {"shape": [1000, 1000]}, "time": {"stepper": "crank_nicolson", "steps": 2}},
    "results": {"unknowns": 1_000_000, "time_s": 1.5, "iterations": 200, "refinements": 10, "backward_error": 1e-13},
}
DENSE = {
    "app": "mxp",
    "config": {"mxp": {"n": 4096}},
    "results": {"unknowns": 4096, "time_s": 0.4, "iterations": 2, "refinements": 2, "backward_error": 2.5e-13,
                "pivoting": "none"},
}  # fmt: skip
CLIMATE_LEDGER = {
    "stage": {"fp16": {"flops": 6_000_000_000, "bytes": 2_000_000_000}},
    "filter": {"fp64": {"flops": 300_000_000, "bytes": 30_000_000}},
}
CLIMATE = {
    "app": "climate",
    "config": {"climate": {"shape": [240, 480], "filter_rad": 1.0471975511965976}, "time": {"stepper": "ssprk3"}},
    "results": {"unknowns": 3 * 240 * 480, "time_s": 1.5, "steps": 100, "mass_drift": 0.0},
}
LEDGERS = {"grid": (GRID, GRID_LEDGER), "dense": (DENSE, DENSE_LEDGER), "climate": (CLIMATE, CLIMATE_LEDGER)}
COUNTS = dict.fromkeys(("flops", "bytes", "messages", "message_bytes", "reductions"), 0)


@pytest.fixture
def write_run(tmp_path):
    """Return a function that writes a run directory; keywords replace parts of the record."""

    def write(name, kind, format="bf16", **changes):
        base, ledger = LEDGERS[kind]
        ranks = [{"rank": rank, "host": "here", "devices": []} for rank in range(4)]
        counted = {phase: {one: COUNTS | work for one, work in formats.items()} for phase, formats in ledger.items()}
        record = {"schema_version": 1, "status": "ok", "argv": [], "energy": [], "reasons": {}}
        record |= {"environment": {"ranks": ranks}, "precision": {"inner": format}, "ledger": counted}
        record |= base | {"results": base["results"] | {"format": format}} | changes
        directory = tmp_path / "runs" / name
        directory.mkdir(parents=True)
        (directory / "run.json").write_text(json.dumps(record))
        return directory

    return write


@pytest.fixture
def grid_work(write_run):
    return read_work(write_run("grid", "grid"))


@pytest.fixture
def dense_work(write_run):
    return read_work(write_run("dense", "dense"))


@pytest.fixture
def climate_work(write_run):
    return read_work(write_run("climate", "climate", "fp16"))


@pytest.fixture(scope="session")
def jupiter():
    return catalogue.load_machine("jupiter")
