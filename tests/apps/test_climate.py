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
        (("--set", "time.dt_s=100", "--set", "climate.viscosity_m2_s=1e9"), "the largest stable step is"),
        (("--inject", "bitflip:1e-3"), "run.inject = 'bitflip:1e-3': explicit steps refine nothing"),
        (("--set", "time.correct_energy=true", "--set", "climate.wind_m_s2=1e-5"), "time.correct_energy = true: wind"),
        (("--set", "precision.inner=fp16", "--set", "precision.vorticity=bf16"), "at most one format of 16 bits"),
        (("--set", "climate.problem=williamson9"), "did you mean 'williamson"),
        (("--set", "climate.shape=[16]"), "must have 2 axes"),
        (("--sweep", "fp16:bf16"), "unknown precision.state 'bf16'; there are: fp64, fp32"),
        (("--set", "run.ranks=[1,2]"), "cuts an axis that must stay whole"),
        (("--set", "climate.problem=williamson5", "--set", "climate.angle_rad=0.5"), "williamson5 has no angle"),
        (
            ("--config", "williamson1", "--set", "climate.drag_per_s=1e-6"),
            "the flow of the problem williamson1 is fixed",
        ),
    ],
)
def test_bad_input_is_named(mpirun, tmp_path, words, message):
    done = mpirun(2, *APP, *SMALL, *words, "--out", tmp_path)
    assert done.returncode == 2
    assert message in done.stderr


def test_dry_ground_is_refused_with_its_place(mpirun, tmp_path):
    ground = np.zeros((16, 32))
    ground[11, 7] = 6000.0
    with h5py.File(tmp_path / "ground.h5", "w") as file:
        file["topography"] = ground
        file["lat"], file["lon"] = -90 + (np.arange(16) + 0.5) * 11.25, (np.arange(32) + 0.5) * 11.25
        for name, unit in (("topography", "m"), ("lat", "degrees_north"), ("lon", "degrees_east")):
            file[name].attrs["units"] = unit
    words = ("--config", "williamson5", *SMALL, "--set", f"climate.ground={tmp_path / 'ground.h5'}")
    done = mpirun(2, *APP, *words, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "m in row 11, column 7: the ground must lie below the surface" in done.stderr


@pytest.mark.parametrize(
    ("words", "named"),
    [
        # A gale that empties cells.
        (("--set", "climate.wind_m_s2=1"), ("the depth is not positive in row", "the convergence across rows")),
        # A format of 8 bits loses what keeps the waves in balance.
        (("--precision", "fp8_e4m3", "--set", "climate.days=3"), ("overflows fp8_e4m3 (largest 448)", "gradient, ")),
    ],
)
def test_a_run_that_blows_up_names_step_term_and_place_and_keeps_its_last_good_state(mpirun, tmp_path, words, named):
    more = ("--set", "climate.output_hours=6", "--backend", "reference", "--out", tmp_path)
    done = mpirun(1, *APP, "--config", "williamson6", *SMALL, *words, *more)
    assert done.returncode == 1, done.stdout + done.stderr
    line = next(line for line in done.stdout.splitlines() if line.startswith("not converged"))
    assert all(text in line for text in named), line
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["status"] == "failed"
    first_bad, kept = int(line.split("step ")[1].split()[0]), record["results"]["steps"]
    # The last good state is at most an interval of output old.
    assert kept < first_bad <= kept + 6 * 3600 / record["results"]["dt_s"] + 1
    with h5py.File(tmp_path / "fields.h5") as file:
        assert np.isfinite(file["height"][()]).all()
        assert np.isfinite(file["vorticity"][()]).all()
        assert file.attrs["time_s"] == record["results"]["steps"] * record["results"]["dt_s"]


def test_defect_steps_and_formats_of_terms_are_in_the_record_and_an_animation_beside_it(mpirun, tmp_path):
    more = ("--set", "time.defect_steps=5", "--set", "precision.vorticity=fp16", "--set", "climate.animation=true")
    words = ("--config", "williamson6", *SMALL, *more, "--set", "climate.output_hours=2", "--precision", "fp16")
    done = mpirun(2, *APP, *words, "--backend", "reference", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "run.json").read_text())
    found = record["results"]
    assert record["precision"]["vorticity"] == "fp16"
    assert found["defect_steps"] == found["steps"] // 5
    assert 0 < found["defect_drift"] < 1e-3 and abs(found["defect_persistence"]) <= 1
    rows = [json.loads(line) for line in (tmp_path / "steps.jsonl").read_text().splitlines()]
    assert sum(row["kind"] == "defect" and row["defect"] > 0 for row in rows) == found["defect_steps"]
    from PIL import Image

    with Image.open(tmp_path / "height.gif") as film:
        # One at the beginning and one for each row of diagnostics.
        assert film.n_frames == 1 + sum(row["kind"] == "step" for row in rows)


def test_a_precision_whose_rounding_shows_is_labelled(mpirun, tmp_path):
    words = ("--config", "williamson2", *SMALL, "--set", "precision.vorticity=bf16", "--sweep", "fp64,bf16")
    done = mpirun(1, *APP, *words, "--set", "climate.days=1", "--backend", "reference", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "bf16: not recommended: rounding is" in done.stdout
    assert results(tmp_path / "bf16")["accepted"] is False


def test_a_format_that_failed_acceptance_is_labelled_without_an_fp64_run_too(mpirun, tmp_path):
    words = ("--config", "williamson2", *SMALL, "--precision", "fp8_e5m2", "--backend", "reference")
    done = mpirun(1, *APP, *words, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "fp8_e5m2: not recommended: fp8_e5m2 failed tests of acceptance" in done.stdout
    assert results(tmp_path)["label"].startswith("not recommended")


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
