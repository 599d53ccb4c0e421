"""Which inner solver an operator gets if nobody says."""

import pytest

from mpsolve.operators.diffusion import Coefficients, Diffusion
from mpsolve.precision import get_format
from mpsolve.solvers import automatic
from mpsolve.solvers.automatic import choose_inner

PERIODIC = (("periodic", "periodic"),) * 2


@pytest.mark.parametrize(
    ("varying", "rows", "halo", "expected"),
    [
        (False, 1, 2, ("multigrid", "auto")),
        (True, 1, 2, ("cg", "multigrid")),
        (True, 100, 2, ("cg", "auto")),
        (False, 1, 1, ("cg", "auto")),
    ],
)
def test_the_choice_follows_the_coefficients(alone, make_space, diffusion, varying, rows, halo, expected):
    case = diffusion((8, 9), PERIODIC, varying=varying)
    grid, space = make_space(alone, case.shape, case.periodic, halo=halo)
    given = case.coefficients(grid)
    coefficients = Coefficients((given.faces[0], rows * given.faces[1]), given.reaction)
    operator = Diffusion(grid, space, coefficients, get_format("fp64"))
    assert choose_inner("auto", "auto", operator) == expected


def test_what_is_named_is_taken(alone, make_space, diffusion):
    case = diffusion((8, 9), PERIODIC)
    grid, space = make_space(alone, case.shape, case.periodic, halo=2)
    operator = Diffusion(grid, space, case.coefficients(grid), get_format("fp64"))
    assert choose_inner("cg", "multigrid", operator) == ("cg", "multigrid")
    assert choose_inner("auto", "jacobi", operator) == ("cg", "jacobi")


def test_a_large_sphere_gets_cycles_where_a_small_one_gets_rows(alone, make_space, diffusion, monkeypatch):
    case = diffusion((8, 9), PERIODIC, varying=True)
    grid, space = make_space(alone, case.shape, case.periodic, halo=2)
    given = case.coefficients(grid)
    coefficients = Coefficients((given.faces[0], 100 * given.faces[1]), given.reaction)
    operator = Diffusion(grid, space, coefficients, get_format("fp64"))
    monkeypatch.setattr(automatic, "ROWS_ALONE", 71)
    assert choose_inner("auto", "auto", operator) == ("fgmres", "multigrid")
