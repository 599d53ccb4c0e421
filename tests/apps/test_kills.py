"""A rank killed at any moment: the job ends, what it left can be read, and the restart reaches the same answer.

MPSOLVE_KILLS says how often for each app; make nightly sets it to 50.
"""

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from quick_apps import answer, command, ranks_below

from mpsolve.records.run import read_run
from mpsolve.records.steps import read_steps

KILLS = int(os.environ.get("MPSOLVE_KILLS", "5"))
RANKS = 3
COMMON = ("--backend", "reference", "--set", "run.pictures=false", "--precision", "fp16")
APPS = {
    "heat": (
        "heat", *COMMON, "--set", "heat.shape=[20,24]", "--set", "time.steps=60", "--set", "run.checkpoint_steps=6",
    ),
    "earth": (
        "heat", "--config", "earth", *COMMON, "--set", "earth.latitudes=32", "--set", "earth.longitudes=64",
        "--set", "earth.years=1", "--set", "run.checkpoint_steps=5",
    ),
    "climate": (
        "climate", *COMMON, "--set", "climate.shape=[16,32]", "--set", "climate.days=0.5", "--set", "time.dt_s=300",
        "--set", "run.checkpoint_steps=20",
    ),
    "mxp": (
        "mxp", *COMMON, "--n", "240", "--set", "run.fields=true", "--set", "grid.block=16",
        "--set", "run.checkpoint_steps=2",
    ),
}  # fmt: skip
#: A job whose rank was killed ends within so many seconds.
PROMPT_S = 10.0

pytestmark = [pytest.mark.launches, pytest.mark.timeout(60 * (2 + KILLS))]


def wait_for_steps(process, out):
    """Wait until a run has begun its log of steps."""
    end = time.monotonic() + 60
    while not (out / "steps.jsonl").exists():
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture(scope="module", params=APPS)
def app(request, tmp_path_factory):
    """Return an app's words, the answer of a run that nobody disturbs, and how long its steps take."""
    if not Path("/proc/self/stat").exists():
        pytest.skip("the test finds ranks in /proc")
    words, out = APPS[request.param], tmp_path_factory.mktemp(request.param) / "whole"
    process = subprocess.Popen(command(RANKS, words, out), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wait_for_steps(process, out)
    begin = time.monotonic()
    _, told = process.communicate()
    assert process.returncode == 0, told
    return words, answer(out), time.monotonic() - begin


@pytest.mark.parametrize("number", range(KILLS))
def test_a_killed_rank_ends_the_job_and_the_restart_reaches_the_same_answer(app, tmp_path, number):
    words, wanted, duration_s = app
    rng, out = random.Random(number), tmp_path / "run"
    process = subprocess.Popen(command(RANKS, words, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for_steps(process, out)
    time.sleep(rng.uniform(0.0, duration_s))
    alive = ranks_below(process.pid)
    if alive:
        os.kill(rng.choice(alive), signal.SIGKILL)
    process.wait(PROMPT_S)
    finished = read_run(out)["status"] == "ok"
    assert finished or process.returncode != 0
    assert isinstance(read_steps(out / "steps.jsonl"), list)
    assert json.loads((out / "run.json").read_text())["status"] in ("running", "ok")
    if not finished:
        done = subprocess.run(
            command(RANKS, words, out, "--restart", "auto"), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert np.array_equal(answer(out), wanted)
