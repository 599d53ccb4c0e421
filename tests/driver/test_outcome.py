"""Solves added up, distances from what is known, rates over all ranks."""

import math

import numpy as np
import pytest

from mpsolve.driver.outcome import Reference, Tally, rates, relative_errors, rounding_error
from mpsolve.ledger import Ledger
from mpsolve.records.steps import StepLog, read_steps
from mpsolve.solvers.base import Escalation, Refinement, Result, Status


def solve(status=Status.CONVERGED, error=1e-13, escalations=(), format="bf16"):
    history = (Refinement(0, "bf16", 0, 1.0, 1e-3), Refinement(1, format, 7, 1e-10, error))
    return Result(status, error, error, 7, 1, format, escalations, history, "" if status == "converged" else "raise it")


def own(comm, values):
    """Return this rank's piece of an array that all ranks know."""
    return np.array_split(values, comm.size)[comm.rank]


def test_solves_add_up():
    tally = Tally(StepLog(None))
    tally.add(1, 0.5, solve(error=1e-13))
    tally.add(2, 1.0, solve(error=3e-13))
    assert tally.results() == {
        "iterations": 14,
        "refinements": 2,
        "backward_error": 3e-13,
        "format": "bf16",
        "escalations": [],
        "converged": True,
        # Twice ten powers of ten in seven iterations.
        "reduction_per_iteration": pytest.approx(10 ** (-10 / 7)),
    }


def test_the_work_of_inner_solves_is_counted_in_fp64_residuals(comm):
    tally, ledger = Tally(StepLog(None)), Ledger()
    tally.add(1, 0.5, solve())
    # Two residuals were evaluated, of 50 flops each on every rank; the inner solves did 400 there.
    ledger.add("residual", "fp64", flops=100)
    ledger.add("inner", "bf16", flops=300, bytes=20)
    ledger.add("inner", "fp32", flops=100, bytes=30)
    assert tally.work(comm, ledger) == {"inner_bytes": 50.0 * comm.size, "work_units": 8.0}


def test_without_a_residual_there_are_no_work_units(comm):
    assert Tally(StepLog(None)).work(comm, Ledger()) == {}


def test_more_iterations_than_the_fp64_run_are_a_penalty_and_fewer_are_no_gain():
    reference = Reference(None, iterations=10)
    assert reference.penalised({"iterations": 25, "unknowns_per_s": 100.0}) == {"penalised_unknowns_per_s": 40.0}
    assert reference.penalised({"iterations": 5, "unknowns_per_s": 100.0}) == {"penalised_unknowns_per_s": 100.0}
    assert Reference(None).penalised({"iterations": 5, "unknowns_per_s": 100.0}) == {}


def test_an_escalation_is_kept_with_its_step_and_the_last_format_is_named():
    tally = Tally(StepLog(None))
    tally.add(1, 0.5, solve())
    tally.add(2, 1.0, solve(escalations=(Escalation(3, "bf16", "fp32", "it stalled"),), format="fp32"))
    assert tally.results()["escalations"] == [{"step": 2, "from": "bf16", "to": "fp32", "reason": "it stalled"}]
    assert tally.results()["format"] == "fp32"


def test_the_first_failure_is_kept():
    tally = Tally(StepLog(None))
    tally.add(4, 0.5, solve(Status.STAGNATED))
    tally.add(5, 1.0, solve(Status.DIVERGED))
    assert tally.failed == "step 4: stagnated: raise it"
    assert not tally.results()["converged"]


def test_every_refinement_and_step_is_logged(tmp_path):
    log = StepLog(tmp_path / "steps.jsonl")
    Tally(log).add(3, 0.75, solve(), phase="steady state")
    rows = read_steps(tmp_path / "steps.jsonl")
    assert [row["kind"] for row in rows] == ["refinement", "refinement", "step"]
    assert (rows[1]["iterations"], rows[1]["residual"]) == (7, 1e-13)
    assert (rows[2]["step"], rows[2]["time"], rows[2]["status"], rows[2]["phase"]) == (
        3,
        0.75,
        "converged",
        "steady state",
    )


@pytest.mark.ranks
def test_errors_are_relative_to_the_given_field(comm):
    state, truth, initial = own(comm, np.full(16, 1.5)), own(comm, np.full(16, 1.0)), own(comm, np.full(16, 10.0))
    errors = relative_errors(comm, state, truth, initial)
    assert errors == pytest.approx((0.05, 0.05), rel=1e-15)


@pytest.mark.ranks
def test_a_truth_that_has_decayed_makes_no_large_error(comm):
    initial = own(comm, np.linspace(1.0, 2.0, 16))
    errors = relative_errors(comm, initial * 1e-16, initial * 0.0, initial)
    assert errors == pytest.approx((1e-16, 1e-16), rel=1e-14)


@pytest.mark.ranks
def test_a_field_that_is_not_finite_has_no_finite_error(comm):
    state = own(comm, np.array([1.0] * 7 + [math.nan]))
    assert all(math.isnan(error) for error in relative_errors(comm, state, state * 0 + 1.0, state * 0 + 1.0))


@pytest.mark.ranks
def test_the_rounding_error_is_relative_to_the_fp64_run(comm):
    state, reference = own(comm, np.full(9, 2.002)), own(comm, np.full(9, 2.0))
    known, reasons = rounding_error(comm, state, Reference(reference))
    assert known["rounding_error"] == pytest.approx(1e-3, rel=1e-12)
    assert reasons == {}


def test_without_an_fp64_run_there_is_a_reason(alone):
    assert rounding_error(alone, np.ones(3), Reference(None, "why")) == ({}, {"rounding_error": "why"})


@pytest.mark.ranks
def test_rates_count_the_work_of_all_ranks_once_per_second(comm):
    ledger = Ledger()
    ledger.add("inner", "bf16", flops=100, bytes=40)
    ledger.add("residual", "fp64", flops=20, bytes=8)
    found = rates(comm, ledger, 2.0, unknowns=50, solves=4)
    assert found == {
        "unknowns": 50,
        "unknowns_per_s": 100.0,
        "flops_per_s": 60.0 * comm.size,
        "bytes_per_s": 24.0 * comm.size,
    }
