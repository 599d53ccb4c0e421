"""Bad input to the heat app: one line that names it, status 2, on every rank count, and nothing half-written."""

import h5py
import numpy as np
import pytest

EARTH = ("--config", "earth")
CASES = {
    "unknown key": (("--set", "heat.shap=[8,8]"), "heat.shape"),
    "unknown table": (("--set", "heta.shape=[8,8]"), "heat"),
    "wrong type": (("--set", "heat.shape=wide"), "heat.shape"),
    "negative size": (("--set", "heat.shape=[-8,8]"), "at least 1"),
    "unstable step": (
        ("--set", "heat.shape=[8,8]", "--set", "time.stepper=rk4", "--set", "time.dt_s=1"),
        "must be at most",
    ),
    "unknown precision": (("--precision", "fp15"), "fp16"),
    "unknown backend": (("--backend", "gpu"), "reference"),
    "unknown problem": (("--set", "heat.problem=sine"), "heat_sine"),
    "explicit earth": ((*EARTH, "--set", "time.stepper=rk4"), "crank_nicolson"),
    "missing map": ((*EARTH, "--set", "earth.surface=nowhere.h5"), "nowhere.h5"),
    "rank grid": (("--set", "heat.shape=[8,8]", "--set", "run.ranks=[5,7]"), "5"),
    "missing configuration": (("--config", "nowhere.toml"), "nowhere.toml"),
    "repeated sweep": (("--sweep", "fp32,fp32"), "fp32"),
    "sweep and precision": (("--sweep", "fp32,bf16", "--precision", "fp64"), "--sweep"),
    "unknown flag": (("--precison", "fp64"), "--precision"),
    "unwritable": (("--set", "heat.shape=[8,8]", "--out", "/proc/mpsolve"), "/proc/mpsolve"),
}


@pytest.mark.parametrize("case", CASES)
def test_one_line_names_the_mistake(app, tmp_path, case):
    words, named = CASES[case]
    run = app(*words, out="" if "--out" in words else "run", timeout=20)
    assert run.status == 2, run.error
    assert run.error.startswith("mpsolve: error: ") and run.error.count("\n") == 1
    assert named in run.error
    assert not run.directory.is_dir() or not list(run.directory.iterdir()) or run.directory == tmp_path


@pytest.mark.parametrize("ranks", [3, 8])
@pytest.mark.parametrize("case", ["unknown key", "unstable step", "missing map", "unwritable"])
def test_many_ranks_print_one_line(app, ranks, case):
    words, named = CASES[case]
    run = app(*words, ranks=ranks, out="" if "--out" in words else "run", timeout=60)
    assert run.status == 2, run.error
    assert run.error.count("mpsolve: error: ") == 1 and named in run.error
    assert "Traceback" not in run.error and not run.directory.joinpath("run.json").exists()


def test_more_ranks_than_rows_say_which_grid_or_count_would_do(app):
    run = app("--set", "heat.shape=[2,2]", ranks=8, timeout=60)
    assert run.status == 2
    assert run.error.count("mpsolve: error: ") == 1 and "rank" in run.error


@pytest.mark.parametrize(
    ("values", "named"),
    [
        (np.full((8, 16), np.nan), "nan"),
        (np.full((8, 16), 250.0), "250"),
        (np.zeros((4, 16)), "shape"),
    ],
)
def test_a_wrong_map_is_named(app, tmp_path, values, named):
    path = tmp_path / "map.h5"
    with h5py.File(path, "w") as file:
        file["land_fraction"] = values
        file["lat"], file["lon"] = np.linspace(-78.75, 78.75, 8), np.linspace(-168.75, 168.75, 16)
    run = app(*EARTH, "--set", f"earth.surface={path}", ranks=3, timeout=60)
    assert run.status == 2 and named in run.error and "map.h5" in run.error
    assert run.error.count("\n") == 1


def test_a_truncated_map_is_named(app, tmp_path):
    path = tmp_path / "map.h5"
    with h5py.File(path, "w") as file:
        file["land_fraction"] = np.zeros((64, 64))
    path.write_bytes(path.read_bytes()[:1000])
    run = app(*EARTH, "--set", f"earth.surface={path}", timeout=20)
    assert run.status == 2 and "map.h5" in run.error and run.error.count("\n") == 1


def test_a_run_directory_is_not_overwritten(app):
    words = ("--set", "heat.shape=[8,8]", "--backend", "reference", "--set", "run.pictures=false")
    assert app(*words).status == 0
    again = app(*words)
    assert again.status == 2 and "run" in again.error and again.error.count("\n") == 1
