"""Refinement of dense systems: FP64 accuracy from every format, and the way up where a format does not do."""

import numpy as np
import pytest

from mpsolve import lookup
from mpsolve.errors import FormatError, SingularMatrixError
from mpsolve.solvers.base import Status
from mpsolve.solvers.dense.options import DenseOptions
from mpsolve.solvers.dense.refinement import DenseSolver

pytestmark = pytest.mark.ranks

LADDER = ("fp8_e4m3", "bf16", "fp32", "fp64")
FORMATS = ("fp64", "fp32", "tf32", "bf16", "fp16", "fp8_e4m3", "fp8_e5m2")


@pytest.fixture
def backend():
    return lookup.find("backends", "reference").create()


@pytest.fixture
def grid(comm):
    from mpsolve.parallel.block_cyclic import ProcessGrid

    return ProcessGrid.create(comm)


@pytest.fixture
def solve(deal, grid, backend):
    """Return a function that solves for right-hand sides (count, n) and returns solver, solution and result."""

    def run(array, b, ladder=LADDER, block=8, **options):
        solver = DenseSolver(deal(grid, backend, array, block), DenseOptions(ladder=tuple(ladder), **options))
        return solver, *solver.solve(np.atleast_2d(b))

    return run


def backward_error(array, x, b):
    r = np.abs(b - x @ array.T).max(axis=1)
    return float((r / (np.abs(array).sum(axis=1).max() * np.abs(x).max(axis=1) + np.abs(b).max(axis=1))).max())


def named(name, n, condition=0.0):
    matrix = lookup.find("models.matrices", name).create(n, condition, 1)
    return matrix.block(slice(0, n), slice(0, n))


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_ends_at_the_fp64_backward_error(solve, random_matrix, name):
    array = random_matrix(60, dominant=True)
    b = np.random.default_rng(1).standard_normal((2, 60))
    kept = array.copy(), b.copy()
    _, x, result = solve(array, b, (name,), rtol=1e-15)
    assert result.status is Status.CONVERGED and result.format == name and not result.escalations
    # Our residual and the one here may differ by the rounding of sums of 60 products.
    assert backward_error(array, x, b) <= 1e-15 + 60 * 2.0**-53
    assert np.array_equal(array, kept[0]) and np.array_equal(b, kept[1])


def test_the_solution_is_the_same_on_every_rank(solve, comm, random_matrix):
    _, x, _ = solve(random_matrix(40), np.ones(40), ("bf16", "fp32", "fp64"))
    assert all(np.array_equal(x, other) for other in comm.allgather(x))


def test_the_history_tells_each_refinement(solve, random_matrix):
    array, seen = random_matrix(40, dominant=True), []
    solver, _, _ = solve(array, np.ones(40), ("bf16",))
    _, result = solver.solve(np.ones((1, 40)), seen.append)
    assert tuple(seen) == result.history and [entry.refinement for entry in seen] == list(range(len(seen)))
    assert result.refinements == len(seen) - 1 and seen[0].backward_error == 1.0
    assert all(after.backward_error < before.backward_error for before, after in zip(seen, seen[1:], strict=False))


def test_a_slow_contraction_turns_to_gmres(solve):
    array = named("fasi_higham", 80, 3e3)
    solver, _, result = solve(array, np.ones(80), ("bf16",), rtol=1e-14)
    assert result.converged and solver.krylov and not result.escalations
    assert result.iterations > result.refinements


def test_classical_refinement_alone_climbs_where_gmres_would_not(solve):
    array = named("fasi_higham", 80, 1e5)
    _, _, classical = solve(array, np.ones(80), ("fp8_e4m3", "fp32"), rtol=1e-14, refiner="classical")
    assert classical.converged and classical.format == "fp32"
    assert [(change.old_format, change.new_format) for change in classical.escalations] == [("fp8_e4m3", "fp32")]
    assert "left" in classical.escalations[0].reason


def test_gmres_can_be_asked_for_from_the_start(solve, random_matrix):
    solver, _, result = solve(random_matrix(50, dominant=True), np.ones(50), ("bf16",), refiner="gmres")
    assert result.converged and solver.krylov and result.refinements <= 2


@pytest.mark.parametrize("name", ["wilkinson_growth", "graded", "badly_scaled", "nearly_singular", "random_uniform"])
def test_matrices_that_are_known_for_trouble_end_at_the_fp64_backward_error(solve, name):
    n = 48
    array = named(name, n)
    b = array.sum(axis=1)
    _, x, result = solve(array, b, rtol=1e-14)
    assert result.converged, result
    assert backward_error(array, x, b[None]) <= 1e-14 + n * 2.0**-53


def test_an_ill_conditioned_matrix_climbs_to_fp64_and_says_why(solve):
    array = named("hilbert", 10)
    b = array.sum(axis=1)
    _, x, result = solve(array, b, ("bf16", "fp32", "fp64"), rtol=1e-15, max_iterations=4)
    assert result.converged and backward_error(array, x, b[None]) <= 1e-15 + 10 * 2.0**-53
    assert all(change.reason for change in result.escalations)


def test_formats_that_failed_are_left_for_good(solve):
    array = named("fasi_higham", 80, 1e5)
    solver, _, first = solve(array, np.ones(80), ("fp8_e4m3", "fp32"), rtol=1e-14, refiner="classical")
    assert first.escalations
    _, second = solver.solve(np.arange(80.0)[None])
    assert second.converged and not second.escalations and second.history[0].format == "fp32"


def test_row_exchanges_are_switched_on_when_entries_grow(solve):
    n = 40
    array = np.eye(n) * 1e-6 + np.random.default_rng(0).standard_normal((n, n)) * (1 - np.eye(n))
    solver, _, result = solve(array, np.ones(n), ("fp32", "fp64"), rtol=1e-14)
    assert result.converged and solver.factory.pivoting
    assert any("partial pivoting is switched on" in message for message in result.messages)


def test_row_exchanges_that_are_forbidden_are_not_made(solve):
    array = np.array([[0.0, 1.0], [1.0, 0.0]])
    solver, x, result = solve(array, np.ones(2), ("fp32", "fp64"), pivoting="none")
    assert result.status in (Status.STAGNATED, Status.DIVERGED) and not solver.factory.pivoting
    assert "zero pivot in column 0" in result.escalations[0].reason and "pivoting" in result.advice
    assert np.isfinite(x).all()


def test_a_dominant_matrix_needs_no_row_exchanges(solve, random_matrix):
    solver, _, result = solve(random_matrix(40, dominant=True), np.ones(40), ("bf16",))
    assert not solver.factory.pivoting and not result.messages


def test_partial_pivoting_can_be_asked_for(solve, random_matrix):
    solver, _, result = solve(random_matrix(40), np.ones(40), ("fp32",), pivoting="partial")
    assert result.converged and solver.factory.pivoting and not result.messages


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda a: a.__setitem__((slice(None), 3), 0.0), "column 3"),
        (lambda a: a.__setitem__(5, 0.0), "row 5"),
        (lambda a: a.__setitem__((slice(None), 4), 2.0 * a[:, 2]), "column"),
    ],
)
def test_an_exactly_singular_matrix_is_reported(solve, change, said):
    # Small integers, so that elimination in FP64 is exact and the zero pivot shows.
    array = np.diag([1.0] * 8) + np.tri(8, k=-1)
    change(array)
    with pytest.raises(SingularMatrixError, match=said):
        solve(array, np.ones(8), block=4, pivoting="partial", equilibrate="never")


def test_entries_beyond_fp32_are_scaled(solve, random_matrix):
    array = random_matrix(30, dominant=True) * 1e200
    solver, _, result = solve(array, np.ones(30), ("bf16",), rtol=1e-14)
    assert result.converged and solver.factory.scaling is not None


def test_entries_beyond_fp32_that_may_not_be_scaled_are_refused(solve, random_matrix):
    with pytest.raises(FormatError, match="overflows in fp32.*equilibrate"):
        solve(random_matrix(30, dominant=True) * 1e200, np.ones(30), ("bf16",), equilibrate="never")


def test_a_zero_right_hand_side_has_the_zero_solution(solve, random_matrix):
    b = np.zeros((2, 20))
    b[1] = 1.0
    _, x, result = solve(random_matrix(20, dominant=True), b, ("bf16",))
    assert result.converged and np.array_equal(x[0], np.zeros(20)) and np.any(x[1])


def test_a_tolerance_below_fp64_stagnates_with_the_best_and_advice(solve, random_matrix):
    array = random_matrix(40)
    _, x, result = solve(array, np.ones(40), ("bf16", "fp64"), rtol=1e-22)
    assert result.status is Status.STAGNATED and "wanted 1.0e-22" in result.advice
    assert result.backward_error <= 4e-16 and backward_error(array, x, np.ones((1, 40))) <= 4e-16 + 40 * 2.0**-53


def test_the_limit_of_refinements_is_kept(solve):
    _, _, result = solve(named("fasi_higham", 80, 3e2), np.ones(80), ("bf16",), rtol=1e-15, max_refinements=2)
    assert result.status is Status.REFINEMENT_LIMIT and result.refinements == 2 and "2" in result.advice


def test_a_ladder_without_fp64_advises_it(solve):
    _, _, result = solve(named("nearly_singular", 40), np.ones(40), ("fp8_e5m2",), rtol=1e-22)
    assert not result.converged and "fp64" in result.advice


@pytest.mark.parametrize(("name", "condition"), [("fasi_higham", 1e3), ("fasi_higham", 1e6), ("random_uniform", 0.0)])
@pytest.mark.parametrize("format_name", ["bf16", "fp64"])
def test_the_certificate_bounds_the_error(solve, name, condition, format_name):
    array, n = named(name, 50, condition), 50
    x = np.random.default_rng(2).standard_normal((2, n))
    b = x @ array.T
    solver, found, result = solve(array, b, (format_name, "fp32", "fp64"), rtol=1e-15)
    result = solver.certify(found, b, result)
    exact = np.linalg.cond(array, 1)
    assert exact / 3 <= result.condition <= 1.1 * exact
    error = (np.abs(found - x).sum(axis=1) / np.abs(x).sum(axis=1)).max()
    # The right-hand side itself was rounded; the estimate may be low by a third.
    assert error <= 3 * result.forward_error + exact * n * 2.0**-53


def test_without_factors_there_is_no_certificate(deal, grid, backend, random_matrix):
    solver = DenseSolver(deal(grid, backend, random_matrix(8), 4), DenseOptions(("fp32",)))
    x, result = solver.solve(np.zeros((1, 8)))
    assert solver.certify(x, np.zeros((1, 8)), result) is result
