"""Multigrid in every format, in two and three dimensions, with every kind of sides, on any number of ranks."""

import numpy as np
import pytest

from mpsolve import lookup
from mpsolve.precision import get_format, ladder_from

pytestmark = pytest.mark.ranks

PERIODIC, HELD, CLOSED = ("periodic", "periodic"), ("dirichlet", "dirichlet"), ("neumann", "neumann")
MIXED = ("neumann", "dirichlet")
SIDES = {
    "held": (HELD, HELD, HELD),
    "closed": (CLOSED, CLOSED, CLOSED),
    "periodic": (PERIODIC, PERIODIC, PERIODIC),
    "mixed": (MIXED, PERIODIC, HELD),
}
#: Format, and whether the coefficients vary: their kernels differ by format in nothing but how they are loaded.
CASES = [*((name, False) for name in lookup.names("formats")), ("fp64", True), ("fp16", True)]


@pytest.mark.parametrize("sides", SIDES)
@pytest.mark.parametrize("shape", [(19, 22), (8, 7, 9)], ids=["2d", "3d"])
@pytest.mark.parametrize(("name", "varying"), CASES)
def test_every_format_solves_every_case_to_the_backward_error_of_fp64(
    world, deep, diffusion, refined, whole, name, shape, sides, varying
):
    case = diffusion(shape, SIDES[sides][: len(shape)], varying=varying, reaction=1e-2)
    grid, solver, result = refined(world, case, name, backend="reference", ladder=ladder_from(name), rtol=1e-12)
    assert result.converged
    # Formats of 8 bits may be left for wider ones, and then say so; the others are enough.
    assert get_format(name).bits == 8 or not result.escalations
    b = np.random.default_rng(4).uniform(-1, 1, shape).reshape(-1)
    x = whole(grid, solver.solution.to_numpy()).reshape(-1)
    matrix = case.matrix()
    # The solver bounds the norm of A by that of its rows; the one of their sums is smaller by the root of n at most.
    size = np.linalg.norm(matrix, np.inf) * np.linalg.norm(x) + np.linalg.norm(b)
    assert np.linalg.norm(b - matrix @ x) <= 2e-12 * size
