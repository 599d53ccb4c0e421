"""Which grids a cycle has, and what is said where they are slower than they might be."""

import numpy as np
import pytest

from mpsolve.operators.diffusion import Coefficients, Diffusion
from mpsolve.precision import get_format
from mpsolve.solvers.multigrid import levels
from mpsolve.solvers.multigrid.hierarchy import Hierarchy
from mpsolve.solvers.multigrid.options import MultigridOptions

pytestmark = pytest.mark.ranks

HELD, PERIODIC = ("dirichlet", "dirichlet"), ("periodic", "periodic")


def layout(case, grid, space, name="fp32"):
    operator = Diffusion(grid, space, case.coefficients(grid), get_format("fp64")).in_format(get_format(name))
    return Hierarchy(operator, MultigridOptions()).layout


def test_every_grid_is_named_with_its_cells_format_and_smoother(alone, make_space, diffusion):
    case = diffusion((40, 50), (HELD, PERIODIC))
    grid, space = make_space(alone, case.shape, case.periodic, halo=2)
    found = layout(case, grid, space, "fp16")
    assert found.grids == ("40x50 fp16 chebyshev", "20x25 fp16 chebyshev", "10x13 fp16 direct")
    assert found.notes == ()


def test_blocks_too_thin_to_be_halved_are_named_on_every_rank(world, make_space, diffusion, monkeypatch):
    monkeypatch.setattr(levels, "GATHERED_CELLS", 400)
    case = diffusion((8 * world.size, 80), (HELD, PERIODIC))
    split = (True, False)
    grid, space = make_space(world, case.shape, case.periodic, halo=2, split=split)
    notes = layout(case, grid, space).notes
    if world.size < 3:
        # One rank divides nothing; two leave a coarse grid that one rank may well have for itself.
        assert notes == ()
        return
    assert len(notes) == 1
    assert f"the grid of {4 * world.size}x40 cells and all coarser ones are solved by one rank" in notes[0]


def test_strong_rows_that_are_cut_are_named(world, deep, make_space, diffusion):
    class Case(diffusion):
        def coefficients(self, grid):
            given = super().coefficients(grid)
            return Coefficients((given.faces[0], 1000 * given.faces[1]), given.reaction)

    case = Case((24, 64), (HELD, PERIODIC), varying=True)
    grid, space = make_space(world, case.shape, case.periodic, halo=2, split=(False, True))
    notes = [note for note in layout(case, grid, space).notes if "rows of the grid of" in note]
    assert bool(notes) == (world.size > 1)


@pytest.mark.parametrize("varying", [False, True], ids=["uniform", "varying"])
@pytest.mark.parametrize("name", ["fp64", "fp16"])
def test_a_grid_whose_cells_are_hardly_coupled_needs_no_coarser_one(
    world, alone, deep, make_space, diffusion, refined, varying, name
):
    class Case(diffusion):
        def coefficients(self, grid):
            given = super().coefficients(grid)
            return Coefficients(tuple(1e-200 * face for face in given.faces), given.reaction)

    case = Case((40, 41), (HELD, PERIODIC), varying=varying)
    grid, space = make_space(alone, case.shape, case.periodic, halo=2)
    assert layout(case, grid, space).grids == ("40x41 fp32 chebyshev alone",)
    _, solver, result = refined(world, case, name, rtol=1e-14)
    assert result.converged
    assert not result.escalations
    b = solver.right_hand_side.to_numpy()
    exact = b / np.broadcast_to(case.reaction, case.shape)[solver.operator.grid.slices]
    # A diagonal matrix: the backward error is the error, up to the spread of the diagonal, which is 3.
    assert np.max(np.abs(solver.solution.to_numpy() - exact)) <= 3e-14 * np.max(np.abs(exact)) * np.sqrt(exact.size)
