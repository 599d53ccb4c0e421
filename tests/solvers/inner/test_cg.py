"""Conjugate gradients are those of the textbook, with one reduction an iteration."""

import numpy as np
import pytest

from mpsolve import lookup
from mpsolve.ledger import Ledger
from mpsolve.operators.diffusion import Diffusion
from mpsolve.operators.matrix_free import MatrixFree
from mpsolve.parallel.alone import Alone
from mpsolve.parallel.space import Space
from mpsolve.precision import get_format
from mpsolve.solvers.inner.cg import PATIENCE, create

SIZE = 24


def definite(eigenvalues, seed=0):
    basis = np.linalg.qr(np.random.default_rng(seed).standard_normal((SIZE, SIZE)))[0]
    return (basis * eigenvalues) @ basis.T


def solver_of(dense, name="fp64", accumulate="fp64"):
    space = Space(Alone(), lookup.find("backends", "reference").create(), (SIZE,), 0, Ledger())
    operator = MatrixFree(space, (SIZE,), lambda u: dense @ u, 1.0, format=get_format(name))
    return create(operator, accumulate)


def right_hand_side(seed=1):
    return np.random.default_rng(seed).uniform(-1, 1, SIZE)


def textbook(dense, b, iterations):
    """Hestenes and Stiefel (1952): x after a number of iterations from zero."""
    x, r = np.zeros(SIZE), b.copy()
    p, rho = r.copy(), r @ r
    for _ in range(iterations):
        alpha = rho / (p @ dense @ p)
        x, r = x + alpha * p, r - alpha * dense @ p
        rho, old = r @ r, rho
        p = r + rho / old * p
    return x


@pytest.mark.parametrize("iterations", [1, 2, 5, 10])
def test_the_iterates_are_those_of_the_textbook(iterations):
    dense = definite(np.linspace(0.05, 1.0, SIZE))
    solver = solver_of(dense)
    solver.right_hand_side.set(right_hand_side())
    assert solver.solve(0.0, iterations).iterations == iterations
    # Equal in exact arithmetic; rounding grows with the condition number of 20 and the iterations.
    slack = 100 * iterations * 20 * 2.0**-53 * np.linalg.norm(np.linalg.solve(dense, right_hand_side()))
    assert np.abs(solver.correction.to_numpy() - textbook(dense, right_hand_side(), iterations)).max() <= slack


def test_as_many_iterations_as_distinct_eigenvalues_suffice():
    dense = definite(np.repeat([0.1, 0.4, 0.7, 1.0], SIZE // 4))
    solver = solver_of(dense)
    solver.right_hand_side.set(right_hand_side())
    assert solver.solve(1e-10, 100).iterations == 4
    exact = np.linalg.solve(dense, right_hand_side())
    # |x - x*| <= |A^-1| |r|, and |r| is at most 1e-10 |b|.
    assert np.linalg.norm(solver.correction.to_numpy() - exact) <= 1e-10 / 0.1 * np.linalg.norm(right_hand_side())


def test_the_reduction_is_that_of_the_residual():
    dense = definite(np.linspace(0.05, 1.0, SIZE))
    solver, b = solver_of(dense), right_hand_side()
    solver.right_hand_side.set(b)
    result = solver.solve(1e-3, 100)
    residual = b - dense @ solver.correction.to_numpy()
    assert result.reduction <= 1e-3
    assert result.reduction == pytest.approx(np.linalg.norm(residual) / np.linalg.norm(b), rel=1e-6)


@pytest.mark.parametrize("name", ["fp32", "bf16", "fp16"])
def test_the_correction_is_summed_in_the_wider_format(name):
    assert solver_of(definite(np.ones(SIZE)), name, "fp32").correction.format.name == "fp32"


def test_the_correction_is_never_narrower_than_the_operator():
    assert solver_of(definite(np.ones(SIZE)), "fp64", "fp32").correction.format.name == "fp64"


def test_a_zero_right_hand_side_is_solved_at_once():
    solver = solver_of(definite(np.ones(SIZE)))
    solver.right_hand_side.set(0.0)
    result = solver.solve(1e-3, 100)
    assert (result.iterations, result.reduction) == (0, 0.0)
    assert not solver.correction.to_numpy().any()


def test_an_indefinite_operator_ends_the_iteration():
    solver = solver_of(definite(-np.linspace(0.1, 1.0, SIZE)))
    solver.right_hand_side.set(right_hand_side())
    assert solver.solve(1e-3, 1000).iterations == 0
    assert not solver.correction.to_numpy().any()


def test_a_singular_direction_ends_without_a_warning(recwarn):
    solver = solver_of(np.zeros((SIZE, SIZE)))
    solver.right_hand_side.set(right_hand_side())
    assert solver.solve(1e-3, 1000).iterations == 0
    assert not recwarn.list


def test_an_overflow_ends_the_iteration():
    # Entries of about 1e5 do not fit FP16.
    solver = solver_of(definite(np.linspace(1e5, 1e6, SIZE)), "fp16", "fp32")
    solver.right_hand_side.set(right_hand_side())
    assert solver.solve(1e-3, 1000).iterations <= 1


def test_a_stall_ends_the_iteration():
    solver = solver_of(definite(np.geomspace(1e-3, 1.0, SIZE)), "bf16", "fp32")
    solver.right_hand_side.set(right_hand_side())
    # Beyond what rounding allows; the smallest residual comes within a few times the number of unknowns.
    assert solver.solve(1e-12, 100_000).iterations <= 20 * SIZE + PATIENCE


def test_a_second_solve_starts_from_zero():
    solver = solver_of(definite(np.linspace(0.05, 1.0, SIZE)))
    answers = []
    for _ in range(2):
        solver.right_hand_side.set(right_hand_side())
        solver.solve(1e-6, 100)
        answers.append(solver.correction.to_numpy())
    assert np.array_equal(*answers)


def ill_scaled(make_space, comm, diffusion):
    """Return a diffusion operator whose diagonal spans six orders of magnitude, and its matrix."""
    case = diffusion((9, 8), (("dirichlet",) * 2, ("neumann",) * 2), varying=True)
    case.reaction = case.reaction * 10.0 ** np.random.default_rng(2).uniform(-1, 5, case.shape)
    grid, space = make_space(comm, case.shape)
    return case, grid, Diffusion(grid, space, case.coefficients(grid), get_format("fp64"))


@pytest.mark.ranks
def test_the_diagonal_preconditions(comm, make_space, diffusion, whole):
    case, grid, operator = ill_scaled(make_space, comm, diffusion)
    b = np.random.default_rng(1).uniform(-1, 1, case.shape)
    iterations = {}
    for kind in ("jacobi", "none"):
        solver = create(operator.in_format(get_format("fp64")), "fp64", kind)
        solver.right_hand_side.set(b[grid.slices])
        iterations[kind] = solver.solve(1e-10, 1000).iterations
        x = whole(grid, solver.correction.to_numpy()).reshape(-1) / operator.in_format(get_format("fp64")).scale
        residual = b.reshape(-1) - case.matrix() @ x
        # The norms of both methods differ by at most the root of the diagonal's span.
        assert np.linalg.norm(residual) <= 1e-10 * 1e3 * 10 * np.linalg.norm(b)
    assert iterations["jacobi"] < iterations["none"] / 2


@pytest.mark.ranks
@pytest.mark.parametrize("kind", ["jacobi", "none"])
@pytest.mark.parametrize("name", ["fp64", "bf16"])
def test_the_number_of_ranks_changes_no_bit(world, alone, make_space, diffusion, whole, kind, name):
    def solved(comm):
        case = diffusion((11, 9), (("periodic",) * 2, ("dirichlet", "neumann")), varying=True)
        grid, space = make_space(comm, case.shape, case.periodic)
        operator = Diffusion(grid, space, case.coefficients(grid), get_format("fp64"))
        solver = create(operator.in_format(get_format(name)), "fp32", kind)
        solver.right_hand_side.set(np.random.default_rng(1).uniform(-1, 1, case.shape)[grid.slices])
        result = solver.solve(0.03, 40)
        return whole(grid, solver.correction.interior), result

    (one, first), (many, second) = solved(alone), solved(world)
    assert np.array_equal(one, many)
    assert first == second


@pytest.mark.ranks
def test_one_reduction_an_iteration(comm, make_space, diffusion):
    case = diffusion((11, 9), (("dirichlet",) * 2,) * 2)
    grid, space = make_space(comm, case.shape)
    operator = Diffusion(grid, space, case.coefficients(grid), get_format("fp64"))
    solver = create(operator.in_format(get_format("fp32")))
    solver.right_hand_side.set(1.0)
    iterations = solver.solve(0.0, 7).iterations
    assert space.ledger.to_dict()["inner"]["fp32"]["reductions"] == iterations + 1


@pytest.mark.ranks
def test_an_operator_that_is_zero_ends_at_once(comm):
    space = Space(comm, lookup.find("backends", "reference").create(1), (4,), 0, Ledger())
    solver = create(MatrixFree(space, (4,), lambda u: 0.0 * u, 0.0), "fp64", "none")
    solver.right_hand_side.set(1.0)
    assert solver.solve(1e-3, 10).iterations == 0
