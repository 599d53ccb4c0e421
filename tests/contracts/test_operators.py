"""What every operator promises: on each backend and in each format it is its FP64 matrix, rounded where it must be."""

import numpy as np
import pytest

from mpsolve import lookup
from mpsolve.errors import BackendUnavailable
from mpsolve.operators.base import Operator
from mpsolve.operators.diffusion import Diffusion
from mpsolve.operators.matrix_free import MatrixFree
from mpsolve.precision import get_format

FORMATS = lookup.names("formats")
SIDES_2D = (("dirichlet", "neumann"), ("periodic", "periodic"))


def usable(name):
    try:
        return lookup.find("backends", name).create(1) is not None
    except BackendUnavailable:
        return False


BACKENDS = [name for name in lookup.names("backends") if usable(name)]


class Diffused:
    """A diffusion operator and its matrix."""

    shape, halo = (6, 7), 1

    def __init__(self, diffusion, varying):
        self.case = diffusion(self.shape, SIDES_2D, varying=varying)
        self.matrix = self.case.matrix()
        # Rounded once each: coefficients where they are stored, and every sum of at most 16 operations.
        self.stored = varying

    def build(self, alone, make_space, backend):
        grid, space = make_space(alone, self.shape, self.case.periodic, backend=backend)
        return Diffusion(grid, space, self.case.coefficients(grid), get_format("fp64"))


class Function:
    """A matrix-free operator and its matrix, on one axis."""

    shape, halo, stored = (42,), 0, False

    def __init__(self):
        root = np.random.default_rng(1).standard_normal((42, 42))
        self.matrix = root @ root.T

    def build(self, alone, make_space, backend):
        grid, space = make_space(alone, self.shape, backend=backend, halo=0)
        norm = np.abs(self.matrix).sum(axis=1).max()
        return MatrixFree(space, self.shape, lambda values: self.matrix @ values, norm)


@pytest.fixture(params=["uniform diffusion", "varying diffusion", "matrix_free"])
def example(request, diffusion):
    return Function() if request.param == "matrix_free" else Diffused(diffusion, request.param[:7] == "varying")


def test_every_operator_has_an_example():
    # An operator is made by its class, so that a new file needs an example here. A dense matrix acts on whole vectors
    # and not on fields; tests/operators/test_dense.py has its promises.
    assert set(lookup.names("operators")) == {"diffusion", "matrix_free", "dense"}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", FORMATS)
def test_it_is_its_matrix(alone, make_space, example, backend, name):
    if backend == "cpu" and example.stored and name not in ("fp64", "bf16"):
        pytest.skip("compiled in two formats only, to save time")
    format, generator = get_format(name), np.random.default_rng(2)
    low = example.build(alone, make_space, backend).in_format(format)
    u, b, output = (low.space.zeros(format) for _ in range(3))
    u.set(generator.uniform(-1, 1, example.shape))
    b.set(generator.uniform(-1, 1, example.shape))
    dots = low.affine(output, u, b, dots=((0, 1), (1, 2)), phase="test")(0.5, 0.25)
    u, b, w = (field.to_numpy().reshape(-1) for field in (u, b, output))
    exact = 0.5 * b + 0.25 * example.matrix @ u / low.scale
    # The norm is below 1 and so is u: what is rounded is at most 1 in size, subnormal numbers to their spacing.
    compute = np.finfo(format.compute).eps / 2
    slack = (1 + example.stored) * format.unit_roundoff + 20 * compute + 2 * format.smallest_subnormal
    slack += 42 * 2.0**-53
    assert np.abs(w - exact).max() <= slack
    assert dots == pytest.approx([w @ u, u @ b], rel=1e-12, abs=1e-14)


@pytest.mark.parametrize("name", FORMATS)
def test_in_a_format_the_norm_is_near_one(alone, make_space, example, name):
    full = example.build(alone, make_space, "reference")
    low = full.in_format(get_format(name))
    assert isinstance(low, Operator)
    assert 0.5 <= low.norm <= 1.0
    assert low.norm * low.scale == full.norm
    assert low.format.name == name


def test_the_norm_bounds_the_matrix(alone, make_space, example):
    operator = example.build(alone, make_space, "reference")
    assert np.linalg.norm(example.matrix, 2) <= operator.norm * (1 + 1e-12)


def test_the_inverse_diagonal_is_that_of_the_matrix_or_not_given(alone, make_space, example):
    inverse = example.build(alone, make_space, "reference").inverse_diagonal()
    if inverse is not None:
        assert inverse.reshape(-1) * np.diag(example.matrix) == pytest.approx(1.0, rel=1e-14)


def test_applying_does_not_change_the_argument(alone, make_space, example):
    operator = example.build(alone, make_space, "reference")
    u, output = (operator.space.zeros(get_format("fp64")) for _ in range(2))
    u.set(np.random.default_rng(2).uniform(-1, 1, example.shape))
    before = u.to_numpy()
    operator.affine(output, u, phase="test")(0.0, 1.0)
    assert np.array_equal(u.to_numpy(), before)
