"""Refinement goes on while it gains, and leaves a format that stalls, grows or breaks down."""

import math

import pytest

from mpsolve import lookup
from mpsolve.precision import get_format
from mpsolve.solvers.stopping import GROWTH, LEAST_CONTRACTION, STALLS_ALLOWED, Progress, inner_tolerance


def judged(residuals):
    progress = Progress()
    return [progress.judge(residual) for residual in residuals]


def test_steady_progress_goes_on():
    assert judged([LEAST_CONTRACTION**n for n in range(50)]) == [""] * 50


def test_a_few_stalls_are_forgiven():
    assert judged([1.0] * (1 + STALLS_ALLOWED) + [0.1]) == [""] * (2 + STALLS_ALLOWED)


def test_more_stalls_in_a_row_are_not():
    assert judged([1.0] * (2 + STALLS_ALLOWED))[-1] == "the residual stalled at 1.0e+00"


def test_stalls_are_counted_anew_after_progress():
    residuals = [1.0] * (1 + STALLS_ALLOWED) + [0.1] * (1 + STALLS_ALLOWED)
    assert judged(residuals) == [""] * len(residuals)


def test_slow_creep_is_a_stall():
    assert judged([0.99**n for n in range(2 + STALLS_ALLOWED)])[-1] != ""


def test_growth_is_divergence():
    assert judged([1.0, 2 * GROWTH])[-1].startswith("the residual grew from 1.0e+00")


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_residual_that_is_not_finite_is_a_breakdown(bad):
    assert judged([1.0, bad])[-1] == "the inner solve overflowed or broke down"


@pytest.mark.parametrize("name", lookup.names("formats"))
def test_an_inner_solve_is_asked_for_what_its_format_can_give(name):
    tolerance = inner_tolerance(get_format(name), 1e-12)
    assert tolerance <= 0.1
    assert tolerance >= min(0.1, 8 * get_format(name).unit_roundoff)


def test_an_inner_solve_in_fp64_goes_beyond_the_outer_tolerance():
    assert inner_tolerance(get_format("fp64"), 1e-6) == pytest.approx(1e-7)
