"""Refinement ends at the FP64 backward error that was asked for, or says why it did not."""

import math

import numpy as np
import pytest

from mpsolve import lookup
from mpsolve.ledger import Ledger
from mpsolve.operators.diffusion import Diffusion
from mpsolve.operators.matrix_free import MatrixFree
from mpsolve.parallel.alone import Alone
from mpsolve.parallel.space import Space
from mpsolve.precision import get_format, ladder_from
from mpsolve.solvers.base import Status
from mpsolve.solvers.refinement import RefinementSolver
from mpsolve.solvers.refinement_options import RefinementOptions

FORMATS = ["fp64", "fp32", "tf32", "bf16", "fp16", "fp8_e4m3", "fp8_e5m2"]
SIZE = 30


def definite(condition, seed=0):
    """Return a symmetric positive definite matrix of norm 1."""
    basis = np.linalg.qr(np.random.default_rng(seed).standard_normal((SIZE, SIZE)))[0]
    return (basis * np.geomspace(1.0 / condition, 1.0, SIZE)) @ basis.T


def solver_of(dense, norm=1.0, **options):
    options = {"ladder": ladder_from("bf16"), "accumulate": "fp32", **options}
    space = Space(Alone(), lookup.find("backends", "reference").create(), (SIZE,), 0, Ledger())
    apply = dense if callable(dense) else lambda u: dense @ u
    solver = RefinementSolver(MatrixFree(space, (SIZE,), apply, norm), RefinementOptions(**options))
    solver.right_hand_side.set(right_hand_side())
    return solver


def right_hand_side(seed=1):
    return np.random.default_rng(seed).uniform(-1, 1, SIZE)


def backward_error(dense, norm, x, b):
    return np.linalg.norm(b - dense @ x) / (norm * np.linalg.norm(x) + np.linalg.norm(b))


@pytest.mark.parametrize("rtol", [1e-6, 1e-12, 1e-15])
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_reaches_the_fp64_backward_error(name, rtol):
    dense = definite(100.0)
    solver = solver_of(dense, ladder=ladder_from(name), rtol=rtol)
    result = solver.solve()
    x = solver.solution.to_numpy()
    assert result.status is Status.CONVERGED
    assert result.backward_error <= rtol
    # NumPy's residual is rounded too: SIZE products a row.
    assert backward_error(dense, 1.0, x, right_hand_side()) <= rtol + SIZE * 2.0**-53
    # |x - x*| <= |A^-1| |r|, twice for the rounding of NumPy's own solution.
    exact = np.linalg.solve(dense, right_hand_side())
    bound = 100.0 * (rtol + SIZE * 2.0**-53) * (np.linalg.norm(exact) + np.linalg.norm(right_hand_side()))
    assert np.linalg.norm(x - exact) <= 2 * bound


@pytest.mark.ranks
@pytest.mark.parametrize("varying", [False, True])
def test_the_answer_is_that_of_a_dense_solve_on_a_grid(comm, make_space, diffusion, whole, varying):
    case = diffusion((9, 11), (("dirichlet",) * 2, ("periodic",) * 2), varying=varying)
    grid, space = make_space(comm, case.shape, case.periodic)
    operator = Diffusion(grid, space, case.coefficients(grid), get_format("fp64"))
    solver = RefinementSolver(operator, RefinementOptions(ladder=ladder_from("bf16"), rtol=1e-13))
    b = np.random.default_rng(1).uniform(-1, 1, case.shape)
    solver.right_hand_side.set(b[grid.slices])
    result = solver.solve()
    x, matrix = whole(grid, solver.solution.to_numpy()).reshape(-1), case.matrix()
    exact = np.linalg.solve(matrix, b.reshape(-1))
    assert result.converged
    assert result.format == "bf16"
    assert backward_error(matrix, operator.norm, x, b.reshape(-1)) <= 1e-13 + 16 * 2.0**-53
    size = operator.norm * np.linalg.norm(exact) + np.linalg.norm(b)
    assert np.linalg.norm(x - exact) <= 2 * np.linalg.norm(np.linalg.inv(matrix), 2) * (1e-13 + 16 * 2.0**-53) * size


@pytest.mark.ranks
@pytest.mark.parametrize("name", ["fp64", "fp32", "bf16", "fp16", "fp8_e4m3"])
def test_the_number_of_ranks_changes_no_bit(world, alone, make_space, diffusion, whole, name):
    def solved(comm):
        case = diffusion((13, 11), (("dirichlet", "neumann"), ("periodic",) * 2), varying=name != "fp32")
        grid, space = make_space(comm, case.shape, case.periodic)
        operator = Diffusion(grid, space, case.coefficients(grid), get_format("fp64"))
        solver = RefinementSolver(operator, RefinementOptions(ladder=ladder_from(name)))
        solver.right_hand_side.set(np.random.default_rng(1).uniform(-1, 1, case.shape)[grid.slices])
        result = solver.solve()
        return whole(grid, solver.solution.interior), result

    (one, first), (many, second) = solved(alone), solved(world)
    assert np.array_equal(one, many)
    assert first == second


@pytest.mark.ranks
def test_compiled_kernels_give_the_same_bits_on_any_number_of_ranks(world, alone, make_space, diffusion, whole):
    pytest.importorskip("numba")

    def solved(comm):
        case = diffusion((13, 11), (("dirichlet", "neumann"), ("periodic",) * 2))
        grid, space = make_space(comm, case.shape, case.periodic, backend="cpu")
        operator = Diffusion(grid, space, case.coefficients(grid), get_format("fp64"))
        solver = RefinementSolver(operator, RefinementOptions(ladder=("bf16",)))
        solver.right_hand_side.set(np.random.default_rng(1).uniform(-1, 1, case.shape)[grid.slices])
        result = solver.solve()
        return whole(grid, solver.solution.interior), result

    (one, first), (many, second) = solved(alone), solved(world)
    assert first.converged
    assert np.array_equal(one, many)
    assert first == second


@pytest.mark.ranks
def test_a_narrow_halo_of_the_inner_solve_costs_no_accuracy(comm, make_space, diffusion, whole):
    case = diffusion((12, 16), (("dirichlet",) * 2, ("periodic",) * 2))
    grid, space = make_space(comm, case.shape, case.periodic)
    narrow = get_format("bf16")
    operator = Diffusion(grid, space, case.coefficients(grid), get_format("fp64"), inner_halo_format=narrow)
    solver = RefinementSolver(operator, RefinementOptions(ladder=("fp32", "fp64"), rtol=1e-13))
    b = np.random.default_rng(1).uniform(-1, 1, case.shape)
    solver.right_hand_side.set(b[grid.slices])
    assert solver.solve().converged
    x = whole(grid, solver.solution.to_numpy()).reshape(-1)
    assert backward_error(case.matrix(), operator.norm, x, b.reshape(-1)) <= 1e-13 + 16 * 2.0**-53


def test_the_right_hand_side_is_not_changed():
    solver = solver_of(definite(100.0))
    solver.solve()
    assert np.array_equal(solver.right_hand_side.to_numpy(), right_hand_side())


def test_the_history_tells_what_happened():
    seen = []
    solver = solver_of(definite(1e5), ladder=("fp8_e4m3", "bf16", "fp32", "fp64"))
    result = solver.solve(seen.append)
    assert tuple(seen) == result.history
    assert [entry.refinement for entry in result.history] == list(range(result.refinements + 1))
    assert result.iterations == sum(entry.iterations for entry in result.history)
    assert result.history[0].iterations == 0
    assert result.history[0].residual == pytest.approx(np.linalg.norm(right_hand_side()), rel=1e-14)
    assert result.backward_error == min(entry.backward_error for entry in result.history)
    assert result.format == result.history[-1].format
    assert [entry.format for entry in result.history] == sorted(
        (entry.format for entry in result.history), key=("fp8_e4m3", "bf16", "fp32", "fp64").index
    )


def test_a_format_that_stalls_is_left_for_the_next_one():
    result = solver_of(definite(1e5), ladder=("fp8_e4m3", "bf16", "fp32", "fp64")).solve()
    assert result.converged
    assert (result.escalations[0].old_format, result.escalations[0].new_format) == ("fp8_e4m3", "bf16")
    assert "stalled" in result.escalations[0].reason or "grew" in result.escalations[0].reason
    formats = [result.escalations[0].old_format, *(change.new_format for change in result.escalations)]
    assert formats[-1] == result.format


def test_a_format_that_overflows_is_left_for_the_next_one():
    # The norm is understated a million times, so that FP16 overflows and FP32 does not.
    result = solver_of(1e6 * definite(10.0), ladder=("fp16", "fp32", "fp64")).solve()
    assert result.converged
    assert [change.new_format for change in result.escalations] == ["fp32"]


def test_the_next_format_starts_from_the_best_solution():
    # An inner operator that is far too small throws the solution to 1e20; what follows must not start from there.
    dense = definite(10.0)
    space = Space(Alone(), lookup.find("backends", "reference").create(), (SIZE,), 0, Ledger())
    operator = MatrixFree(space, (SIZE,), lambda u: dense @ u, 1.0, apply_inner=lambda u: 1e-20 * u)
    solver = RefinementSolver(operator, RefinementOptions(ladder=("fp32", "fp64")))
    solver.right_hand_side.set(right_hand_side())
    result = solver.solve()
    assert result.converged
    assert "grew" in result.escalations[0].reason
    assert result.history[1].residual > 1e15
    assert result.history[2].residual < 1e-9


def test_the_next_solve_starts_in_the_format_in_which_the_last_one_ended():
    solver = solver_of(1e6 * definite(10.0), ladder=("fp16", "fp32", "fp64"))
    solver.solve()
    solver.solution.set(0.0)
    again = solver.solve()
    assert again.escalations == ()
    assert {entry.format for entry in again.history} == {"fp32"}


def test_without_a_next_format_it_stagnates_with_advice():
    result = solver_of(definite(1e6), ladder=("fp8_e4m3",)).solve()
    assert result.status is Status.STAGNATED
    assert not (result.backward_error <= 1e-12)
    assert "end the ladder with fp64" in result.advice


def test_more_than_fp64_can_give_stagnates_with_advice():
    result = solver_of(definite(100.0), ladder=("fp64",), rtol=1e-30).solve()
    assert result.status is Status.STAGNATED
    assert "even in fp64; raise rtol" in result.advice


def test_an_operator_that_is_not_definite_stagnates_with_advice():
    result = solver_of(-definite(10.0)).solve()
    assert result.status is Status.STAGNATED
    assert "symmetric positive definite" in result.advice


@pytest.mark.parametrize("options", [{"ladder": ("fp8_e4m3",)}, {"ladder": ("bf16",), "max_refinements": 3}])
def test_the_best_iterate_is_returned(options):
    dense = definite(1e6)
    solver = solver_of(dense, **options)
    result = solver.solve()
    assert not result.converged
    best = min(result.history, key=lambda entry: entry.residual)
    residual = np.linalg.norm(right_hand_side() - dense @ solver.solution.to_numpy())
    assert residual == pytest.approx(best.residual, rel=1e-10)
    assert result.backward_error == best.backward_error
    assert result.relative_residual == pytest.approx(residual / np.linalg.norm(right_hand_side()), rel=1e-10)


def test_the_limit_of_refinements_ends_it_with_advice():
    result = solver_of(definite(100.0), max_refinements=2).solve()
    assert result.status is Status.REFINEMENT_LIMIT
    assert result.refinements == 2
    assert "raise max_refinements" in result.advice


def test_the_limit_of_iterations_holds_for_each_refinement():
    result = solver_of(definite(100.0), max_iterations=3).solve()
    assert max(entry.iterations for entry in result.history) == 3


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_right_hand_side_that_is_not_finite_is_reported(bad):
    solver = solver_of(definite(10.0))
    solver.right_hand_side.interior[3] = bad
    result = solver.solve()
    assert result.status is Status.DIVERGED
    assert "right-hand side" in result.advice
    assert not solver.solution.to_numpy().any()


def test_an_operator_that_returns_nan_is_reported():
    result = solver_of(lambda u: np.where(u == 0, 0.0, np.nan)).solve()
    assert not result.converged
    assert result.advice


def test_a_zero_right_hand_side_has_the_solution_zero():
    solver = solver_of(definite(10.0))
    solver.right_hand_side.set(0.0)
    result = solver.solve()
    assert (result.status, result.backward_error, result.refinements) == (Status.CONVERGED, 0.0, 0)


def test_a_zero_right_hand_side_with_a_guess_has_the_solution_zero():
    solver = solver_of(definite(10.0))
    solver.right_hand_side.set(0.0)
    solver.solution.set(right_hand_side(2))
    result = solver.solve()
    assert result.converged
    assert not solver.solution.to_numpy().any()


def test_a_guess_is_the_start():
    dense = definite(100.0)
    solver = solver_of(dense)
    guess = np.linalg.solve(dense, right_hand_side()) * (1 + 1e-6)
    solver.solution.set(guess)
    result = solver.solve()
    assert result.history[0].residual == pytest.approx(np.linalg.norm(right_hand_side() - dense @ guess), rel=1e-6)
    assert result.refinements < solver_of(dense).solve().refinements


def test_an_exact_guess_needs_no_refinement():
    solver = solver_of(np.diag(2.0 ** np.arange(-SIZE + 1, 1)))
    solver.right_hand_side.set(2.0 ** np.arange(-SIZE + 1, 1))
    solver.solution.set(1.0)
    result = solver.solve()
    assert (result.status, result.refinements, result.backward_error) == (Status.CONVERGED, 0, 0.0)


@pytest.mark.parametrize("size", [1e-300, 1e-200, 1e-160, 1e160, 1e200, 1e300])
def test_numbers_near_the_ends_of_the_range_are_solved_like_others(size):
    dense = definite(100.0)
    solver = solver_of(dense)
    solver.right_hand_side.set(right_hand_side() * size)
    result = solver.solve()
    exact = np.linalg.solve(dense, right_hand_side())
    assert result.converged
    assert np.linalg.norm(solver.solution.to_numpy() / size - exact) <= 100.0 * 1e-11 * np.linalg.norm(exact)


def test_without_a_norm_the_backward_error_is_the_relative_residual():
    result = solver_of(definite(100.0), norm=0.0).solve()
    assert result.converged
    assert result.backward_error == result.relative_residual


def test_a_denominator_that_overflows_is_no_convergence():
    result = solver_of(definite(100.0), norm=1e308, ladder=("fp64",), max_refinements=3).solve()
    assert not result.converged
