"""A user's own system: files of every kind, right-hand sides, formats chosen or given, and the record."""

import h5py
import numpy as np
import pytest

N = 40


@pytest.fixture
def files(tmp_path):
    """Return matrix and right-hand sides, written in every kind of file."""
    rng = np.random.default_rng(0)
    array, x = rng.standard_normal((N, N)), rng.standard_normal((N, 2))
    b = array @ x
    np.save(tmp_path / "a.npy", array)
    np.save(tmp_path / "fortran.npy", np.asfortranarray(array))
    np.save(tmp_path / "b.npy", b)
    with h5py.File(tmp_path / "both.h5", "w") as file:
        file["A"], file["b"] = array, b
    with h5py.File(tmp_path / "named.h5", "w") as file:
        file.create_dataset("group/stiffness", data=array, chunks=(7, 9), compression="gzip")
        file["other"] = np.eye(3)
    lines = [f"{value:.17g}" for value in array.T.reshape(-1)]
    head = f"%%MatrixMarket matrix array real general\n{N} {N}\n"
    (tmp_path / "a.mtx").write_text(head + "\n".join(lines) + "\n")
    return array, x, b


def check(directory, field_of, x):
    assert np.allclose(field_of(directory, "x"), x, rtol=0, atol=1e-10 * np.abs(x).max())


@pytest.mark.parametrize("ranks", [1, 3])
def test_every_kind_of_file_is_read(run_apps, record_of, field_of, files, tmp_path, ranks):
    pytest.importorskip("scipy")
    _, x, _ = files
    words = {
        "npy": ("a.npy", "--rhs", "b.npy"),
        "fortran": ("fortran.npy", "--rhs", "b.npy"),
        "hdf5": ("both.h5",),
        "named": ("named.h5", "--rhs", "b.npy", "--set", "system.dataset=group/stiffness"),
        "market": ("a.mtx", "--rhs", "b.npy"),
    }
    place = lambda word: str(tmp_path / word) if (tmp_path / word).is_file() else word  # noqa: E731
    runs = [
        ("solve", *map(place, given), "--precision", "fp32", "--set", "grid.block=9", "--out", tmp_path / name)
        for name, given in words.items()
    ]
    for run, (*_, out) in zip(run_apps(ranks, runs), runs, strict=True):
        assert run.status == 0, run.out
        check(out, field_of, x)
        assert record_of(out)["results"]["condition"] > 1


def test_without_a_right_hand_side_the_solution_is_ones(run_apps, record_of, field_of, files, tmp_path):
    (run,) = run_apps(2, [("solve", tmp_path / "a.npy", "--rtol", "1e-14", "--out", tmp_path / "run")])
    assert run.status == 0 and "forward error at most" in run.out
    check(tmp_path / "run", field_of, np.ones(N))
    assert record_of(tmp_path / "run")["results"]["backward_error"] <= 1e-14


def test_a_format_is_chosen_and_the_reason_is_recorded(run_apps, record_of, tmp_path):
    runs = [
        ("solve", name, "--n", 60, "--set", f"system.condition={condition}", "--out", tmp_path / name)
        for name, condition in (("hpl_mxp", 0), ("nearly_singular", 1e14))
    ]
    easy, hard = run_apps(2, runs)
    assert easy.status == hard.status == 0, hard.out
    results = [record_of(tmp_path / name)["results"] for name in ("hpl_mxp", "nearly_singular")]
    assert results[0]["predicted_contraction"] < 0.1 and results[1]["format"] == "fp64"
    assert results[1]["predicted_condition"] > 1e9 and "condition number is at least" in hard.out
    assert "chosen" in easy.out


def test_a_known_solution_is_compared_with(run_apps, record_of, tmp_path):
    words = ("--n", 50, "--precision", "bf16", "--rtol", "1e-15")
    (run,) = run_apps(1, [("solve", "random_uniform", *words, "--out", tmp_path / "run")])
    results = record_of(tmp_path / "run")["results"]
    assert run.status == 0 and results["error_reference"] == "analytic"
    assert results["error_linf"] <= results["forward_error_bound"] * 50


def test_a_sweep_compares_formats(run_apps, record_of, tmp_path):
    words = ("solve", "random_uniform", "--n", 50, "--sweep", "fp64,bf16,fp16", "--out", tmp_path / "sweep")
    (run,) = run_apps(2, [words])
    assert run.status == 0 and "rounding_error" in run.out
    # The condition number is some thousands.
    assert 0 < record_of(tmp_path / "sweep" / "bf16")["results"]["rounding_error"] < 1e-8


def test_pivoting_that_was_switched_on_is_said(run_apps, record_of, tmp_path):
    (run,) = run_apps(1, [("solve", "random_uniform", "--n", 200, "--precision", "fp16", "--out", tmp_path / "run")])
    results = record_of(tmp_path / "run")["results"]
    assert run.status == 0 and results["pivoting"] == "partial"
    assert "partial pivoting is switched on" in run.out and results["messages"]
