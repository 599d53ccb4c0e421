"""HPL-MxP as a user starts it: valid results in every format, on every grid, and what the record says."""

import json

import emulation
import pytest

FORMATS = ("fp64", "fp32", "bf16", "fp16", "fp8_e4m3")


@pytest.fixture(scope="module")
def sweep(run_apps, record_of, tmp_path_factory):
    """Return output and records of one sweep over the formats on 4 ranks, by format."""
    folder = tmp_path_factory.mktemp("mxp")
    words = ("mxp", "--n", 150, "--block", 16, "--sweep", ",".join(FORMATS), "--out", folder / "sweep")
    (run,) = run_apps(4, [words])
    assert run.status == 0, run.out
    return run.out, {name: record_of(folder / "sweep" / name) for name in FORMATS}


def test_the_command_of_the_documents_gives_a_valid_compliant_result(mpirun, surroundings, record_of, tmp_path):
    # As it is typed, but for a smaller n: kernels are compiled, products measured, the block chosen.
    command = ("-m", "mpsolve.apps.mxp", "--n", "700", "--precision", "bf16", "--out", str(tmp_path / "run"))
    process = mpirun(4, *command, environment=surroundings, timeout=110)
    assert process.returncode == 0, process.stderr
    assert "PASSED" in process.stdout and "compliant: yes" in process.stdout
    results = record_of(tmp_path / "run")["results"]
    assert results["valid"] and results["compliant"] and results["grid"] == "2x2"
    assert results["flops_per_s"] == pytest.approx((2 / 3 * 700**3 + 1.5 * 700**2) / results["time_s"])


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_of_a_sweep_is_valid(sweep, name):
    _, records = sweep
    results = records[name]["results"]
    assert results["converged"] and results["valid"] and 0 <= results["hpl_mxp_residual"] < 16
    assert results["format"] == name and results["escalations"] == []
    assert records[name]["app"] == "mxp" and records[name]["status"] == "ok"


def test_the_8_bit_format_is_not_compliant_and_says_why(sweep):
    out, records = sweep
    compliant = {name: record["results"]["compliant"] for name, record in records.items()}
    assert compliant == {name: name != "fp8_e4m3" for name in FORMATS}
    assert "compliant: no (fp8_e4m3 has fewer than 16 bits)" in out


def test_the_other_formats_are_compared_with_fp64(sweep):
    out, records = sweep
    assert all(0 < records[name]["results"]["rounding_error"] < 1e-9 for name in FORMATS[1:])
    assert "hpl_mxp_residual" in out and "speedup" in out


def test_the_table_is_that_of_hpl(sweep):
    out, _ = sweep
    assert "T/V" in out and "MxP-bf16" in out and "||Ax-b||_oo/(eps*(||A||_oo*||x||_oo+||b||_oo)*N)=" in out
    assert "seconds by phase" in out and "LU only" in out


def test_missing_figures_have_reasons(sweep):
    _, records = sweep
    for record in records.values():
        assert all(record["reasons"].get(name) for name, value in record["results"].items() if value is None)


def test_every_refinement_has_a_row(sweep, tmp_path):
    _, records = sweep
    assert records["bf16"]["results"]["refinements"] >= 1
    assert records["bf16"]["results"]["phases_s"]["update"] > 0


@pytest.mark.parametrize(("ranks", "grids"), [(1, ["1x1"]), (2, ["1x2", "2x1"]), (4, ["2x2"]), (8, ["2x4"])])
def test_every_grid_solves_the_same_matrix(run_apps, record_of, tmp_path, ranks, grids):
    runs = []
    for grid in grids:
        for n in (67, 64):
            rows = grid.split("x")[0]
            out = tmp_path / f"{grid}-{n}"
            runs.append(("mxp", "--n", n, "--block", 10, "--set", f"grid.rows={rows}", "--out", out))
    for run, words in zip(run_apps(ranks, runs), runs, strict=True):
        assert run.status == 0, run.out
        record = record_of(words[-1])
        assert record["results"]["grid"] == words[-1].name.split("-")[0] and record["results"]["valid"]


def test_the_matrix_does_not_depend_on_the_grid(run_apps, field_of, tmp_path):
    solutions = []
    for ranks in (1, 3):
        out = tmp_path / str(ranks)
        words = ("mxp", "--n", 50, "--block", 7, "--precision", "fp64", "--set", "run.fields=true", "--out", out)
        assert run_apps(ranks, [words])[0].status == 0
        solutions.append(field_of(out, "x"))
    # The condition number of this matrix is below 10.
    assert abs(solutions[0] - solutions[1]).max() <= 10 * 50 * 2.0**-53 * abs(solutions[0]).max()


def test_another_problem_runs_in_its_manner(run_apps, record_of, tmp_path):
    words = ("--problem", "fasi_higham", "--set", "mxp.condition=1e4", "--precision", "fp16")
    (run,) = run_apps(2, [("mxp", "--n", 100, "--block", 16, *words, "--out", tmp_path / "run")])
    assert run.status == 0 and "compliant: no (the matrix is fasi_higham" in run.out
    assert record_of(tmp_path / "run")["results"]["valid"]


def test_an_escalation_is_no_compliant_run_unless_it_still_is(run_apps, record_of, tmp_path):
    words = ("--problem", "fasi_higham", "--set", "mxp.condition=1e9", "--set", "solver.refiner=classical")
    (run,) = run_apps(1, [("mxp", "--n", 80, *words, "--precision", "fp8_e5m2", "--out", tmp_path / "run")])
    results = record_of(tmp_path / "run")["results"]
    assert run.status == 0 and results["escalations"] and "went on in" in run.out
    assert results["format"] != "fp8_e5m2"


def test_a_run_that_does_not_converge_keeps_its_best_and_says_what_to_try(run_apps, record_of, tmp_path):
    words = ("--set", "solver.rtol=1e-30", "--precision", "fp32", "--set", 'precision.ladder=["fp32"]')
    (run,) = run_apps(3, [("mxp", "--n", 60, *words, "--out", tmp_path / "run")])
    record = record_of(tmp_path / "run")
    assert run.status == 1 and record["status"] == "failed"
    assert "not converged" in run.out and "wanted 1.0e-30" in run.out and "fp64" in run.out
    assert record["results"]["backward_error"] < 1e-14


def test_the_configuration_can_be_printed_and_fed_back(plain, surroundings, tmp_path):
    first = plain("-m", "mpsolve.apps.mxp", "--n", "99", "--print-config", environment=surroundings)
    assert first.returncode == 0 and "n = 99" in first.stdout
    (tmp_path / "mine.toml").write_text(first.stdout)
    again = ("-m", "mpsolve.apps.mxp", "--config", str(tmp_path / "mine.toml"), "--print-config")
    assert plain(*again, environment=surroundings).stdout == first.stdout


def test_steps_hold_the_refinements(run_apps, tmp_path):
    run_apps(1, [("mxp", "--n", 60, "--precision", "bf16", "--out", tmp_path / "run")])
    rows = [json.loads(line) for line in (tmp_path / "run" / "steps.jsonl").read_text().splitlines()]
    errors = [row["residual"] for row in rows if row["kind"] == "refinement"]
    assert len(errors) >= 2 and errors[0] == 1.0 and errors[-1] < 1e-12 and rows[-1]["status"] == "converged"


def test_the_device_that_a_processor_plays_gives_valid_results_on_a_grid(mpirun, surroundings, record_of, tmp_path):
    emulation.device()
    words = ("--n", "150", "--block", "16", "--sweep", "fp64,fp16,fp8_e4m3", "--backend", "cuda")
    command = ("-m", "mpsolve.apps.mxp", *words, "--out", str(tmp_path))
    process = mpirun(4, *command, environment=surroundings | {"MPSOLVE_EMULATED_DEVICE": "1"}, timeout=110)
    assert process.returncode == 0, process.stderr
    for name in ("fp64", "fp16", "fp8_e4m3"):
        results = record_of(tmp_path / name)["results"]
        assert results["valid"] and results["converged"] and not results["escalations"]
        assert results["device"] == "emulated device"


def test_a_matrix_that_does_not_fit_the_device_is_refused_with_what_would(mpirun, surroundings):
    emulation.device()
    words = ("-m", "mpsolve.apps.mxp", "--n", "20000", "--block", "256", "--backend", "cuda")
    process = mpirun(1, *words, environment=surroundings | {"MPSOLVE_EMULATED_DEVICE": "1"}, timeout=60)
    assert process.returncode == 2
    assert "on the emulated device of rank 0" in process.stderr and "fits, or take more devices" in process.stderr
