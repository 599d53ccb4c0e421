"""Ctrl-C, or the end of a batch job, in the middle of a run: status 3 within seconds, and the record says so."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

#: Days of work on each.
HEAT = ("--set", "heat.shape=[48,48]", "--set", "time.stepper=rk4", "--set", "time.steps=100000000")
WORK = {
    "explicit": (*HEAT, "--set", "time.diffusion_number=0.1"),
    "earth": ("--config", "configs/earth.toml", "--set", "earth.years=100000"),
}


def start(ranks, words, directory, program):
    mpirun = Path(sys.executable).parent / "mpirun"
    if ranks > 1 and not mpirun.exists():
        pytest.skip("there is no mpirun beside Python")
    launcher = [str(mpirun), "-n", str(ranks)] if ranks > 1 else []
    command = [*launcher, sys.executable, *program([*words, "--out", str(directory)])]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PMI", "MPI", "HYD", "OMPI"))}
    # A group of its own, as the shell gives it; Ctrl-C goes to all of it.
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    # Where the tests run in the background, the shell has told them to ignore Ctrl-C.
    listen = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731
    return subprocess.Popen(command, text=True, env=clean, start_new_session=True, preexec_fn=listen, **pipes)


def wait_for(process, file):
    deadline = time.monotonic() + 60
    while not (file.exists() and file.stat().st_size) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.2)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("work", WORK)
@pytest.mark.parametrize("ranks", [1, 3])
def test_an_interrupted_run_ends_with_status_3_and_says_so(ranks, work, name, tmp_path, quick_program):
    process = start(ranks, WORK[work], tmp_path / "run", quick_program)
    # An explicit run of this length writes its first row after hours.
    wait_for(process, tmp_path / "run" / ("run.json" if work == "explicit" else "steps.jsonl"))
    begin = time.monotonic()
    os.killpg(process.pid, signal.Signals[name])
    try:
        _, error = process.communicate(timeout=30)
    finally:
        process.kill()
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["status"] == "interrupted", error
    assert record["reasons"]["time_s"].startswith("the run ended early")
    assert process.returncode == 3, error
    assert error.startswith("mpsolve: interrupted") and error.count("\n") == 1
    # The end of a job's time leaves a checkpoint behind.
    assert ("--restart auto goes on" in error) == (name == "SIGTERM")
    assert time.monotonic() - begin < 10
    rows = (tmp_path / "run" / "steps.jsonl").read_text().splitlines()
    assert all(json.loads(row) for row in rows)
