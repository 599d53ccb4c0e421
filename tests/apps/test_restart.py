"""Runs that go on from a checkpoint: the same bits on any ranks, and nothing taken for another problem."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest

COMMON = ("--backend", "reference", "--set", "run.pictures=false")
HEAT = ("-m", "mpsolve.apps.heat", *COMMON, "--set", "heat.shape=[20,24]", "--set", "time.steps=7")
CLIMATE = ("-m", "mpsolve.apps.climate", *COMMON, "--precision", "fp16", "--set", "climate.shape=[16,32]")


def settings(*words):
    """Return ``--set`` before each word."""
    return tuple(part for word in words for part in ("--set", word))


EXPLICIT = (*HEAT, *settings("time.stepper=euler", "time.diffusion_number=0.1", "time.steps=300"))
EXPLICIT = (*EXPLICIT, *settings("run.checkpoint_steps=50"))
CASES = {
    "implicit": (*HEAT, "--precision", "fp16", *settings("run.checkpoint_steps=2")),
    "trapezoidal": (*HEAT, "--precision", "bf16", *settings("time.stepper=crank_nicolson", "run.checkpoint_steps=3")),
    "explicit": (*EXPLICIT, "--precision", "fp16"),
    "compensated": (*EXPLICIT, "--precision", "bf16", *settings("time.state_update=compensated")),
    "stochastic": (*EXPLICIT, "--precision", "bf16", *settings("time.state_update=stochastic")),
    "earth": (
        *HEAT, "--config", "earth", "--precision", "fp16",
        *settings("earth.latitudes=32", "earth.longitudes=64", "earth.years=1", "run.checkpoint_steps=20"),
    ),
    "climate": (
        *CLIMATE, *settings("climate.days=0.3", "time.dt_s=300", "run.checkpoint_steps=30", "time.correction_steps=20")
    ),
    "adams_bashforth": (
        *CLIMATE, *settings("climate.days=0.2", "time.dt_s=150", "time.stepper=ab2"),
        *settings("run.checkpoint_steps=40", "time.correction_steps=25"),
    ),
}  # fmt: skip


def field(folder):
    with h5py.File(folder / "fields.h5") as file:
        name = next(name for name in ("temperature", "height", "annual_mean") if name in file)
        return file[name][()]


def checkpoints(folder):
    return sorted(folder.glob("checkpoint-*.h5"))


@pytest.mark.parametrize("name", CASES)
def test_a_run_that_goes_on_has_the_bits_of_one_that_never_stopped(mpirun, tmp_path, name):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    done = mpirun(1, *CASES[name], "--out", whole)
    assert done.returncode == 0, done.stderr
    assert 1 <= len(checkpoints(whole)) <= 2
    # As a run leaves it that was killed after its first checkpoint: no fields, and a record that says "running".
    shutil.copytree(whole, cut)
    (cut / "fields.h5").unlink()
    record = json.loads((cut / "run.json").read_text())
    (cut / "run.json").write_text(json.dumps(record | {"status": "running"}))
    for path in checkpoints(cut)[1:]:
        path.unlink()
    done = mpirun(3, *CASES[name], "--out", cut, "--restart", "auto")
    assert done.returncode == 0, done.stdout + done.stderr
    assert np.array_equal(field(cut), field(whole))
    record = json.loads((cut / "run.json").read_text())
    assert record["status"] == "ok" and "checkpoint-" in record["resumed"]
    kinds = [json.loads(line)["kind"] for line in (cut / "steps.jsonl").read_text().splitlines()]
    assert "restart" in kinds


def started(words, out):
    """Start a run that lasts for minutes, and wait for its first steps."""
    process = subprocess.Popen(
        [sys.executable, *map(str, words), "--out", str(out)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    end = time.monotonic() + 60
    while not (out / "steps.jsonl").exists() or not (out / "steps.jsonl").read_text():
        assert process.poll() is None and time.monotonic() < end, process.communicate()
        time.sleep(0.05)
    return process


LONG = (*HEAT[:-1], "time.steps=1000000")


@pytest.mark.launches
def test_sigterm_saves_and_stops_and_sigusr1_saves_and_goes_on(tmp_path):
    process = started(LONG, tmp_path)
    process.send_signal(signal.SIGUSR1)
    end = time.monotonic() + 30
    while not checkpoints(tmp_path):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 3 and "--restart auto goes on" in err and len(checkpoints(tmp_path)) == 2
    assert json.loads((tmp_path / "run.json").read_text())["status"] == "interrupted"


@pytest.mark.launches
def test_a_run_saves_and_stops_before_its_time_is_up(tmp_path):
    words = [sys.executable, *LONG, "--set", "run.limit_seconds=61", "--out", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 3 and len(checkpoints(tmp_path)) == 1


def test_the_precision_may_change_and_the_problem_may_not(mpirun, tmp_path):
    assert mpirun(1, *CASES["implicit"], "--out", tmp_path / "a").returncode == 0
    restart = ("--restart", tmp_path / "a")
    done = mpirun(1, *HEAT, "--precision", "fp32", "--out", tmp_path / "b", *restart)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "b" / "run.json").read_text())["precision"]["inner"] == "fp32"
    done = mpirun(3, *HEAT, "--set", "heat.shape=[20,25]", "--out", tmp_path / "c", *restart)
    assert done.returncode == 2 and "another problem: it has heat.shape = [20, 24], the run [20, 25]" in done.stderr


def test_a_run_that_was_ended_before_its_first_checkpoint_begins_anew(mpirun, tmp_path):
    assert mpirun(1, *HEAT, "--out", tmp_path / "whole").returncode == 0
    shutil.copytree(tmp_path / "whole", tmp_path / "cut")
    (tmp_path / "cut" / "fields.h5").unlink()
    record = json.loads((tmp_path / "cut" / "run.json").read_text())
    (tmp_path / "cut" / "run.json").write_text(json.dumps(record | {"status": "running"}))
    done = mpirun(1, *HEAT, "--out", tmp_path / "cut", "--restart", "auto")
    assert done.returncode == 0, done.stderr
    assert np.array_equal(field(tmp_path / "cut"), field(tmp_path / "whole"))


def test_what_is_not_there_is_said(mpirun, tmp_path):
    done = mpirun(1, *HEAT, "--out", tmp_path / "a", "--restart", tmp_path / "none")
    assert done.returncode == 2 and "no such file" in done.stderr
    done = mpirun(1, *HEAT, "--restart", "auto")
    assert done.returncode == 2 and "give it with --out" in done.stderr
    done = mpirun(1, *HEAT, "--out", tmp_path / "b", "--restart", "auto")
    assert done.returncode == 0 and "the run begins anew" in done.stdout


def test_a_sweep_goes_on_with_what_is_not_finished(mpirun, tmp_path):
    words = (*HEAT, "--sweep", "fp64,fp16", "--set", "run.checkpoint_steps=2", "--out", tmp_path)
    assert mpirun(1, *words).returncode == 0
    for name in ("run.json", "fields.h5", "steps.jsonl"):
        (tmp_path / "fp16" / name).unlink()
    before = os.stat(tmp_path / "fp64" / "run.json").st_mtime_ns
    done = mpirun(1, *words, "--restart", "auto")
    assert done.returncode == 0, done.stdout + done.stderr
    assert os.stat(tmp_path / "fp64" / "run.json").st_mtime_ns == before
    assert json.loads((tmp_path / "fp16" / "run.json").read_text())["resumed"]
