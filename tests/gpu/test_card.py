"""On a card: the bits of the processor in every format, and whole solves."""

import numpy as np
import pytest
from mirrored import Mirrored

from mpsolve import lookup
from mpsolve.backends.cuda import CudaBackend
from mpsolve.bins import to_float
from mpsolve.errors import BackendUnavailable
from mpsolve.field import Field
from mpsolve.kernels.cuda.devices.card import Card
from mpsolve.ledger import Ledger
from mpsolve.operators.diffusion import Diffusion
from mpsolve.parallel.cartesian import Cartesian
from mpsolve.parallel.space import Space
from mpsolve.precision import get_format
from mpsolve.solvers.refinement import RefinementOptions, RefinementSolver
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
