"""Multigrid inside refinement: fast on any grid, with jumps, and the same bits on any number of ranks."""

import numpy as np
import pytest

from mpsolve.operators.diffusion import Coefficients
from mpsolve.precision import get_format
from mpsolve.solvers.multigrid.options import MultigridOptions

pytestmark = pytest.mark.ranks

PERIODIC, HELD, CLOSED = ("periodic", "periodic"), ("dirichlet", "dirichlet"), ("neumann", "neumann")


class JumpingCase:
    """Conductivity 1 or 1e-6 in blocks of 5 cells, held sides."""

    def __init__(self, shape):
        self.shape, self.periodic = shape, (False,) * len(shape)
        coarse = np.random.default_rng(2).integers(0, 2, [-(-n // 5) for n in shape])
        whole = np.kron(coarse, np.ones((5,) * len(shape)))[tuple(slice(0, n) for n in shape)]
        self.conductivity = np.where(whole > 0, 1.0, 1e-6)

    def coefficients(self, grid):
        faces = []
        for axis in range(grid.ndim):
            k = np.moveaxis(self.conductivity, axis, 0)
            face = np.concatenate([2 * k[:1], 2 / (1 / k[1:] + 1 / k[:-1]), 2 * k[-1:]])
            box = [slice(lo, hi + (place == axis)) for place, (lo, hi) in enumerate(zip(grid.lo, grid.hi, strict=True))]
            faces.append(np.ascontiguousarray(np.moveaxis(face, 0, axis)[tuple(box)]))
        return Coefficients(tuple(faces), np.full(grid.shape, 1e-3))


@pytest.mark.parametrize("shape", [(33, 32), (37, 53), (12, 13, 11)])
@pytest.mark.parametrize("side", [PERIODIC, HELD, CLOSED], ids=["periodic", "held", "closed"])
def test_twelve_cycles_reach_the_tolerance_on_any_grid(world, diffusion, refined, shape, side):
    case = diffusion(shape, (side,) * len(shape), reaction=1e-3)
    _, _, result = refined(world, case, rtol=1e-10)
    assert result.converged
    assert result.iterations <= 12


@pytest.mark.parametrize("name", ["fp64", "fp16"])
def test_conjugate_gradients_with_a_cycle_take_jumps_of_a_million(world, refined, name):
    _, _, result = refined(world, JumpingCase((40, 45)), name, inner="auto", rtol=1e-10)
    assert result.converged
    assert not result.escalations
    assert result.iterations <= 40


@pytest.mark.parametrize("name", ["fp32", "fp16", "bf16"])
def test_low_precision_reaches_the_same_backward_error(world, diffusion, refined, name):
    _, solver, result = refined(world, diffusion((29, 31), (HELD, PERIODIC), varying=True), name)
    assert result.converged
    assert not result.escalations
    assert np.isfinite(solver.solution.to_numpy()).all()


@pytest.mark.parametrize("varying", [False, True], ids=["uniform", "varying"])
@pytest.mark.parametrize(("shape", "sides"), [((25, 22), (PERIODIC, HELD)), ((9, 11, 8), (HELD, PERIODIC, CLOSED))])
def test_the_number_of_ranks_changes_no_bit(world, alone, deep, diffusion, refined, whole, varying, shape, sides):
    case = diffusion(shape, sides, varying=varying)
    answers = []
    for comm in (alone, world):
        grid, solver, result = refined(comm, case, "fp16")
        answers.append((whole(grid, solver.solution.to_numpy()), result))
    assert np.array_equal(answers[0][0], answers[1][0])
    assert answers[0][1] == answers[1][1]


@pytest.mark.parametrize("cycle", ["v", "w", "full"])
@pytest.mark.parametrize("smoother", ["chebyshev", "jacobi", "red_black"])
def test_every_cycle_and_smoother_converges(world, diffusion, refined, cycle, smoother):
    for varying in (False, True):
        case = diffusion((24, 27), (HELD, PERIODIC), varying=varying)
        assert refined(world, case, "fp32", cycle=cycle, smoother=smoother)[2].converged


def test_lines_take_rows_that_are_coupled_a_thousand_times_stronger(alone, diffusion, refined):
    class Case(diffusion):
        def coefficients(self, grid):
            given = super().coefficients(grid)
            return Coefficients((given.faces[0], 1000 * given.faces[1]), given.reaction)

    case = Case((30, 31), (CLOSED, PERIODIC), varying=True)
    assert refined(alone, case, smoother="auto")[2].iterations <= 16


def test_a_format_for_each_level_is_used(alone, diffusion, refined):
    _, solver, result = refined(alone, diffusion((70, 70), (HELD, HELD)), "fp16", levels=("fp16", "bf16", "fp32"))
    assert [line.split()[1] for line in solver.rung().solver.level.describe()] == ["fp16", "bf16", "fp32", "fp32"]
    assert result.converged


def test_the_backends_agree_to_rounding(alone, diffusion, refined):
    case = diffusion((21, 19), (HELD, CLOSED), varying=True)
    answers = [refined(alone, case, backend=backend)[1].solution.to_numpy() for backend in ("cpu", "reference")]
    # Both residuals are below the tolerance: the answers differ by that times the condition, at most 1e4 here.
    assert np.max(np.abs(answers[0] - answers[1])) <= 1e-8 * np.max(np.abs(answers[0]))


def test_a_format_that_failed_is_left_on_every_level():
    options = MultigridOptions(levels=("fp8_e4m3", "fp16", "fp32"))
    assert options.at_least(get_format("bf16")).levels == ("bf16", "fp16", "fp32")
    assert options.at_least(get_format("fp64")).levels == ("fp64", "fp64", "fp64")


def test_the_next_format_of_the_ladder_reaches_every_level(alone, diffusion, refined):
    case = diffusion((40, 41), (HELD, HELD), varying=True)
    _, solver, _ = refined(alone, case, ladder=("fp8_e5m2", "fp64"), levels=("fp8_e5m2",))
    while solver.rung().format.name != "fp64":
        assert solver.climb("as a test")
    assert {line.split()[1] for line in solver.rung().solver.level.describe()} == {"fp64"}
