"""Runs on a disk that is full or read-only, and two runs in one directory: a clear error, and no lost checkpoint."""

import os
import subprocess

import h5py
import numpy as np
import pytest

from mpsolve.records.checkpoint import load
from mpsolve.records.run import read_run

WORDS = ("--set", "heat.shape=[60,80]", "--set", "time.steps=30", "--set", "run.checkpoint_steps=6")


@pytest.fixture
def disk(tmp_path):
    """Return a function that makes a small disk, or changes the one that was made, and the folder it is at."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = []

    def change(options):
        words = ["-o", f"remount,{options}"] if mounted else ["-t", "tmpfs", "-o", options, "tmpfs"]
        done = subprocess.run(["mount", *words, str(folder)], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no disk of its own can be mounted: {done.stderr.strip()}")
        mounted.append(options)
        return folder

    if os.getuid() != 0:
        pytest.skip("only root may mount a small disk")
    yield change
    if mounted:
        subprocess.run(["umount", str(folder)], check=True)


def temperature(folder):
    with h5py.File(folder / "fields.h5") as file:
        return file["temperature"][()]


def test_a_full_disk_keeps_the_last_checkpoint_and_the_run_goes_on_when_there_is_room(app, disk):
    whole = app(*WORDS, out="whole", quick=True)
    assert whole.status == 0, whole.error
    checkpoints = sorted(whole.directory.glob("checkpoint-*.h5"))
    folder = disk(f"size={int(1.7 * checkpoints[0].stat().st_size) >> 10}k")
    full = app(*WORDS, ranks=2, out="disk/run", quick=True)
    assert full.status == 2
    (line,) = [line for line in full.error.splitlines() if line]
    assert "checkpoint-000000000012.h5: No space left on device; the checkpoints before it are kept" in line
    (kept,) = (folder / "run").glob("*checkpoint-*")
    assert load(kept).step == 6
    assert read_run(folder / "run")["status"] == "failed"
    disk("size=16m")
    again = app(*WORDS, "--restart", "auto", ranks=2, out="disk/run", quick=True)
    assert again.status == 0, again.error
    assert np.array_equal(temperature(folder / "run"), temperature(whole.directory))


def test_a_read_only_disk_is_one_line_before_any_work(app, disk):
    disk("size=1m")
    disk("ro")
    done = app(*WORDS, ranks=2, out="disk/run", quick=True)
    assert done.status == 2
    (line,) = [line for line in done.error.splitlines() if line]
    assert "Read-only file system; choose another" in line


def test_of_two_runs_in_one_directory_the_second_is_told_who_has_it(app, tmp_path):
    from mpsolve.records.claim import Claim

    (tmp_path / "run").mkdir()
    first = Claim(tmp_path / "run")
    done = app(*WORDS, "--restart", "auto", ranks=2, quick=True)
    first.release()
    assert done.status == 2
    assert f"is in use by process {os.getpid()} on " in done.error
    assert not (tmp_path / "run" / "run.json").exists()
