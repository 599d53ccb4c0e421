"""The choice of a format before anything is factored."""

import numpy as np
import pytest

from mpsolve import lookup
from mpsolve.solvers.dense.prediction import condition_bound, predict

pytestmark = pytest.mark.ranks

RATES = {"bf16": 400.0, "fp16": 200.0, "fp32": 200.0, "fp64": 100.0}


def named(name, n, condition=0.0):
    return lookup.find("models.matrices", name).create(n, condition, 1).block(slice(0, n), slice(0, n))


@pytest.fixture
def operator(deal, grid, backend):
    return lambda array: deal(grid, backend, array, 16)


@pytest.fixture
def backend():
    return lookup.find("backends", "reference").create()


@pytest.mark.parametrize(("name", "condition"), [("hpl_mxp", 0.0), ("fasi_higham", 1e6), ("nearly_singular", 1e8)])
def test_the_bound_is_below_the_condition_number(operator, name, condition):
    array = named(name, 60, condition)
    bound = condition_bound(operator(array))
    assert 1 <= bound <= np.linalg.cond(array) * (1 + 1e-6)


def test_enough_steps_find_the_condition_number(operator):
    array = named("random_uniform", 24)
    assert np.isclose(condition_bound(operator(array), 24), np.linalg.cond(array), rtol=1e-6)


def test_scaling_is_seen_through(operator):
    # As it stands the condition number is above 1e40.
    assert condition_bound(operator(named("badly_scaled", 40))) < 1e5


def test_an_easy_matrix_gets_the_quickest_format(operator):
    # Large enough for the factorisation to cost more than the refinements.
    found = predict(operator(named("hpl_mxp", 600)), 1e-12, lambda name: RATES[name])
    assert found.format == "bf16" and found.contraction < 0.1


def test_a_hopeless_matrix_gets_fp64(operator):
    found = predict(operator(named("nearly_singular", 64, 1e14)), 1e-12, lambda name: RATES[name])
    assert found.format == "fp64" and found.condition > 1e9


def test_a_format_without_speed_is_not_chosen(operator):
    slow = {**RATES, "bf16": 1.0, "fp16": 1.0}
    assert predict(operator(named("hpl_mxp", 64)), 1e-12, lambda name: slow[name]).format in ("fp32", "fp64")


def test_every_rank_chooses_alike(operator, comm):
    found = predict(operator(named("fasi_higham", 40, 1e4)), 1e-12, lambda name: RATES[name])
    assert len(set(comm.allgather((found.format, found.contraction)))) == 1
