"""The published batch scripts on a real Slurm, on four virtual nodes of two processors each."""

import json
import os
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from quick_apps import answer
from slurm import Slurm

ROOT = Path(__file__).parents[2]
SMALL = ("--set", "heat.shape=[24,24]", "--set", "run.pictures=false", "--set", "time.steps=3")

pytestmark = [pytest.mark.launches, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    if not (Path(sys.prefix) / "bin" / "activate").exists():
        pytest.skip("the scripts activate a virtual environment, and these tests run in none")
    slurm = Slurm(tmp_path_factory.mktemp("slurm"))
    yield slurm
    slurm.stop()


@pytest.fixture
def folder(tmp_path):
    """Return a folder to submit from, as a user's clone has them."""
    shutil.copytree(ROOT / "jobs", tmp_path / "jobs")
    (tmp_path / "runs").mkdir()
    return tmp_path


def test_heat_runs_on_every_rank_of_four_nodes(cluster, folder):
    # Eight ranks share the host: nothing is compiled, here and below.
    words = ("jobs/heat.sbatch", *SMALL, "--precision", "fp32", "--backend", "reference")
    job = cluster.submit(*words, folder=folder, MPSOLVE_ENVIRONMENT=sys.prefix)
    (end,) = cluster.wait(job)
    log = (folder / f"mpsolve-heat-{job}.log").read_text()
    assert (end["JobState"], end["ExitCode"]) == ("COMPLETED", "0:0"), log
    record = json.loads((folder / "runs" / f"heat-{job}" / "run.json").read_text())
    assert record["status"] == "ok" and record["results"]["converged"]
    assert len(record["environment"]["ranks"]) == 8
    assert record["environment"]["slurm"]["SLURM_JOB_ID"] == job
    assert "backward_error" in log


def test_a_failed_run_fails_the_job(cluster, folder):
    job = cluster.submit("jobs/heat.sbatch", "--precision", "fp3", folder=folder, MPSOLVE_ENVIRONMENT=sys.prefix)
    (end,) = cluster.wait(job)
    assert end["JobState"] == "FAILED" and end["ExitCode"] == "2:0"
    assert "fp3" in (folder / f"mpsolve-heat-{job}.log").read_text()


def test_a_sweep_ends_in_a_comparison_of_all_precisions(cluster, folder):
    words = ("--array=0,3", "-N", "2", "jobs/sweep.sbatch", *SMALL, "--backend", "reference")
    job = cluster.submit(*words, folder=folder, MPSOLVE_ENVIRONMENT=sys.prefix)
    ends = cluster.wait(job)
    logs = "\n".join(path.read_text() for path in sorted(folder.glob("mpsolve-sweep-*.log")))
    assert [end["JobState"] for end in ends] == ["COMPLETED"] * 2, logs
    queue = cluster.command("squeue", "-h", "-a", "-t", "all", "-o", "%i %j").splitlines()
    (last,) = [line.split()[0] for line in queue if line.endswith("mpsolve-compare")]
    (end,) = cluster.wait(last.split("_")[0])
    table = (folder / "runs" / f"sweep-{job}.txt").read_text()
    assert end["JobState"] == "COMPLETED", table
    for precision in ("fp64", "fp16"):
        assert (folder / "runs" / f"sweep-{job}" / precision / "run.json").exists()
        assert precision in table


LONG = (*SMALL[:-1], "time.steps=250", "--backend", "reference")


@pytest.fixture(scope="module")
def whole(mpirun, tmp_path_factory):
    """Return the answer of a run that has all the time it needs."""
    out = tmp_path_factory.mktemp("whole") / "run"
    done = mpirun(2, "-m", "mpsolve.apps.heat", *LONG, "--out", out)
    assert done.returncode == 0, done.stderr
    return answer(out)


def begun(cluster, folder, *words):
    """Submit a long job; return it, its log and its run directory when it has made its first steps."""
    job = cluster.submit("-N", "2", *words, "jobs/heat.sbatch", *LONG, folder=folder, MPSOLVE_ENVIRONMENT=sys.prefix)
    log, out = folder / f"mpsolve-heat-{job}.log", folder / "runs" / f"heat-{job}"
    end = time.monotonic() + 90
    while not (out / "steps.jsonl").exists() or not (out / "steps.jsonl").read_text():
        assert time.monotonic() < end, log.read_text() if log.exists() else cluster.states(job)
        time.sleep(0.1)
    return job, log, out


def test_a_job_that_was_cancelled_has_saved_and_the_next_one_goes_on(cluster, folder, whole):
    job, log, out = begun(cluster, folder)
    cluster.command("scancel", job)
    (end,) = cluster.wait(job)
    assert end["JobState"] == "CANCELLED", log.read_text()
    assert json.loads((out / "run.json").read_text())["status"] == "interrupted"
    variables = {"MPSOLVE_OUT": str(out), "MPSOLVE_ENVIRONMENT": sys.prefix}
    again = cluster.submit("-N", "1", "jobs/heat.sbatch", *LONG, folder=folder, **variables)
    (end,) = cluster.wait(again)
    assert end["JobState"] == "COMPLETED", (folder / f"mpsolve-heat-{again}.log").read_text()
    assert "checkpoint-" in json.loads((out / "run.json").read_text())["resumed"]
    assert np.array_equal(answer(out), whole)


@pytest.mark.skipif("MPSOLVE_SOAK" not in os.environ, reason="Slurm waits two minutes before it requeues: make nightly")
@pytest.mark.parametrize("end_of_time", ["signal", "limit"])
def test_a_job_whose_time_is_up_saves_goes_back_into_the_queue_and_goes_on(cluster, folder, whole, end_of_time):
    # The signal comes so many seconds before the limit; Slurm looks at limits twice a minute.
    limit = ("--time=1", "--signal=B:USR1@55") if end_of_time == "limit" else ()
    job, log, out = begun(cluster, folder, *limit)
    if end_of_time == "signal":
        cluster.command("scancel", "--signal=USR1", "--batch", job)
    end = time.monotonic() + 120
    while cluster.states(job)[0]["Restarts"] == "0":
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.2)
    (last,) = cluster.wait(job, 400)
    assert last["JobState"] == "COMPLETED", log.read_text()
    record = json.loads((out / "run.json").read_text())
    assert record["status"] == "ok" and "checkpoint-" in record["resumed"]
    assert record["results"]["steps"] == 250
    assert np.array_equal(answer(out), whole)
