"""Bad input to the apps for dense systems: one line that names it, the same on every rank, and nothing written."""

import h5py
import numpy as np
import pytest

#: Words, then what the line has to say. DIR stands for a directory with the files made below.
CASES = {
    "not square": (("solve", "DIR/wide.npy"), ["wide.npy", "(3, 4)", "square"]),
    "one dimension": (("solve", "DIR/line.npy"), ["line.npy", "(5,)", "square"]),
    "complex": (("solve", "DIR/complex.npy"), ["complex.npy", "complex128", "real"]),
    "objects": (("solve", "DIR/objects.npy"), ["objects.npy"]),
    "truncated": (("solve", "DIR/cut.npy"), ["cut.npy", "truncated"]),
    "lying header": (("solve", "DIR/lying.npy"), ["lying.npy", "truncated"]),
    "no npy": (("solve", "DIR/text.npy"), ["text.npy", "no .npy file"]),
    "truncated HDF5": (("solve", "DIR/cut.h5"), ["cut.h5"]),
    "other dataset": (("solve", "DIR/two.h5", "--set", "system.dataset=C"), ["two.h5", "'C'", "one"]),
    "which dataset": (("solve", "DIR/two.h5"), ["two.h5", "one", "two"]),
    "lying Matrix Market": (("solve", "DIR/lying.mtx"), ["lying.mtx"]),
    "complex Matrix Market": (("solve", "DIR/complex.mtx"), ["complex.mtx", "complex"]),
    "NaN in A": (("solve", "DIR/nan.npy"), ["NaN", "row 1, column 2"]),
    "NaN in b": (("solve", "DIR/good.npy", "--rhs", "DIR/nanb.npy"), ["nanb.npy", "NaN", "row 2"]),
    "shapes that differ": (("solve", "DIR/good.npy", "--rhs", "DIR/line.npy"), ["line.npy", "(5,)", "3 rows"]),
    "missing matrix": (("solve", "DIR/nowhere.npy"), ["nowhere.npy", "no such file"]),
    "missing right-hand side": (("solve", "DIR/good.npy", "--rhs", "DIR/none.npy"), ["none.npy", "no such file"]),
    "directory": (("solve", "DIR"), ["suffix"]),
    "suffix": (("solve", "DIR/good.csv"), ["good.csv", ".npy"]),
    "unknown matrix": (("solve", "hilber"), ["'hilber'", "hilbert"]),
    "zero column": (("solve", "DIR/zero.npy"), ["singular", "column 1"]),
    "overflow": (
        ("solve", "DIR/large.npy", "--precision", "bf16", "--set", "solver.equilibrate=never"),
        ["1.0e+200", "overflows in fp32"],
    ),
    "tolerance": (("solve", "DIR/good.npy", "--rtol", "0"), ["solver.rtol = 0"]),
    "memory": (("mxp", "--n", "3000000"), ["n = 3000000 needs", "GiB are free"]),
    "memory of a matrix": (("solve", "random_uniform", "--n", "3000000"), ["needs", "GiB are free"]),
    "negative size": (("mxp", "--n", "-5"), ["mxp.n = -5", "at least 1"]),
    "process grid": (("mxp", "--n", "50", "--set", "grid.rows=7"), ["7x", "does not match", "take one of 1x"]),
    "unknown problem": (("mxp", "--problem", "hpl"), ["'hpl'", "hpl_mxp"]),
    "unknown gemm": (("mxp", "--n", "20", "--set", "solver.gemm=blas"), ["'blas'", "emulated"]),
    "unknown pivoting": (("mxp", "--n", "20", "--set", "solver.pivoting=full"), ["'full'", "partial"]),
    "unknown precision": (("mxp", "--n", "20", "--precision", "fp15"), ["'fp15'", "'fp16'"]),
    "state update": (("mxp", "--n", "20", "--sweep", "fp16:plain"), ["'fp16:plain'", "no state"]),
    "falling ladder": (("mxp", "--n", "20", "--set", 'precision.ladder=["fp32","bf16"]'), ["more precise"]),
    "taken": (("mxp", "--n", "20", "--out", "DIR/taken"), ["taken already holds a run"]),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a directory with the files that the cases name."""
    folder = tmp_path_factory.mktemp("bad")
    good = np.array([[4.0, 1, 0], [1, 4, 1], [0, 1, 4]])
    zero, nan = good.copy(), good.copy()
    zero[:, 1], nan[1, 2] = 0, np.nan
    arrays = {
        "wide": np.ones((3, 4)), "line": np.ones(5), "complex": good * 1j, "good": good,
        "zero": zero, "nan": nan, "nanb": np.array([1.0, 2.0, np.nan]), "large": good * 2.5e199,
    }  # fmt: skip
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    np.save(folder / "objects.npy", np.array([[{}]]), allow_pickle=True)
    whole = (folder / "good.npy").read_bytes()
    (folder / "cut.npy").write_bytes(whole[:-8])
    (folder / "lying.npy").write_bytes(whole.replace(b"(3, 3)", b"(9, 9)"))
    (folder / "text.npy").write_text("4 1 0\n")
    (folder / "good.csv").write_text("1\n")
    with h5py.File(folder / "two.h5", "w") as file:
        file["one"], file["two"] = good, good
    (folder / "cut.h5").write_bytes((folder / "two.h5").read_bytes()[:1500])
    head = "%%MatrixMarket matrix {} general\n"
    (folder / "lying.mtx").write_text(head.format("array real") + "900000 900000\n1.0\n")
    (folder / "complex.mtx").write_text(head.format("array complex") + "1 1\n1.0 1.0\n")
    (folder / "taken").mkdir()
    (folder / "taken" / "run.json").write_text("{}")
    return folder


@pytest.mark.parametrize("ranks", [1, 3])
def test_every_rank_names_every_mistake_and_nothing_is_written(run_apps, folder, ranks):
    pytest.importorskip("scipy")
    before = sorted(folder.rglob("*"))
    runs = []
    for words, _ in CASES.values():
        placed = [word.replace("DIR", str(folder)) for word in words]
        runs.append((*placed, *(() if "--out" in placed else ("--out", str(folder / "run")))))
    for run, (case, (_, phrases)) in zip(run_apps(ranks, runs), CASES.items(), strict=True):
        assert isinstance(run.status, str), (case, run.status, run.out)
        assert [phrase for phrase in phrases if phrase not in run.status] == [], (case, run.status)
        assert "\n" not in run.status.strip(), (case, run.status)
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("case", ["truncated", "NaN in A", "memory"])
def test_a_mistake_ends_the_app_with_status_2_and_one_line(mpirun, surroundings, folder, case):
    words, phrases = CASES[case]
    app, *rest = [word.replace("DIR", str(folder)) for word in words]
    command = ("-m", f"mpsolve.apps.{app}", *rest, "--out", str(folder / "run"))
    process = mpirun(3, *command, environment=surroundings, timeout=60)
    assert process.returncode == 2, process.stderr
    assert process.stderr.count("mpsolve: error: ") == process.stderr.count("\n") == 1, process.stderr
    assert all(phrase in process.stderr for phrase in phrases)
    assert not (folder / "run").exists()


@pytest.mark.parametrize("ranks", [1, 3])
def test_an_exactly_singular_matrix_is_an_error_with_the_column_and_a_failed_record(
    run_apps, record_of, tmp_path, ranks
):
    # Elimination of these small integers is exact, so that the third pivot is exactly zero.
    np.save(tmp_path / "singular.npy", np.array([[4.0, 2.0, 6.0], [2.0, 3.0, 5.0], [2.0, 2.0, 4.0]]))
    words = ("solve", tmp_path / "singular.npy", "--set", "solver.equilibrate=never", "--out", tmp_path / "run")
    (run,) = run_apps(ranks, [words])
    assert isinstance(run.status, str) and "singular" in run.status and "column 2" in run.status
    record = record_of(tmp_path / "run")
    assert record["status"] == "failed" and "column 2" in record["reasons"]["time_s"]
