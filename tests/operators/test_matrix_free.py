"""An operator given by a function is that function, scaled and rounded once."""

import numpy as np
import pytest

from mpsolve import lookup
from mpsolve.errors import FormatError, ShapeError
from mpsolve.ledger import Ledger
from mpsolve.operators.matrix_free import MatrixFree, estimate_norm
from mpsolve.parallel.alone import Alone
from mpsolve.parallel.space import Space
from mpsolve.precision import get_format

SHAPE = (6, 5)
UNKNOWNS = 30


def matrix(seed=0, largest=40.0):
    """Return a symmetric positive definite matrix with eigenvalues from 1 to ``largest``."""
    basis = np.linalg.qr(np.random.default_rng(seed).standard_normal((UNKNOWNS, UNKNOWNS)))[0]
    return (basis * np.linspace(1.0, largest, UNKNOWNS)) @ basis.T


def function(dense):
    return lambda values: (dense @ values.reshape(-1)).reshape(values.shape)


@pytest.fixture
def space():
    return Space(Alone(), lookup.find("backends", "reference").create(), (UNKNOWNS,), 0, Ledger())


def vector(space, name="fp64", seed=1):
    return space.zeros(get_format(name)).set(np.random.default_rng(seed).uniform(-1, 1, UNKNOWNS))


def applied(space, operator, name, p=0.0, q=1.0):
    u, b, output = vector(space, name), vector(space, name, 2), space.zeros(get_format(name))
    dots = operator.affine(output, u, b, dots=((0, 0), (0, 1), (1, 2)), phase="test")(p, q)
    return output, u, b, dots


@pytest.mark.parametrize("name", ["fp64", "fp32", "bf16", "fp16"])
def test_affine_is_the_function_rounded_once(space, name):
    dense = matrix()
    output, u, b, dots = applied(space, MatrixFree(space, SHAPE, function(dense), 40.0), name, 0.5, 0.25)
    exact = 0.5 * b.to_numpy() + 0.25 * dense @ u.to_numpy()
    assert np.array_equal(output.to_numpy(), output.format.round(exact).astype(np.float64))
    pairs = [(output, output), (output, u), (u, b)]
    assert dots == pytest.approx([left.to_numpy() @ right.to_numpy() for left, right in pairs], rel=1e-13)


def test_the_function_gets_the_shape_of_the_user_and_fp64(space):
    seen = []

    def apply(values):
        seen.append((values.shape, values.dtype))
        return values

    for name in ("fp64", "bf16"):
        applied(space, MatrixFree(space, SHAPE, apply, 1.0).in_format(get_format(name)), name)
    assert set(seen) == {(SHAPE, np.dtype(np.float64))}


def test_the_function_may_destroy_its_argument(space):
    def apply(values):
        image = 2.0 * values
        values[...] = np.nan
        return image

    output, u, _, _ = applied(space, MatrixFree(space, SHAPE, apply, 2.0), "fp64")
    assert np.array_equal(output.to_numpy(), 2 * vector(space).to_numpy())
    assert np.array_equal(u.to_numpy(), vector(space).to_numpy())


def test_the_function_may_return_the_same_array_each_time(space):
    kept = np.zeros(SHAPE)

    def apply(values):
        kept[...] = 3.0 * values
        return kept

    output, u, _, _ = applied(space, MatrixFree(space, SHAPE, apply, 3.0), "fp64")
    assert np.array_equal(output.to_numpy(), 3 * u.to_numpy())


@pytest.mark.parametrize("norm", [1e-30, 0.3, 1.0, 40.0, 1e30])
def test_in_a_format_it_is_divided_by_a_power_of_two(space, norm):
    full = MatrixFree(space, SHAPE, function(matrix()), norm)
    low = full.in_format(get_format("fp16"))
    assert np.frexp(low.scale)[0] == 0.5
    assert 0.5 <= low.norm <= 1.0
    assert low.norm * low.scale == full.norm


def test_in_a_format_the_product_is_divided_by_the_scale(space):
    dense = matrix()
    low = MatrixFree(space, SHAPE, function(dense), 40.0).in_format(get_format("fp32"))
    output, u, _, _ = applied(space, low, "fp32")
    assert low.scale == 64.0
    assert np.array_equal(output.to_numpy(), np.float32(dense @ u.to_numpy() / 64.0).astype(np.float64))


def test_below_fp64_the_cheap_function_works_on_float32(space):
    seen = []

    def cheap(values):
        seen.append(values.dtype)
        return values

    full = MatrixFree(space, SHAPE, function(matrix()), 40.0, apply_inner=cheap)
    applied(space, full, "fp64")
    applied(space, full.in_format(get_format("fp64")), "fp64")
    assert seen == []
    applied(space, full.in_format(get_format("bf16")), "bf16")
    assert set(seen) == {np.dtype(np.float32)}


@pytest.mark.parametrize("wrong", [lambda u: u[:-1], lambda u: u.reshape(-1), lambda u: 1.0])
def test_another_shape_is_refused(space, wrong):
    with pytest.raises(ShapeError, match=r"it was given one of shape \(6, 5\)"):
        applied(space, MatrixFree(space, SHAPE, wrong, 1.0), "fp64")


def test_returning_nothing_is_refused(space):
    with pytest.raises(ShapeError, match="apply returned None"):
        applied(space, MatrixFree(space, SHAPE, lambda u: None, 1.0), "fp64")


@pytest.mark.parametrize("kind", ["complex128", "float32", "int64", "object"])
def test_numbers_that_lose_something_are_refused(space, kind):
    with pytest.raises(FormatError, match=f"returned {kind}"):
        applied(space, MatrixFree(space, SHAPE, lambda u: np.zeros(u.shape, kind), 1.0), "fp64")


def test_its_diagonal_is_not_known(space):
    assert MatrixFree(space, SHAPE, function(matrix()), 1.0).inverse_diagonal() is None


@pytest.mark.parametrize("largest", [1e-200, 1.0, 40.0, 1e200])
def test_the_norm_is_estimated_closely_from_below(space, largest):
    dense = matrix(largest=40.0) * (largest / 40.0)
    start = np.random.default_rng(5).standard_normal(UNKNOWNS)
    estimate = estimate_norm(space, lambda values: dense @ values, start)
    # Kaniel and Paige: 12 steps reach the largest eigenvalue to about exp(-4 * 11 sqrt(gap)); the gap is 1/29.
    assert 0.95 * largest <= estimate <= largest * (1 + 1e-12)


def test_the_norm_is_found_from_an_eigenvector_by_its_rounding_errors(space):
    values, vectors = np.linalg.eigh(matrix())
    estimate = estimate_norm(space, lambda u: matrix() @ u, vectors[:, 0])
    assert 0.5 * values[-1] <= estimate <= values[-1] * (1 + 1e-12)


def test_a_zero_start_has_no_norm_to_tell(space):
    assert estimate_norm(space, lambda u: u, np.zeros(UNKNOWNS)) == 0.0


def test_the_norm_of_an_operator_that_returns_nan_is_nan(space):
    assert np.isnan(estimate_norm(space, lambda u: u * np.nan, np.ones(UNKNOWNS)))


def test_the_norm_of_a_multiple_of_the_identity_is_exact(space):
    assert estimate_norm(space, lambda u: 4.0 * u, np.ones(UNKNOWNS)) == pytest.approx(4.0, rel=1e-14)
