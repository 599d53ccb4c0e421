"""Bad input to the heat app: one line that names it, status 2, on every rank count, and nothing half-written."""

import json
import time

import h5py
import numpy as np
import pytest

EARTH = ("--config", "earth")
SMALL = ("--set", "heat.shape=[8,8]")
LAT, LON = (np.arange(8) + 0.5) * 22.5 - 90, (np.arange(16) + 0.5) * 22.5 - 180

#: Name: words, then what the line has to say. DIR stands for a directory that holds the files made below.
CASES = {
    "unknown key": (("--set", "heat.shap=[8,8]"), ["heat.shap", "did you mean 'heat.shape'"]),
    "unknown table": (("--set", "heta.shape=[8,8]"), ["'heta'", "did you mean 'heat'"]),
    "wrong type": (("--set", "heat.shape=wide"), ["heat.shape = 'wide'", "a list of integers"]),
    "negative size": (("--set", "heat.shape=[-8,8]"), ["heat.shape = -8", "at least 1"]),
    "one axis": (("--set", "heat.shape=[8]"), ["heat.shape = [8]", "2 or 3 axes"]),
    "unstable step": (
        (*SMALL, "--set", "time.stepper=rk4", "--set", "time.dt_s=1"),
        ["time.dt_s = 1", "largest stable one is 0.00369", "crank_nicolson"],
    ),
    "unstable number": (
        (*SMALL, "--set", "time.stepper=euler"),
        ["time.diffusion_number = 1000", "largest stable one is 0.", " s", "backward_euler"],
    ),
    "unknown precision": (("--precision", "fp15"), ["'fp15'", "did you mean 'fp16'"]),
    "unknown backend": (("--backend", "gpu"), ["'gpu'", "auto", "reference"]),
    "unknown stepper": (("--set", "time.stepper=eular"), ["'eular'", "did you mean 'euler'"]),
    "unknown problem": (("--set", "heat.problem=sine"), ["'sine'", "heat_sine"]),
    "unknown flag": (("--precison", "fp64"), ["--precison", "--precision"]),
    "explicit earth": ((*EARTH, "--set", "time.stepper=rk4"), ["time.stepper = rk4", "crank_nicolson"]),
    "rank product": ((*SMALL, "--set", "run.ranks=[5,7]"), ["(5, 7)", "35 ranks"]),
    "rank axes": ((*SMALL, "--set", "run.ranks=[1,1,1]"), ["run.ranks = [1, 1, 1]", "2 axes"]),
    "missing configuration": (("--config", "nowhere.toml"), ["'nowhere.toml'", "does not exist", "earth"]),
    "broken configuration": (("--config", "DIR/broken.toml"), ["broken.toml", "not valid TOML", "line 2"]),
    "binary configuration": (("--config", "DIR/cut.h5"), ["cut.h5", "is it a TOML file?"]),
    "empty sweep entry": (("--sweep", "fp64,,fp32"), ["'fp64,,fp32'", "separated by commas"]),
    "half a sweep entry": (("--sweep", "fp16:"), ["'fp16:'", "fp16:compensated"]),
    "unknown state update": (
        ("--set", "time.stepper=euler", "--sweep", "fp16:plane"),
        ["'plane'", "did you mean 'plain'"],
    ),
    "implicit state update": (("--sweep", "fp16:plain"), ["'fp16:plain'", "backward_euler", "explicit"]),
    "repeated sweep": (("--sweep", "fp32,fp32"), ["'fp32'", "more than once"]),
    "sweep and precision": (("--sweep", "fp32,bf16", "--precision", "fp64"), ["--precision", "--sweep"]),
    "falling ladder": (("--set", 'precision.ladder=["fp32","bf16"]'), ["'fp32' to 'bf16'", "more precise"]),
    "missing map": ((*EARTH, "--set", "earth.surface=nowhere.h5"), ["nowhere.h5", "no such file"]),
    "truncated map": ((*EARTH, "--set", "earth.surface=DIR/cut.h5"), ["cut.h5", "complete HDF5 file"]),
    "no map": ((*EARTH, "--set", "earth.surface=DIR/broken.toml"), ["broken.toml", "HDF5"]),
    "other file": ((*EARTH, "--set", "earth.surface=DIR/other.h5"), ["other.h5", "'lat' is missing", "'pressure'"]),
    "NaN in the map": (
        (*EARTH, "--set", "earth.surface=DIR/nan.h5"),
        ["nan.h5", "'land_fraction' has nan", "lat -33.75", "percent from 0 to 100"],
    ),
    "albedo above 1": ((*EARTH, "--set", "earth.surface=DIR/bright.h5"), ["'albedo' has 2.0", "from 0 to 1"]),
    "wrong shape": ((*EARTH, "--set", "earth.surface=DIR/shape.h5"), ["(4, 16)", "(8, 16)"]),
    "unwritable": ((*SMALL, "--out", "/proc/mpsolve"), ["/proc/mpsolve", "--out"]),
    "below a file": ((*SMALL, "--out", "DIR/cut.h5/run"), ["cut.h5/run", "--out"]),
    "taken": ((*SMALL, "--out", "DIR/taken"), ["taken already holds a run", "--out"]),
    "taken by a variant": ((*SMALL, "--sweep", "fp64,fp32", "--out", "DIR/sweep"), ["sweep/fp32 already holds a run"]),
}

#: Too many ranks for the grid: the ranks and the words, then what the line has to say beside the counts that would do.
TOO_MANY = (
    (8, ("--set", "heat.shape=[2,2]"), ["2x2", "8 ranks", "1 ranks", "grid of"]),
    (3, ("--set", "heat.shape=[2,2]"), ["2x2", "3 ranks", "1 ranks", "grid of"]),
    (
        8,
        (*SMALL, "--set", "run.ranks=[8,1]", "--set", "time.steps_per_pass=3", "--set", "time.stepper=euler"),
        ["8x8"],
    ),
)
WOULD_DO = "these would do: "

#: Where it is found out: before MPI starts, on rank 0 alone, on every rank while kernels are bound.
PLACES = ("unknown flag", "unknown key", "unstable step")
#: Also found out by rank 0 alone, but later, from files.
LATER = ("missing map", "taken")

#: Each list of words in a process of its own, which has already imported what they all need; MPI has not started.
ONE_BY_ONE = """
import json, os, sys, tempfile, time
from pathlib import Path
from mpsolve.apps import heat
from mpsolve.driver import command, sweep
from mpsolve.parallel import launch

def in_a_child(words, out, error):
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.dup2(out.fileno(), 1)
    os.dup2(error.fileno(), 2)
    os._exit(launch.run(heat.main, words))

def ended(words):
    begin = time.monotonic()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as error:
        status = in_a_child(words, out, error)
        error.seek(0)
        tree = sorted(str(path) for path in Path(sys.argv[1]).rglob("*"))
        return {"status": status, "error": error.read(), "seconds": time.monotonic() - begin, "tree": tree}

print(json.dumps([ended(words) for words in json.loads(sys.argv[2])]))
"""

EVERY_CASE = """
import json, sys
from mpsolve.apps import heat
from mpsolve.errors import MpsolveError
from mpsolve.parallel import launch

def said(words):
    try:
        return f"status {heat.main(words)}"
    except MpsolveError as error:
        return str(error)

comm = launch.start()
lines = [comm.gather(said(words)) for words in json.loads(sys.argv[1])]
if comm.rank == 0:
    print(json.dumps(lines))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a directory with the files that the cases name."""
    folder = tmp_path_factory.mktemp("cases")
    (folder / "broken.toml").write_text('model = "heat"\n[heat\n')
    land = np.full((8, 16), 30.0)
    write(folder / "whole.h5", land_fraction=np.zeros((8, 16)))
    whole = (folder / "whole.h5").read_bytes()
    (folder / "cut.h5").write_bytes(whole[: len(whole) // 2])
    with h5py.File(folder / "other.h5", "w") as file:
        file["pressure"] = np.zeros((8, 16))
    hole = land.copy()
    hole[2, 5] = np.nan
    write(folder / "nan.h5", land_fraction=hole)
    write(folder / "bright.h5", land_fraction=land, albedo=np.full((8, 16), 2.0))
    write(folder / "shape.h5", land_fraction=land[:4])
    for name in ("taken", "sweep/fp32"):
        (folder / name).mkdir(parents=True)
        (folder / name / "run.json").write_text("{}")
    return folder


def write(path, **maps):
    with h5py.File(path, "w") as file:
        file["lat"], file["lon"] = LAT, LON
        for name, values in maps.items():
            file[name] = values


def placed(words, folder):
    """Return the words with the directory filled in, and one for the output where they name none."""
    words = [word.replace("DIR", str(folder)) for word in words]
    return words if "--out" in words else [*words, "--out", str(folder / "run")]


def tree(folder):
    return sorted(str(path) for path in folder.rglob("*"))


def says(error, phrases):
    return [phrase for phrase in phrases if phrase not in error]


@pytest.fixture(scope="module")
def ends(plain, surroundings, quick, folder):
    """Return how every case ended on one rank, and the tree of the folder before all of them."""
    before = tree(folder)
    all_words = [[*quick, *placed(words, folder)] for words, _ in CASES.values()]
    run = plain("-c", ONE_BY_ONE, str(folder), json.dumps(all_words), timeout=100, environment=surroundings)
    assert run.returncode == 0, run.stderr
    return before, dict(zip(CASES, json.loads(run.stdout), strict=True))


def is_one_line(status, error, phrases):
    assert status == 2, error
    assert error.startswith("mpsolve: error: ")
    assert error.count("\n") == 1, error
    assert says(error, phrases) == [], error


@pytest.mark.parametrize("case", CASES)
def test_one_line_names_the_mistake_and_nothing_is_written(ends, case):
    before, ended = ends[0], ends[1][case]
    is_one_line(ended["status"], ended["error"], CASES[case][1])
    assert ended["seconds"] < 10
    assert ended["tree"] == before


@pytest.mark.parametrize(
    ("ranks", "case"), [*((3, case) for case in (*PLACES, *LATER)), *((8, case) for case in PLACES)]
)
def test_many_ranks_print_one_line(app, folder, ranks, case):
    words, phrases = CASES[case]
    before, begin = tree(folder), time.monotonic()
    run = app(*placed(words, folder), ranks=ranks, out="", quick=True)
    # Ten seconds where every rank has a core; here up to eight share two.
    assert time.monotonic() - begin < 10 * max(1, ranks / 2)
    is_one_line(run.status, run.error, phrases)
    assert tree(folder) == before


@pytest.mark.parametrize("ranks", [3, 8])
def test_every_rank_agrees_on_every_mistake(mpirun, surroundings, folder, ranks):
    cases = CASES | {
        f"too many ranks {words}": (words, [*phrases, WOULD_DO]) for count, words, phrases in TOO_MANY if count == ranks
    }
    before = tree(folder)
    all_words = [placed((*words, "--set", "run.pictures=false"), folder) for words, _ in cases.values()]
    run = mpirun(ranks, "-c", EVERY_CASE, json.dumps(all_words), timeout=100, environment=surroundings)
    assert run.returncode == 0, run.stderr
    for (case, (_, phrases)), lines in zip(cases.items(), json.loads(run.stdout), strict=True):
        assert len(lines) == ranks
        assert len(set(lines)) == 1, (case, lines)
        assert says(lines[0], phrases) == [], (case, lines[0])
    assert tree(folder) == before


def test_more_ranks_than_the_grid_can_take_is_one_line_that_says_which_count_or_grid_would_do(app):
    ranks, words, phrases = TOO_MANY[1]
    run = app(*words, ranks=ranks, quick=True)
    is_one_line(run.status, run.error, [*phrases, WOULD_DO])
    assert not run.directory.exists()


def test_the_largest_stable_step_of_the_message_is_accepted_and_a_little_more_is_not(app):
    words = (*SMALL, "--set", "time.stepper=rk4")
    refused = app(*words, "--set", "time.dt_s=1", quick=True)
    largest = float(refused.error.split("largest stable one is ")[1].split(" s")[0])
    assert app(*words, "--set", f"time.dt_s={largest}", quick=True).status == 0
    assert app(*words, "--set", f"time.dt_s={largest * 1.0001}", out="more", quick=True).status == 2


def test_the_largest_stable_diffusion_number_of_the_message_is_accepted(app):
    words = (*SMALL, "--set", "time.stepper=euler")
    refused = app(*words, quick=True)
    largest = float(refused.error.split("largest stable one is ")[1].split(",")[0])
    assert app(*words, "--set", f"time.diffusion_number={largest}", quick=True).status == 0


def test_a_run_directory_is_not_overwritten(app):
    first = app(*SMALL, quick=True)
    assert first.status == 0
    before = tree(first.directory)
    again = app(*SMALL, quick=True)
    assert (again.status, again.error.count("\n")) == (2, 1)
    assert "already holds a run (run.json)" in again.error
    assert tree(again.directory) == before
