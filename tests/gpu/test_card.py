"""On a card: the bits of the processor in every format, and whole solves."""

import numpy as np
import pytest
from mirrored import Mirrored, MirroredKernels

from mpsolve import lookup
from mpsolve.backends.cuda import CudaBackend
from mpsolve.bins import to_float
from mpsolve.errors import BackendUnavailable
from mpsolve.field import Field
from mpsolve.kernels.cuda.devices.card import Card
from mpsolve.ledger import Ledger
from mpsolve.operators.dense import DenseOperator
from mpsolve.operators.diffusion import Diffusion
from mpsolve.parallel.block_cyclic import BlockCyclic, ProcessGrid
from mpsolve.parallel.cartesian import Cartesian
from mpsolve.parallel.space import Space
from mpsolve.precision import get_format
from mpsolve.solvers.dense.options import DenseOptions
from mpsolve.solvers.dense.refinement import DenseSolver
from mpsolve.solvers.refinement import RefinementSolver
from mpsolve.solvers.refinement_options import RefinementOptions
from mpsolve.solvers.vectors import add_scaled

pytestmark = pytest.mark.gpu

FORMATS = lookup.names("formats")
SHAPE = (70, 333)


@pytest.fixture(scope="module")
def card():
    try:
        return CudaBackend(Card(0), 1)
    except BackendUnavailable as error:
        pytest.skip(str(error))


def fields(name, count):
    format, rng = get_format(name), np.random.default_rng(3)
    made = [Field.zeros(SHAPE, 1, format) for _ in range(count)]
    for field in made:
        field.storage[...] = format.encode(rng.standard_normal(field.storage.shape))
    return made


@pytest.mark.parametrize("rounding", ["nearest", "stochastic"])
@pytest.mark.parametrize("name", FORMATS)
def test_sums_of_vectors_have_the_bits_of_numpy(card, name, rounding):
    answers = []
    for backend in (Mirrored(card), lookup.find("backends", "reference").create(1)):
        x, y, out = fields(name, 3)
        launch = backend.bind(add_scaled, [out], [x, y], dots=((0, 0), (0, 2)), rounding=rounding, key=5)
        bins = launch(0.37)
        answers.append((out.interior.copy(), [to_float(table) for table in bins]))
    assert np.array_equal(answers[0][0], answers[1][0])
    assert answers[0][1] == answers[1][1]


@pytest.mark.parametrize("name", FORMATS)
def test_explicit_steps_have_the_bits_of_numpy(card, name):
    answers = []
    for backend in (Mirrored(card), lookup.find("backends", "reference").create(1)):
        source, target = fields(name, 2)
        backend.bind_sweep(target, source, (0.1, 0.2), 1, ((1, -1), (0, 0)))()
        answers.append(target.interior.copy())
    assert np.array_equal(*answers)


@pytest.mark.parametrize("inner", ["cg", "auto"])
@pytest.mark.parametrize("varying", [False, True], ids=["uniform", "varying"])
@pytest.mark.parametrize("name", ["fp64", "fp32", "bf16", "fp16"])
def test_a_solve_has_the_bits_of_the_processor(card, alone, diffusion, name, varying, inner):
    case = diffusion((127, 250), (("dirichlet", "neumann"), ("periodic", "periodic")), varying=varying)
    answers = []
    for backend in (card, lookup.find("backends", "cpu").create(1)):
        grid = Cartesian.create(alone, case.shape, case.periodic, halo=2)
        space = Space(alone, backend, grid.shape, 2, Ledger())
        operator = Diffusion(grid, space, case.coefficients(grid), get_format("fp64"))
        solver = RefinementSolver(operator, RefinementOptions(inner=inner, ladder=(name,), rtol=1e-11))
        solver.right_hand_side.set(np.random.default_rng(4).uniform(-1, 1, case.shape))
        result = solver.solve()
        assert result.converged
        answers.append(solver.solution.to_numpy())
    assert np.array_equal(*answers)


@pytest.mark.parametrize("name", FORMATS)
def test_products_are_those_of_the_decoded_operands(card, name):
    format, rng = get_format(name), np.random.default_rng(5)
    gemm = card.products(format, "auto")
    left, right = (format.encode(rng.standard_normal(shape).astype(gemm.result)) for shape in ((301, 96), (96, 203)))
    c = np.ones((301, 203), gemm.result)
    gemm.subtract(c, gemm.left(left), gemm.right(right), 0.5)
    exact_left, exact_right = (format.decode(part).astype(np.float64) for part in (left, right))
    bound = 100 * np.finfo(gemm.result).eps / 2 * (np.abs(exact_left) @ np.abs(exact_right) + 1)
    assert np.all(np.abs(c - (1 - 0.5 * exact_left @ exact_right)) <= bound)


@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("transposed", [False, True])
def test_triangles_are_solved(card, upper, transposed):
    n, rng = 700, np.random.default_rng(8)
    block = (rng.standard_normal((n, n)) / n + np.eye(n)).astype(np.float32)
    triangle = np.triu(block) if upper else np.tril(block, -1) + np.eye(n)
    triangle = triangle.astype(np.float64).T if transposed else triangle.astype(np.float64)
    x = rng.standard_normal((2, n))
    vectors = x @ triangle.T
    MirroredKernels(card.dense).substitute(block, vectors, upper=upper, transposed=transposed)
    bound = 2 * n * 2.0**-53 * np.abs(np.linalg.inv(triangle)) @ np.abs(triangle) @ np.abs(x.T)
    assert np.all(np.abs(vectors - x) <= bound.T)


@pytest.mark.parametrize("problem", ["hpl_mxp", "random_uniform"])
@pytest.mark.parametrize("name", FORMATS)
def test_a_dense_system_is_solved_to_fp64(card, alone, name, problem):
    n = 1500
    matrix = lookup.find("models.matrices", problem).create(n)
    layout = BlockCyclic.create(ProcessGrid.create(alone), (n, n), 256)
    operator = DenseOperator(layout, matrix, card, Ledger(), store=problem != "hpl_mxp")
    solver = DenseSolver(operator, DenseOptions(ladder=(name, "fp32", "fp64"), rtol=1e-13))
    b = np.random.default_rng(0).standard_normal((1, n))
    x, result = solver.solve(b)
    whole = np.array(matrix.block(slice(0, n), slice(0, n)))
    scale = np.abs(whole).sum(axis=1).max() * np.abs(x).max() + np.abs(b).max()
    assert result.converged
    assert np.abs(b[0] - whole @ x[0]).max() <= 2e-13 * scale
