"""The climate app as users start it: a sweep, bad input, a run that blows up, a card that a processor plays."""

import json

import emulation
import h5py
import numpy as np
import pytest

APP = ("-m", "mpsolve.apps.climate")
SMALL = ("--set", "climate.shape=[16,32]", "--set", "climate.days=0.25", "--set", "run.pictures=false")
ALL_OPTIONS = (
    "--set", "climate.fluxes=arakawa_lamb", "--set", "climate.drag_per_s=1e-6", "--set", "climate.viscosity_m2_s=1e4",
    "--set", "climate.filter_rad=1.2", "--set", "climate.output_hours=1", "--set", "time.stepper=rk32",
    "--set", "time.courant=0.5", "--set", "time.correction_steps=3", "--set", "precision.halo=fp32",
)  # fmt: skip


def results(folder):
    return json.loads((folder / "run.json").read_text())["results"]


def test_a_sweep_tells_rounding_from_truncation(mpirun, tmp_path):
    words = ("--config", "williamson5", *SMALL, "--backend", "reference", "--sweep", "fp64,fp16,fp64:fp32")
    done = mpirun(2, *APP, *words, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "rounding_over_truncation" in done.stdout
    exact, low, pair = (results(tmp_path / name) for name in ("fp64", "fp16", "fp64-fp32"))
    assert exact["truncation_error"] == low["truncation_error"] > 10 * low["rounding_error"] > 0
    assert low["accepted"]
    # The state alone is kept in FP32: each step of the run rounds it once.
    assert 0 < pair["rounding_error"] < exact["truncation_error"] / 10
    # Rounding of the correction itself, on top of that of the sum.
    assert abs(low["mass_drift"]) <= 4 * 2.0**-53


def test_every_option_of_the_core_changes_the_answer_and_no_rank_does(mpirun, tmp_path):
    words = (*SMALL, "--config", "williamson6", "--backend", "reference", "--precision", "fp32")
    heights = []
    for name, ranks, more in (("plain", 1, ()), ("one", 1, ALL_OPTIONS[:-2]), ("three", 3, ALL_OPTIONS[:-2])):
        done = mpirun(ranks, *APP, *words, *more, "--out", tmp_path / name)
        assert done.returncode == 0, done.stderr
        with h5py.File(tmp_path / name / "fields.h5") as file:
            heights.append(file["height"][()])
    assert not np.array_equal(heights[0], heights[1])
    assert np.array_equal(heights[1], heights[2])
    done = mpirun(3, *APP, *words, *ALL_OPTIONS, "--out", tmp_path / "narrow")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--set", "time.dt_s=1e5"), "the largest stable step is"),
        (("--set", "climate.problem=williamson9"), "did you mean 'williamson"),
        (("--set", "climate.shape=[16]"), "must have 2 axes"),
        (("--sweep", "fp16:bf16"), "unknown precision.state 'bf16'; there are: fp64, fp32"),
        (("--set", "run.ranks=[1,2]"), "cuts an axis that must stay whole"),
    ],
)
def test_bad_input_is_named(mpirun, tmp_path, words, message):
    done = mpirun(2, *APP, *SMALL, *words, "--out", tmp_path)
    assert done.returncode == 2
    assert message in done.stderr


def test_a_run_that_blows_up_keeps_its_last_good_state(mpirun, tmp_path):
    # A format of 8 bits loses what keeps the waves in balance.
    words = ("--config", "galewsky", *SMALL, "--set", "climate.output_hours=0.5", "--set", "climate.viscosity_m2_s=1e9")
    done = mpirun(1, *APP, *words, "--backend", "reference", "--out", tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "not finite in row" in done.stdout or "not positive in row" in done.stdout
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["status"] == "failed"
    with h5py.File(tmp_path / "fields.h5") as file:
        assert np.isfinite(file["height"][()]).all()
        assert np.isfinite(file["vorticity"][()]).all()
        assert file.attrs["time_s"] == record["results"]["steps"] * record["results"]["dt_s"]


def test_heat_on_the_emulated_card_has_the_bits_of_the_processor(mpirun, tmp_path):
    emulation.device()
    words = ("--set", "heat.shape=[24,32]", "--set", "run.pictures=false", "--precision", "fp16")
    for stepper in ("backward_euler", "rk4"):
        dt = () if stepper == "backward_euler" else ("--set", "time.diffusion_number=0.1")
        fields = []
        for backend, ranks in (("cuda", 3), ("reference", 1)):
            out = tmp_path / f"{stepper}-{backend}"
            more = ("--set", f"time.stepper={stepper}", *dt, "--backend", backend, "--out", out)
            done = mpirun(ranks, "-m", "mpsolve.apps.heat", *words, *more, environment={"MPSOLVE_EMULATED_DEVICE": "1"})
            assert done.returncode == 0, done.stderr
            with h5py.File(out / "fields.h5") as file:
                fields.append(file["temperature"][()])
        assert np.array_equal(*fields)
        assert results(tmp_path / f"{stepper}-cuda")["device"] == "emulated device"
