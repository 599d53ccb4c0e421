"""A user's own operator is solved to FP64 accuracy, alone or on ranks, and bad input is refused on all of them."""

import math
import subprocess
import sys

import numpy as np
import pytest

import mpsolve
from mpsolve.errors import ConfigError, FormatError, MpsolveError, ShapeError, UnknownNameError
from mpsolve.solvers.base import Status

FORMATS = ["fp64", "fp32", "tf32", "bf16", "fp16", "fp8_e4m3", "fp8_e5m2"]


def poisson(u):
    """Return 4 u less its four neighbours, zero beyond the sides."""
    v = np.pad(u, 1)
    return 4 * u - v[:-2, 1:-1] - v[2:, 1:-1] - v[1:-1, :-2] - v[1:-1, 2:]


def matrix_of(apply, shape):
    unknowns = int(np.prod(shape))
    return np.stack([apply(row.reshape(shape)).reshape(-1) for row in np.eye(unknowns)], axis=1)


def random_block(shape=(9, 8), seed=1):
    return np.random.default_rng(seed).uniform(-1, 1, shape)


@pytest.mark.parametrize("precision", FORMATS)
def test_the_answer_is_the_dense_one(precision):
    b = random_block()
    x, result = mpsolve.refine(poisson, b, precision=precision)
    dense = matrix_of(poisson, b.shape)
    exact = np.linalg.solve(dense, b.reshape(-1))
    assert result.status is Status.CONVERGED
    assert x.shape == b.shape
    assert x.dtype == np.float64
    # The norm that is estimated is not above that of A, so that the true backward error is not above either.
    norm, residual = np.linalg.norm(dense, 2), b.reshape(-1) - dense @ x.reshape(-1)
    size = norm * np.linalg.norm(x) + np.linalg.norm(b)
    assert np.linalg.norm(residual) <= (1e-12 + 8 * 2.0**-53) * size
    assert np.linalg.norm(x.reshape(-1) - exact) <= 2 * np.linalg.norm(np.linalg.inv(dense), 2) * 1e-12 * size


@pytest.mark.parametrize("shape", [(), (1,), (40,), (5, 6), (3, 4, 5), (2, 3, 2, 3)])
def test_any_shape_is_taken(shape):
    weights = np.random.default_rng(2).uniform(1, 2, shape)
    x, result = mpsolve.refine(lambda u: weights * u, np.ones(shape))
    assert result.converged
    assert x.shape == shape
    assert x == pytest.approx(1 / weights, rel=1e-11)


def test_nothing_is_solved_by_nothing():
    x, result = mpsolve.refine(lambda u: u, np.zeros((0, 3)))
    assert x.shape == (0, 3)
    assert result.converged


def test_the_right_hand_side_and_the_guess_are_not_changed():
    b, guess = random_block(), random_block(seed=2)
    b.flags.writeable = guess.flags.writeable = False
    x, _ = mpsolve.refine(poisson, b, x0=guess)
    assert np.array_equal(b, random_block())
    assert np.array_equal(guess, random_block(seed=2))
    assert not np.shares_memory(x, b)
    assert not np.shares_memory(x, guess)


@pytest.mark.parametrize("kind", ["float32", "int32", "int64", ">f8"])
def test_other_real_numbers_are_converted(kind):
    b = np.arange(12).reshape(3, 4).astype(kind)
    x, result = mpsolve.refine(poisson, b)
    assert result.converged
    assert np.array_equal(x, mpsolve.refine(poisson, b.astype(float))[0])


def test_a_strided_array_is_taken():
    b = random_block((18, 16))[::2, ::-2]
    assert np.array_equal(mpsolve.refine(poisson, b)[0], mpsolve.refine(poisson, b.copy())[0])


def test_a_good_guess_saves_refinements():
    b = random_block()
    x, result = mpsolve.refine(poisson, b)
    again, repeated = mpsolve.refine(poisson, b, x0=x)
    assert repeated.refinements == 0
    assert np.array_equal(again, x)
    assert result.refinements > 0


@pytest.mark.parametrize("x0", [None, random_block()])
def test_a_zero_right_hand_side_has_the_solution_zero(x0):
    x, result = mpsolve.refine(poisson, np.zeros((9, 8)), x0=x0)
    assert result.converged
    assert not x.any()


@pytest.mark.parametrize("size", [1e-200, 1e-12, 1e12, 1e200])
def test_the_unit_of_the_operator_does_not_matter(size):
    x, result = mpsolve.refine(lambda u: size * poisson(u), random_block(), precision="fp16")
    assert result.converged
    assert result.format == "fp16"
    assert x * size == pytest.approx(mpsolve.refine(poisson, random_block())[0], abs=1e-10)


def test_an_eigenvector_as_right_hand_side_does_not_mislead_the_scaling():
    axis = np.sin(np.pi * np.arange(1, 32) / 32)
    smooth = axis[:, None] * axis
    x, result = mpsolve.refine(poisson, smooth, precision="fp16", ladder=())
    assert result.converged
    assert x == pytest.approx(smooth / (8 * np.sin(np.pi / 64) ** 2), rel=1e-9)


def test_a_norm_that_is_given_saves_the_estimate():
    calls = []

    def counted(u):
        calls.append(1)
        return poisson(u)

    _, result = mpsolve.refine(counted, random_block(), norm=8.0, precision="fp32")
    # One trial with zeros; a residual per entry of the history; per inner solve one product more than iterations.
    assert len(calls) == 1 + len(result.history) + result.iterations + result.refinements


def test_the_cheap_operator_does_the_inner_work_on_float32():
    kinds = []

    def cheap(u):
        kinds.append(u.dtype)
        return poisson(u)

    exact_calls = []
    x, result = mpsolve.refine(
        lambda u: (exact_calls.append(1), poisson(u))[1], random_block(), apply_inner=cheap, norm=8.0
    )
    assert result.converged
    assert set(kinds) == {np.dtype(np.float32)}
    assert len(exact_calls) == 1 + len(result.history)
    assert len(kinds) == 1 + result.iterations + result.refinements


def test_a_cheap_operator_that_is_a_little_wrong_costs_refinements_only():
    b = random_block()
    x, result = mpsolve.refine(poisson, b, apply_inner=lambda u: 1.03 * poisson(u) + np.float32(0.02) * u)
    assert result.converged
    assert x == pytest.approx(mpsolve.refine(poisson, b)[0], abs=1e-10)


def test_it_escalates_when_the_format_fails():
    # Eigenvalues from 1e-4 to 1: more than eight bits can tell apart.
    weights = np.geomspace(1e-4, 1.0, 60)
    x, result = mpsolve.refine(lambda u: weights * u, np.ones(60), precision="fp8_e5m2")
    assert result.converged
    assert result.escalations[0].old_format == "fp8_e5m2"
    assert x == pytest.approx(1 / weights, rel=1e-7)


def test_without_a_ladder_it_stagnates_with_advice():
    weights = np.geomspace(1e-8, 1.0, 60)
    _, result = mpsolve.refine(lambda u: weights * u, np.ones(60), precision="fp8_e4m3", ladder=(), rtol=1e-15)
    assert result.status is not Status.CONVERGED
    assert result.advice


def test_too_few_refinements_are_reported():
    _, result = mpsolve.refine(poisson, random_block(), max_refinements=1)
    assert (result.status, result.refinements) == (Status.REFINEMENT_LIMIT, 1)


def test_refinements_are_observed():
    seen = []
    _, result = mpsolve.refine(poisson, random_block(), observe=seen.append)
    assert tuple(seen) == result.history


def test_an_operator_that_is_not_definite_is_reported():
    _, result = mpsolve.refine(lambda u: -poisson(u), random_block())
    assert not result.converged
    assert "symmetric positive definite" in result.advice


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"apply": 3}, ConfigError, "apply is 3"),
        ({"apply": None}, ConfigError, "apply is None"),
        ({"apply_inner": "poisson"}, ConfigError, "apply_inner is 'poisson'"),
        ({"observe": 1}, ConfigError, "observe is 1"),
        ({"inner": "gmress"}, UnknownNameError, "unknown inner solver 'gmress'; there are: .*cg"),
        ({"inner": "multigrid"}, ConfigError, "multigrid needs a diffusion operator on a grid"),
        ({"precision": "fp12"}, UnknownNameError, "unknown precision 'fp12'; there are: bf16"),
        ({"precision": 16}, UnknownNameError, "unknown precision '16'"),
        ({"ladder": ("fp64", "fp32")}, ConfigError, "not more precise"),
        ({"ladder": ("fp99",)}, UnknownNameError, "fp99"),
        ({"backend": "tpu"}, UnknownNameError, "tpu"),
        ({"rtol": 0.0}, ConfigError, "rtol is 0.0"),
        ({"rtol": math.nan}, ConfigError, "rtol is nan"),
        ({"rtol": "small"}, ConfigError, "rtol is 'small'"),
        ({"norm": -1.0}, ConfigError, "norm is -1.0"),
        ({"norm": math.nan}, ConfigError, "norm is nan"),
        ({"max_refinements": 0}, ConfigError, "max_refinements is 0"),
        ({"max_iterations": 2.5}, ConfigError, "max_iterations is 2.5"),
        ({"b": np.array([1.0, math.nan, math.inf])}, FormatError, "b holds 2 values that are NaN or infinite"),
        ({"b": np.array([1j])}, FormatError, "b holds complex128"),
        ({"b": np.array(["1"])}, FormatError, "b holds <U1"),
        ({"b": [[1.0], [None]]}, FormatError, "b holds object"),
        ({"x0": np.zeros(3)}, ShapeError, r"x0 has shape \(3,\), but b has shape \(9, 8\)"),
        ({"x0": np.full((9, 8), math.inf)}, FormatError, "x0 holds 72 values"),
        ({"apply": lambda u: u[0]}, ShapeError, r"shape \(8,\)"),
        ({"apply": lambda u: None}, ShapeError, "apply returned None; it must return an array"),
        ({"apply": lambda u: u.astype(np.float32)}, FormatError, "float32 values; it must return float64"),
        ({"apply": lambda u: u * 1j}, FormatError, "complex128"),
        ({"apply": lambda u: poisson(u) + 1.0}, ConfigError, "apply of zeros returned 1, so that it is not linear"),
        ({"apply": lambda u: u + math.nan}, ConfigError, "apply of zeros returned nan"),
        ({"apply": lambda u: np.where(u == 0, 0, math.nan)}, FormatError, "NaN or infinity for a multiple of b"),
        ({"apply_inner": lambda u: u[1:]}, ShapeError, "shape"),
        ({"apply_inner": lambda u: u + 2}, ConfigError, "apply_inner of zeros returned 2"),
    ],
)
def test_bad_input_is_refused(options, error, text):
    arguments = {"apply": poisson, "b": random_block(), **options}
    with pytest.raises(error, match=text):
        mpsolve.refine(arguments.pop("apply"), arguments.pop("b"), **arguments)


def test_an_error_of_the_function_itself_comes_out():
    def broken(u):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        mpsolve.refine(broken, random_block())


def test_alone_it_does_not_start_mpi():
    code = (
        "import numpy as np, mpsolve, sys\n"
        "x, result = mpsolve.refine(lambda u: 2 * u, np.ones(5))\n"
        "grid = mpsolve.grid((8, 8), periodic=True)\n"
        "grid.exchange(grid.field(1.0))\n"
        "print(result.converged, 'mpi4py.MPI' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]


def test_a_named_backend_gives_the_same_answer():
    pytest.importorskip("numba")
    b = random_block()
    x, result = mpsolve.refine(poisson, b, backend="cpu")
    assert result.converged
    assert x == pytest.approx(mpsolve.refine(poisson, b, backend="reference")[0], abs=1e-10)


# On ranks.


def distributed(comm, shape, seed=1, **options):
    """Solve on a divided grid with the halo of the library; return the whole answer and the result."""
    grid = mpsolve.grid(shape, periodic=(False, True), comm=comm)
    u = grid.field()

    def apply(values):
        grid.exchange(u.set(values))
        v = grid.with_ghosts(u)
        sides = v[:-2, 1:-1] + v[2:, 1:-1] + v[1:-1, :-2] + v[1:-1, 2:]
        return 4.5 * v[1:-1, 1:-1] - sides

    b = random_block(shape, seed)[grid.slices]
    x, result = mpsolve.refine(apply, b, comm=comm, **options)
    return comm.bcast(grid.gather(x)), result


@pytest.mark.ranks
@pytest.mark.parametrize("precision", ["fp64", "fp32", "bf16", "fp16"])
def test_the_number_of_ranks_changes_no_bit(world, alone, precision):
    one, first = distributed(alone, (11, 13), precision=precision)
    many, second = distributed(world, (11, 13), precision=precision)
    assert first.converged
    assert np.array_equal(one, many)
    assert first == second


@pytest.mark.ranks
def test_a_rank_may_hold_nothing(world):
    b = np.ones(3 if world.rank == 0 else 0)
    x, result = mpsolve.refine(lambda u: 2 * u, b, comm=world)
    assert result.converged
    assert np.array_equal(x, b / 2)


BAD_ON_ONE = [
    ({"b": np.array([math.nan])}, FormatError),
    ({"b": np.array([1j])}, FormatError),
    ({"x0": np.zeros(2)}, ShapeError),
    ({"apply": "nothing"}, ConfigError),
    ({"apply": lambda u: u[:0]}, ShapeError),
    ({"apply": lambda u: u.astype(np.float32)}, FormatError),
    ({"apply": lambda u: u + 1.0}, ConfigError),
    ({"precision": "fp12"}, UnknownNameError),
    ({"inner": "none"}, UnknownNameError),
]


@pytest.mark.ranks
@pytest.mark.parametrize(("wrong", "error"), BAD_ON_ONE)
def test_what_is_wrong_on_one_rank_is_refused_on_all(world, wrong, error):
    arguments = {"apply": lambda u: 2 * u, "b": np.ones(1), **(wrong if world.rank == world.size - 1 else {})}
    with pytest.raises(error) as caught:
        mpsolve.refine(arguments.pop("apply"), arguments.pop("b"), comm=world, **arguments)
    if world.rank != world.size - 1:
        assert str(caught.value).startswith(f"on rank {world.size - 1}: ")


@pytest.mark.ranks
def test_any_exception_of_the_function_on_one_rank_ends_it_on_all(world):
    def broken(u):
        if world.rank == world.size - 1:
            raise ZeroDivisionError("mine")
        return u

    with pytest.raises(ZeroDivisionError if world.rank == world.size - 1 else MpsolveError, match="mine"):
        mpsolve.refine(broken, np.ones(2), comm=world)


@pytest.mark.ranks
def test_options_that_differ_between_ranks_are_refused(world):
    if world.size == 1:
        return
    with pytest.raises(ConfigError, match="give all ranks the same"):
        mpsolve.refine(lambda u: 2 * u, np.ones(2), comm=world, rtol=1e-12 if world.rank else 1e-10)
