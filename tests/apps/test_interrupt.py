"""Ctrl-C in the middle of a run: status 3 within seconds, and the record says so."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

WORDS = (
    "-m",
    "mpsolve.apps.heat",
    "--set",
    "heat.shape=[48,48]",
    "--set",
    "time.stepper=rk4",
    "--set",
    "time.steps=10000000",
)
MORE = ("--set", "time.diffusion_number=0.1", "--backend", "reference", "--set", "run.pictures=false")


@pytest.mark.parametrize("ranks", [1, 3])
def test_an_interrupt_ends_the_run_with_status_3(ranks, tmp_path):
    program = Path(sys.executable).parent / "mpirun"
    if ranks > 1 and not program.exists():
        pytest.skip("there is no mpirun beside Python")
    launcher = [str(program), "-n", str(ranks)] if ranks > 1 else []
    command = [*launcher, sys.executable, *WORDS, *MORE, "--out", str(tmp_path / "run")]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PMI", "MPI", "HYDRA"))}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    record = tmp_path / "run" / "run.json"
    deadline = time.monotonic() + 60
    while not record.exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.2)
    time.sleep(2.0)
    process.send_signal(signal.SIGINT)
    try:
        _, error = process.communicate(timeout=20)
    finally:
        process.kill()
    assert "Traceback" not in error
    if ranks == 1:
        # mpirun itself decides the status of a group that it was told to end.
        assert process.returncode == 3, error
    assert json.loads(record.read_text())["status"] in (("interrupted",) if ranks == 1 else ("interrupted", "running"))
