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

#: Where it is found out: before MPI starts, on rank 0 alone, on every rank, while kernels are bound.
PLACES = ("unknown key", "missing map", "taken", "unstable step")

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


@pytest.fixture
def folder(tmp_path, write_map):
    """Return a directory with the files that the cases name."""
    (tmp_path / "broken.toml").write_text('model = "heat"\n[heat\n')
    land = np.full((8, 16), 30.0)
    whole = write_map("cut.h5", LAT, LON, land_fraction=np.zeros((8, 16))).read_bytes()
    (tmp_path / "cut.h5").write_bytes(whole[: len(whole) // 2])
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["pressure"] = np.zeros((8, 16))
    hole = land.copy()
    hole[2, 5] = np.nan
    write_map("nan.h5", LAT, LON, land_fraction=hole)
    write_map("bright.h5", LAT, LON, land_fraction=land, albedo=np.full((8, 16), 2.0))
    write_map("shape.h5", LAT, LON, land_fraction=land[:4])
    for name in ("taken", "sweep/fp32"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "run.json").write_text("{}")
    return tmp_path


def placed(words, folder):
    """Return the words with the directory filled in, and one for the output where they name none."""
    words = [word.replace("DIR", str(folder)) for word in words]
    return words if "--out" in words else [*words, "--out", str(folder / "run")]


def tree(folder):
    return sorted(str(path) for path in folder.rglob("*"))


def says(error, phrases):
    return [phrase for phrase in phrases if phrase not in error]


@pytest.mark.parametrize("case", CASES)
def test_one_line_names_the_mistake_and_nothing_is_written(app, folder, case):
    words, phrases = CASES[case]
    before, begin = tree(folder), time.monotonic()
    run = app(*placed(words, folder), out="", quick=True)
    assert time.monotonic() - begin < 10
    assert run.status == 2, run.error
    assert run.error.startswith("mpsolve: error: ")
    assert run.error.count("\n") == 1, run.error
    assert says(run.error, phrases) == [], run.error
    assert tree(folder) == before


@pytest.mark.parametrize("ranks", [3, 8])
@pytest.mark.parametrize("case", PLACES)
def test_many_ranks_print_one_line(app, folder, ranks, case):
    words, phrases = CASES[case]
    before, begin = tree(folder), time.monotonic()
    run = app(*placed(words, folder), ranks=ranks, out="", quick=True)
    # Ten seconds where every rank has a core; here up to eight share two.
    assert time.monotonic() - begin < 10 * max(1, ranks / 2)
    assert run.status == 2, run.error
    assert run.error.startswith("mpsolve: error: ")
    assert run.error.count("\n") == 1, run.error
    assert says(run.error, phrases) == [], run.error
    assert tree(folder) == before


@pytest.mark.parametrize("ranks", [3, 8])
def test_every_rank_agrees_on_every_mistake(mpirun, surroundings, folder, ranks):
    before = tree(folder)
    all_words = [placed((*words, "--set", "run.pictures=false"), folder) for words, _ in CASES.values()]
    run = mpirun(ranks, "-c", EVERY_CASE, json.dumps(all_words), timeout=100, environment=surroundings)
    assert run.returncode == 0, run.stderr
    for (case, (_, phrases)), lines in zip(CASES.items(), json.loads(run.stdout), strict=True):
        assert len(lines) == ranks
        assert len(set(lines)) == 1, (case, lines)
        assert says(lines[0], phrases) == [], (case, lines[0])
    assert tree(folder) == before


@pytest.mark.parametrize(
    ("words", "ranks", "phrases"),
    [
        (("--set", "heat.shape=[2,2]"), 8, ["2x2", "8 ranks", "4 ranks", "grid of"]),
        (("--set", "heat.shape=[2,2]"), 3, ["2x2", "3 ranks", "2 ranks", "grid of"]),
        (
            (*SMALL, "--set", "run.ranks=[8,1]", "--set", "time.steps_per_pass=3", "--set", "time.stepper=euler"),
            8,
            ["8x8"],
        ),
    ],
)
def test_more_ranks_than_the_grid_can_take_say_which_count_or_grid_would_do(app, words, ranks, phrases):
    run = app(*words, ranks=ranks, quick=True)
    assert run.status == 2, run.error
    assert run.error.count("\n") == 1, run.error
    assert says(run.error, phrases) == [], run.error
    assert "these would do: " in run.error
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
    assert app(*SMALL, quick=True).status == 0
    before = tree(app(*SMALL, quick=True).directory)
    again = app(*SMALL, quick=True)
    assert (again.status, again.error.count("\n")) == (2, 1)
    assert "already holds a run (run.json)" in again.error
    assert tree(again.directory) == before
