"""A rank killed at any moment: the job ends, what it left can be read, and the restart reaches the same answer.

MPSOLVE_KILLS says how often for each app; make soak sets it to 50.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

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
#: An app of which the copy that measures the machine is small: it takes longer than these runs.
PROGRAM = """
import importlib, sys
from mpsolve.parallel import launch, stream

stream.ARRAY_BYTES = stream.LEAST_BYTES = 1 << 20
sys.exit(launch.run(importlib.import_module("mpsolve.apps." + sys.argv[1]).main, sys.argv[2:]))
"""
#: What holds the answer.
FIELDS = ("temperature", "annual_mean", "height", "x")
#: A job whose rank was killed ends within so many seconds.
PROMPT_S = 10.0

pytestmark = [pytest.mark.launches, pytest.mark.timeout(60 * (2 + KILLS))]


def command(words, out, *more):
    mpirun = Path(sys.executable).parent / "mpirun"
    return [str(mpirun), "-n", str(RANKS), sys.executable, "-c", PROGRAM, *words, "--out", str(out), *more]


def ranks_below(pid):
    """Return the processes of Python that descend from a process."""
    parents, names = {}, {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                fields = (folder / "stat").read_text().rpartition(")")
                parents[int(folder.name)] = int(fields[2].split()[1])
                names[int(folder.name)] = fields[0].partition("(")[2]
            except OSError:
                continue
    found, layer = [], [pid]
    while layer:
        layer = [child for child, parent in parents.items() if parent in layer]
        found += [child for child in layer if names[child].startswith("python")]
    return found


def answer(folder):
    with h5py.File(folder / "fields.h5") as file:
        return file[next(name for name in FIELDS if name in file)][()]


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
    process = subprocess.Popen(command(words, out), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wait_for_steps(process, out)
    begin = time.monotonic()
    _, told = process.communicate()
    assert process.returncode == 0, told
    return words, answer(out), time.monotonic() - begin


@pytest.mark.parametrize("number", range(KILLS))
def test_a_killed_rank_ends_the_job_and_the_restart_reaches_the_same_answer(app, tmp_path, number):
    words, wanted, duration_s = app
    rng, out = random.Random(number), tmp_path / "run"
    process = subprocess.Popen(command(words, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
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
        done = subprocess.run(command(words, out, "--restart", "auto"), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    assert np.array_equal(answer(out), wanted)
