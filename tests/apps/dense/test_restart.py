"""Factorisations that go on from a checkpoint: the same bits on the same ranks, the same backward error on others."""

import json
import shutil
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest

COMMON = ("--backend", "reference", "--set", "run.pictures=false", "--set", "run.fields=true", "--set", "grid.block=32")
CASES = {
    "mxp": ("-m", "mpsolve.apps.mxp", *COMMON, "--n", "300", "--precision", "bf16"),
    "switched": (
        # Entries grow, so that row exchanges are switched on.
        "-m", "mpsolve.apps.solve", *COMMON, "--set", "system.n=300", "--precision", "fp16",
    ),
}  # fmt: skip
SAVING = ("--set", "run.checkpoint_steps=4")


def solution(folder):
    with h5py.File(folder / "fields.h5") as file:
        return file["x"][()]


def record(folder):
    return json.loads((folder / "run.json").read_text())


def cut_off(whole, cut):
    """Copy a run to how it was left after its first checkpoint that is still there."""
    shutil.copytree(whole, cut)
    (cut / "fields.h5").unlink()
    (cut / "run.json").write_text(json.dumps(record(cut) | {"status": "running"}))
    for path in sorted(cut.glob("checkpoint-*.h5"))[1:]:
        path.unlink()
    return cut


@pytest.fixture(scope="module", params=CASES)
def saved(request, mpirun, tmp_path_factory):
    words, whole = CASES[request.param], tmp_path_factory.mktemp(request.param) / "whole"
    done = mpirun(2, *words, *SAVING, "--out", whole)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in sorted(whole.glob("checkpoint-*.h5"))] == [
        "checkpoint-000000000004.h5",
        "checkpoint-000000000008.h5",
    ]
    return words, whole


def test_the_same_ranks_reach_the_same_bits(saved, mpirun, tmp_path):
    words, whole = saved
    cut = cut_off(whole, tmp_path / "cut")
    # The block is taken over from the checkpoint.
    done = mpirun(2, *words[: words.index("grid.block=32") - 1], *words[words.index("grid.block=32") + 1 :],
                  "--out", cut, "--restart", "auto")  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert np.array_equal(solution(cut), solution(whole))
    found = record(cut)
    assert found["results"]["block"] == 32 and "checkpoint-" in found["resumed"]
    assert found["results"]["flops_per_s"] is None and "comes after step 4" in found["reasons"]["unknowns_per_s"]
    assert found["results"]["pivoting"] == record(whole)["results"]["pivoting"]


def test_other_ranks_reach_the_same_backward_error(saved, mpirun, tmp_path):
    words, whole = saved
    cut = cut_off(whole, tmp_path / "cut")
    done = mpirun(3, *words, "--out", cut, "--restart", "auto")
    assert done.returncode == 0, done.stdout + done.stderr
    found, before = record(cut)["results"], record(whole)["results"]
    assert found["converged"] and found["format"] == before["format"] and found["refinements"] <= 50
    steps = [json.loads(line) for line in (cut / "steps.jsonl").read_text().splitlines()]
    assert any(row["kind"] == "restart" and row["step"] == 4 for row in steps)


def test_what_does_not_fit_is_refused_or_begun_anew(mpirun, tmp_path):
    words, whole = CASES["mxp"], tmp_path / "whole"
    assert mpirun(1, *words, *SAVING, "--out", whole).returncode == 0
    other = [part.replace("grid.block=32", "grid.block=40") for part in words]
    done = mpirun(1, *other, "--out", tmp_path / "a", "--restart", whole)
    assert done.returncode == 2 and "has blocks of 32" in done.stderr
    done = mpirun(1, *[part.replace("300", "301") for part in words], "--out", tmp_path / "b", "--restart", whole)
    assert done.returncode == 2 and "another problem" in done.stderr
    done = mpirun(1, *words, "--precision", "fp64", "--out", tmp_path / "c", "--restart", whole)
    assert done.returncode == 0 and "begins anew" in done.stdout


@pytest.mark.launches
def test_sigterm_saves_a_factorisation_and_stops(tmp_path):
    words = [sys.executable, "-m", "mpsolve.apps.mxp", "--n", "2000", "--precision", "fp64", "--backend", "reference"]
    words += ["--set", "grid.block=32", "--set", "run.pictures=false", "--set", "run.checkpoint_steps=1"]
    process = subprocess.Popen([*words, "--out", str(tmp_path)], stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 60
    while not list(tmp_path.glob("checkpoint-*.h5")):
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 3 and "--restart auto goes on" in err
    assert record(tmp_path)["status"] == "interrupted"
