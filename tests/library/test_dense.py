"""mpsolve.solve and mpsolve.matrix: arrays, functions and distributed matrices, and what they refuse."""

import numpy as np
import pytest

import mpsolve
from mpsolve.errors import ConfigError, FormatError, MpsolveError, ShapeError, SingularMatrixError, UnknownNameError

pytestmark = pytest.mark.ranks


def system(n=50, count=1, seed=0):
    rng = np.random.default_rng(seed)
    array, x = rng.standard_normal((n, n)), rng.standard_normal((n, count) if count > 1 else n)
    return array, x, array @ x


def on_root(comm, value):
    return value if comm.rank == 0 else None


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("precision", ["bf16", "fp32", "auto"])
def test_an_array_of_rank_0_is_solved_by_all(comm, precision, count):
    array, x, b = system(count=count)
    kept = array.copy(), b.copy()
    solution, result = mpsolve.solve(on_root(comm, array), on_root(comm, b), precision=precision, rtol=1e-15, comm=comm)
    assert result.converged and solution.shape == b.shape
    assert np.abs(solution - x).sum() <= 3 * result.forward_error * np.abs(x).sum() * count + 1e-12
    assert np.array_equal(array, kept[0]) and np.array_equal(b, kept[1])
    assert all(np.array_equal(solution, other) for other in comm.allgather(solution))


def test_without_ranks_nothing_is_started():
    array, x, b = system()
    solution, result = mpsolve.solve(array.astype(np.float32), b)
    assert result.converged and solution.dtype == np.float64
    assert not np.array_equal(solution, x)


@pytest.mark.parametrize("kind", [np.float32, np.int64, np.float64])
def test_real_numbers_of_any_kind_are_taken(kind):
    array = (np.eye(20) * 50 + np.arange(400).reshape(20, 20) % 7).astype(kind)
    solution, result = mpsolve.solve(array, array.sum(axis=1), rtol=1e-15)
    assert result.converged and np.allclose(solution, 1, rtol=1e-12)


def test_a_function_fills_a_distributed_matrix(comm):
    n = 60
    A = mpsolve.matrix(n, lambda i, j: np.where(i == j, 2.0 * n, np.sin(i + 2.0 * j)), comm=comm, block=7)
    b = np.zeros((A.layout.rows.n,))
    whole = A.gather()
    if comm.rank == 0:
        b = whole.sum(axis=1)
    x, result = mpsolve.solve(A, b, precision="bf16", rtol=1e-15)
    assert result.converged and np.allclose(x, 1, rtol=1e-12)


def test_a_program_may_fill_its_own_part(comm):
    n = 40
    A = mpsolve.matrix(n, comm=comm, block=6)
    A.local[...] = np.where(A.rows == A.columns, 5.0, 1.0 / (1 + np.abs(A.rows - A.columns)))
    kept = A.local.copy()
    x, result = mpsolve.solve(A, np.ones(n), precision="fp16")
    assert result.converged and np.array_equal(A.local, kept)
    i = np.arange(n)
    whole = np.where(i[:, None] == i, 5.0, 1.0 / (1 + np.abs(i[:, None] - i)))
    assert np.allclose(whole @ x, 1, atol=1e-10)


def test_the_grid_of_ranks_can_be_chosen(comm):
    A = mpsolve.matrix(30, lambda i, j: np.where(i == j, 9.0, 0.1), comm=comm, block=4, ranks=(comm.size, 1))
    assert (A.layout.grid.rows, A.layout.grid.columns) == (comm.size, 1)
    assert mpsolve.solve(A, np.ones(30))[1].converged


def test_refinements_can_be_observed():
    array, _, b = system()
    seen = []
    _, result = mpsolve.solve(array, b, observe=seen.append, condition=False)
    assert tuple(seen) == result.history and result.condition is None


REFUSED = {
    "not square": ((np.ones((3, 4)), np.ones(3)), {}, ShapeError, r"\(3, 4\).*square"),
    "empty": ((np.ones((0, 0)), np.ones(0)), {}, ShapeError, "at least one row"),
    "complex": ((np.eye(3) * 1j, np.ones(3)), {}, FormatError, "complex"),
    "text": ((np.array([["a"]]), np.ones(1)), {}, FormatError, "holds <U1"),
    "short b": ((np.eye(3), np.ones(4)), {}, ShapeError, r"\(4,\).*3 rows"),
    "NaN in b": ((np.eye(3), np.array([1, np.nan, 1])), {}, FormatError, "b holds 1 values"),
    "NaN in A": ((np.diag([1.0, np.nan, 1]), np.ones(3)), {}, FormatError, "row 1, column 1"),
    "singular": ((np.zeros((3, 3)), np.ones(3)), {}, SingularMatrixError, "column 0"),
    "precision": ((np.eye(3), np.ones(3)), {"precision": "fp15"}, UnknownNameError, "'fp16'"),
    "rtol": ((np.eye(3), np.ones(3)), {"rtol": 0}, ConfigError, "rtol is 0"),
    "pivoting": ((np.eye(3), np.ones(3)), {"pivoting": "full"}, UnknownNameError, "partial"),
    "refiner": ((np.eye(3), np.ones(3)), {"refiner": "gmre"}, UnknownNameError, "gmres"),
    "gemm": ((np.eye(3), np.ones(3)), {"gemm": "blas"}, UnknownNameError, "emulated"),
    "limit": ((np.eye(3), np.ones(3)), {"max_refinements": 0}, ConfigError, "max_refinements is 0"),
    "ladder": ((np.eye(3), np.ones(3)), {"ladder": ("fp32", "bf16")}, ConfigError, "not more precise"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_meant_is_refused_on_every_rank(comm, case):
    (array, b), options, kind, text = REFUSED[case]
    with pytest.raises(kind, match=text):
        mpsolve.solve(on_root(comm, array), on_root(comm, b), comm=comm, **options)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"n": 0}, "n is 0"),
        ({"n": 2.5}, "n is 2.5"),
        ({"n": 4, "block": -1}, "block is -1"),
        ({"n": 4, "ranks": (3, 7)}, "3x7"),
        ({"n": 4, "entries": np.eye(3)}, "3 rows, but n is 4"),
        ({"n": 4, "entries": lambda i, j: np.ones(3)}, "shape"),
        ({"n": 1 << 20}, "GiB are free"),
    ],
)
def test_a_matrix_that_cannot_be_made_is_refused(comm, arguments, text):
    with pytest.raises(MpsolveError, match=text):
        mpsolve.matrix(**arguments, comm=comm)


def test_options_that_differ_between_ranks_are_refused(comm):
    if comm.size == 1:
        assert mpsolve.solve(np.eye(3), np.ones(3), precision="bf16")[1].converged
        return
    with pytest.raises(ConfigError, match="give all ranks the same"):
        mpsolve.solve(
            on_root(comm, np.eye(3)), on_root(comm, np.ones(3)), comm=comm, precision="fp32" if comm.rank else "bf16"
        )
