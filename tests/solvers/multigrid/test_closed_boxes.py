"""Nothing holds the solution: constants are in the null space, and the right-hand side must add up to zero."""

import numpy as np
import pytest

from mpsolve.errors import ConfigError
from mpsolve.operators.diffusion import Diffusion
from mpsolve.precision import get_format
from mpsolve.solvers.multigrid.options import MultigridOptions
from mpsolve.solvers.refinement import RefinementSolver
from mpsolve.solvers.refinement_options import RefinementOptions

pytestmark = pytest.mark.ranks

SHAPE = (33, 31)
SIDES = [
    (("neumann", "neumann"), ("neumann", "neumann")),
    (("periodic", "periodic"), ("neumann", "neumann")),
    (("periodic", "periodic"), ("periodic", "periodic")),
]


@pytest.fixture
def closed(world, make_space, diffusion):
    """Return a function that makes the solver of a box that nothing holds, and its right-hand side of given mean."""

    def make(sides, mean, *, name="fp64", inner="multigrid", varying=False):
        case = diffusion(SHAPE, sides, varying=varying, reaction=0.0)
        grid, space = make_space(world, SHAPE, case.periodic, halo=2)
        operator = Diffusion(grid, space, case.coefficients(grid), get_format("fp64"))
        options = RefinementOptions(inner=inner, ladder=(name,), rtol=1e-11, multigrid=MultigridOptions())
        solver = RefinementSolver(operator, options)
        whole = np.random.default_rng(5).uniform(-1, 1, SHAPE)
        solver.right_hand_side.set((whole - whole.mean() + mean)[grid.slices])
        return solver

    return make


@pytest.mark.parametrize("inner", ["multigrid", "auto"])
@pytest.mark.parametrize("name", ["fp64", "fp16"])
@pytest.mark.parametrize("varying", [False, True], ids=["uniform", "varying"])
@pytest.mark.parametrize("sides", SIDES, ids=["closed", "half", "periodic"])
def test_a_compatible_system_is_solved(closed, sides, name, inner, varying):
    result = closed(sides, 0.0, name=name, inner=inner, varying=varying).solve()
    assert result.converged
    assert not result.escalations


@pytest.mark.parametrize("inner", ["multigrid", "cg"])
def test_an_incompatible_right_hand_side_is_refused_with_the_size_of_the_incompatibility(closed, inner):
    with pytest.raises(ConfigError, match=r"its mean is 1\.000000e-03, a part of 1\.7e-03 of its norm"):
        closed(SIDES[0], 1e-3, inner=inner).solve()


def test_a_mean_of_the_size_of_rounding_is_let_pass(closed):
    assert closed(SIDES[0], 2.0**-53).solve().converged
