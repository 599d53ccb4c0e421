"""The way up in passes of several steps: what it computes is what single passes compute, on any number of ranks."""

import numpy as np
import pytest

from mpsolve.backends.cpu import CpuBackend
from mpsolve.solvers.multigrid import ascent, levels

PERIODIC, HELD, CLOSED = ("periodic", "periodic"), ("dirichlet", "dirichlet"), ("neumann", "neumann")
#: Rings of an even and of an odd number of cells; blocks of eight ranks have eight cells on the second grid too.
CASES = [((67, 70), (HELD, PERIODIC)), ((66, 67), (PERIODIC, CLOSED)), ((33, 34, 36), (HELD, CLOSED, PERIODIC))]
#: Smoothing steps: one pass, one that is cut into passes, and the passes of a symmetric cycle.
SWEEPS = [(0, 4), (0, 5), (1, 3)]


@pytest.fixture
def divided(monkeypatch):
    """Divide small grids among the ranks too, as long as their blocks are no thinner than those of large ones."""
    monkeypatch.setattr(levels, "GATHERED_CELLS", 0)


@pytest.fixture
def used(monkeypatch):
    """Return a list that grows by an entry for each pass of several steps that is bound."""
    found, bind = [], CpuBackend.bind_steps

    def counted(self, *arguments, **options):
        found.append(arguments)
        return bind(self, *arguments, **options)

    monkeypatch.setattr(CpuBackend, "bind_steps", counted)
    return found


@pytest.mark.ranks
@pytest.mark.parametrize("sweeps", SWEEPS)
@pytest.mark.parametrize(("shape", "sides"), CASES)
def test_the_number_of_ranks_changes_no_bit(
    world, alone, divided, used, diffusion, refined, whole, shape, sides, sweeps
):
    case, answers = diffusion(shape, sides), []
    for comm in (alone, world):
        used.clear()
        before, after = sweeps
        choice = {"sweeps_before": before, "sweeps_after": after, "halo": levels.GHOSTS}
        grid, solver, result = refined(comm, case, "fp16", **choice)
        assert used
        answers.append((whole(grid, solver.solution.to_numpy()), result))
    assert np.array_equal(answers[0][0], answers[1][0])
    assert answers[0][1] == answers[1][1]


@pytest.mark.parametrize("cycle", ["v", "w", "full"])
@pytest.mark.parametrize("sweeps", SWEEPS)
@pytest.mark.parametrize(("shape", "sides"), CASES)
@pytest.mark.parametrize("name", ["fp64", "fp32"])
def test_shared_passes_have_the_bits_of_single_ones(
    alone, monkeypatch, diffusion, refined, name, shape, sides, sweeps, cycle
):
    case, answers = diffusion(shape, sides), []
    for shared in (True, False):
        monkeypatch.setattr(CpuBackend, "fuses_steps", shared)
        choice = {"sweeps_before": sweeps[0], "sweeps_after": sweeps[1], "cycle": cycle, "halo": levels.GHOSTS}
        _, solver, result = refined(alone, case, name, **choice)
        answers.append((solver.solution.to_numpy(), result.iterations, result.backward_error))
    assert np.array_equal(answers[0][0], answers[1][0])
    assert answers[0][1:] == answers[1][1:]


def test_levels_in_wider_formats_than_their_finer_ones_are_corrected_in_a_pass_of_their_own(alone, diffusion, refined):
    case = diffusion((33, 34), (HELD, HELD))
    for levels_of in (("fp32", "fp64"), ("fp16", "fp32")):
        _, _, result = refined(alone, case, "fp32", halo=levels.GHOSTS, levels=levels_of)
        assert result.converged


@pytest.mark.parametrize(("shape", "sides"), [((6, 40), (PERIODIC, HELD)), ((34, 35), (HELD, PERIODIC))])
def test_short_and_odd_rings_have_passes_of_their_own(alone, used, diffusion, refined, shape, sides):
    grid, _, result = refined(alone, diffusion(shape, sides), "fp32", halo=levels.GHOSTS)
    assert result.converged
    finest = [given for given in used if given[1].shape == grid.shape]
    assert not finest


@pytest.mark.parametrize("halo", [2, 3])
def test_a_pass_has_no_more_steps_than_vectors_have_ghosts(alone, used, diffusion, refined, halo):
    _, _, result = refined(alone, diffusion((33, 34), (HELD, HELD)), "fp32", halo=halo)
    assert result.converged and used
    assert halo < ascent.DEEPEST <= levels.GHOSTS
