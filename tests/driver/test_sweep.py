"""Sweeps in this process: FP64 first, the table in the order asked for, nothing half-written on bad input."""

import json

import numpy as np
import pytest

from mpsolve import config
from mpsolve.driver import heat
from mpsolve.driver.command import variants_of
from mpsolve.driver.options import HeatAppOptions
from mpsolve.driver.outcome import Outcome, Reference
from mpsolve.driver.sweep import run_all
from mpsolve.errors import FileError, MpsolveError

WORDS = ("--backend", "reference", "--set", "run.pictures=false", "--set", "run.threads=1")
SMALL = ("--set", "heat.shape=[10,8]", "--set", "time.diffusion_number=10")


def run(comm, out, *words):
    parsed = config.argument_parser("app", "").parse_args([*WORDS, *SMALL, *words])
    return run_all(comm, variants_of(parsed, HeatAppOptions), out, ["app", *words])


def chosen(sets):
    """Return the words that set options."""
    return [word for one in sets for word in ("--set", one)]


def results_of(directory):
    return json.loads((directory / "run.json").read_text())["results"]


def test_fp64_runs_first_and_keeps_its_place_in_the_table(alone, tmp_path, capsys, monkeypatch):
    order = []
    prepare = heat.prepare
    monkeypatch.setattr(heat, "prepare", lambda m, b, o: order.append(o.precision.inner) or prepare(m, b, o))
    assert run(alone, tmp_path / "out", "--sweep", "bf16,fp32,fp64") == 0
    assert order == ["fp64", "bf16", "fp32"]
    precision = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("precision "))
    assert precision.split()[1:] == ["bf16", "fp32", "fp64"]
    assert 0 < results_of(tmp_path / "out" / "bf16")["rounding_error"] < 1e-9


def test_the_model_is_built_once_for_all_variants(alone, tmp_path, monkeypatch):
    built = []
    build = heat.build
    monkeypatch.setattr(heat, "build", lambda comm, options: built.append(1) or build(comm, options))
    run(alone, tmp_path / "out", "--sweep", "fp64,fp32,bf16")
    assert built == [1]


def test_one_run_goes_where_out_says(alone, tmp_path):
    assert run(alone, tmp_path / "a" / "b") == 0
    assert (tmp_path / "a" / "b" / "run.json").is_file()


def test_a_taken_directory_of_the_last_variant_is_found_before_the_first_runs(alone, tmp_path):
    (tmp_path / "fp32").mkdir()
    (tmp_path / "fp32" / "run.json").write_text("{}")
    with pytest.raises(FileError, match="fp32 already holds a run"):
        run(alone, tmp_path, "--sweep", "fp64,fp32")
    assert not (tmp_path / "fp64").exists()


@pytest.mark.parametrize("words", [("--set", "time.stepper=euler"), ("--set", "run.ranks=[2,2]")])
def test_bad_input_leaves_no_directory(alone, tmp_path, words):
    with pytest.raises(MpsolveError):
        run(alone, tmp_path / "out", *words)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("sets", "named"),
    [
        (("heat.problem=heat_sine",), "multigrid"),
        (("heat.problem=heat_manufactured",), "cg with multigrid"),
        (("heat.problem=heat_sine", "solver.preconditioner=multigrid"), "cg with multigrid"),
        (("solver.inner=cg",), "cg"),
    ],
)
def test_the_record_says_what_solved(alone, tmp_path, sets, named):
    assert run(alone, tmp_path / "out", *chosen(sets)) == 0
    assert results_of(tmp_path / "out")["inner_solver"] == named


@pytest.mark.parametrize(
    "sets",
    [
        ("multigrid.cycle=w",),
        ("multigrid.cycle=full",),
        ("multigrid.smoother=red_black",),
        ("multigrid.sweeps_before=0", "multigrid.sweeps_after=3"),
        ('multigrid.levels=["fp32","bf16"]',),
    ],
)
@pytest.mark.parametrize("problem", ["heat_sine", "heat_manufactured"])
def test_every_option_of_multigrid_changes_the_way_and_not_the_answer(alone, tmp_path, problem, sets):
    large = (*chosen((f"heat.problem={problem}", "heat.shape=[48,50]", "time.steps=1")), "--precision", "fp32")
    assert run(alone, tmp_path / "plain", *large) == run(alone, tmp_path / "other", *large, *chosen(sets)) == 0
    plain, other = results_of(tmp_path / "plain"), results_of(tmp_path / "other")
    assert other["backward_error"] <= 1e-12
    assert plain["backward_error"] != other["backward_error"]


@pytest.mark.parametrize(
    ("sets", "named"),
    [
        (("multigrid.smoother=lines",), "multigrid.smoother = lines needs varying coefficients"),
        (("multigrid.smoother=line",), "lines"),
        (("multigrid.cycle=x",), "full"),
    ],
)
def test_options_of_multigrid_that_cannot_be_are_named(alone, tmp_path, sets, named):
    with pytest.raises(MpsolveError, match=named):
        run(alone, tmp_path / "out", *chosen(("heat.problem=heat_sine", "solver.inner=multigrid", *sets)))


def test_without_out_runs_go_below_runs(alone, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(alone, None)
    (only,) = (tmp_path / "runs").iterdir()
    assert only.name.split("_")[1] == "heat"


def test_a_reference_that_failed_is_no_reference(alone, tmp_path, capsys):
    assert run(alone, tmp_path / "out", "--sweep", "fp64,fp32", "--set", "solver.max_iterations=2",
               "--set", "solver.max_refinements=1", "--set", "solver.inner=cg") == 1  # fmt: skip
    reasons = json.loads((tmp_path / "out" / "fp32" / "run.json").read_text())["reasons"]
    assert reasons["rounding_error"] == "the FP64 run did not converge"
    assert capsys.readouterr().out.count("not converged: ") == 2


def test_an_explicit_state_that_is_not_finite_is_not_solved(alone, tmp_path, monkeypatch, capsys):
    def overflow(model, stepper, options, results, reference):
        monkeypatch.setattr(stepper, "state", lambda: np.full(model.grid.shape, np.inf))
        return judge(model, stepper, options, results, reference)

    judge = heat._judge
    monkeypatch.setattr(heat, "_judge", overflow)
    words = ("--set", "time.stepper=euler", "--set", "time.diffusion_number=0.1", "--precision", "fp16")
    assert run(alone, tmp_path / "out", *words) == 1
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert (record["status"], record["results"]["error_l2"]) == ("failed", None)
    assert "the state left the range of fp16" in capsys.readouterr().out


def test_an_outcome_converged_if_its_results_say_so():
    assert Outcome({"converged": True}, {}, np.zeros(1)).converged
    assert not Outcome({"converged": False}, {}, np.zeros(1)).converged
    assert Reference(np.zeros(1)).reason == ""
