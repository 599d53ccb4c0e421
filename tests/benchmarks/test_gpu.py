"""The benchmark of a GPU runs as a whole, on the device that a processor plays."""

import json
import os
import subprocess
import sys
from pathlib import Path

import emulation
import pytest

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "gpu.py"


@pytest.mark.launches
def test_it_writes_what_it_measured_in_every_format(tmp_path):
    emulation.device()
    words = [sys.executable, PROGRAM, "--quick", "--rounds", "1", "--out", tmp_path]
    surroundings = os.environ | {"MPSOLVE_EMULATED_DEVICE": "1"}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=surroundings)
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "gpu.json").read_text())
    assert record["device"] == "emulated device"
    for part in ("explicit", "multigrid", "cg", "dense"):
        assert [row["format"] for row in record[part]] == ["fp64", "fp32", "bf16", "fp16"]
    assert all(row["converged"] and row["lu_time_s"] > 0 for row in record["dense"])
    assert all(row["relative_residual"] <= 1e-10 for part in ("multigrid", "cg") for row in record[part])
