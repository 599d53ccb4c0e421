"""A level that fails in its format gets a wider one, and the result says so."""

import math

import pytest

from mpsolve.precision import get_format
from mpsolve.solvers.multigrid.options import MultigridOptions

HELD = ("dirichlet", "dirichlet")


def widened(reductions, levels=(), format="fp16"):
    found = MultigridOptions(levels=levels).widened(get_format(format), reductions)
    return found if found is None else (found[0].levels, found[1])


def test_the_coarsest_of_the_weak_levels_is_at_fault():
    levels, change = widened([0.6, 0.9, 0.8, 0.1, 0.0], ("fp32", "fp16"))
    assert levels == ("fp32", "fp16", "fp32", "fp16", "fp16")
    assert change == "level 2 kept 8.0e-01 of its residual in fp16, now fp32"


def test_a_right_hand_side_that_overflowed_comes_before_what_it_spoiled():
    assert widened([math.nan, math.inf, math.inf, math.nan], ("fp16",))[0] == ("fp16", "fp32", "fp16", "fp16")


def test_a_solution_that_overflowed_spoils_the_finer_ones():
    assert widened([math.nan, math.nan, 0.1], ("fp16",))[0] == ("fp16", "fp32", "fp16")


@pytest.mark.parametrize(
    ("reductions", "levels"),
    [([0.1, 0.2, 0.0], ("fp16",)), ([0.9, 0.9, 0.0], ("fp32",)), ([math.nan, math.nan], ("fp64",))],
)
def test_levels_that_work_or_whose_rounding_is_no_reason_stay(reductions, levels):
    assert widened(reductions, levels) is None


def test_where_no_formats_were_given_only_a_coarse_level_that_overflowed_is_taken_out():
    assert widened([0.9, 0.9, 0.0]) is None
    assert widened([math.nan, math.nan, math.nan]) is None
    assert widened([0.9, math.inf, math.nan])[0] == ("fp16", "fp32", "fp16")
    # What comes back from the level that overflowed spoils those above it.
    assert widened([math.nan, math.nan, math.inf, math.nan])[0] == ("fp16", "fp16", "fp32", "fp16")


@pytest.mark.ranks
def test_levels_too_narrow_to_help_fall_back_during_the_solve(world, diffusion, refined):
    case = diffusion((129, 129), (HELD, HELD), reaction=0.0)
    _, solver, result = refined(world, case, "fp32", levels=("fp32", "fp8_e4m3"))
    assert result.converged
    assert result.format == "fp32"
    assert result.escalations
    for change in result.escalations:
        assert (change.old_format, change.new_format) == ("fp32", "fp32")
        assert "of its residual in fp8_e4m3, now bf16" in change.reason
    assert solver.options.multigrid.levels.count("bf16") == len(result.escalations)


@pytest.mark.ranks
@pytest.mark.parametrize("inner", ["cg", "fgmres"])
def test_levels_of_a_preconditioner_fall_back_as_well(world, diffusion, refined, inner):
    case = diffusion((65, 65), (HELD, HELD), reaction=0.0)
    _, solver, result = refined(
        world, case, "fp32", inner=inner, preconditioner="multigrid", levels=("fp32", "fp8_e4m3")
    )
    assert result.converged
    assert result.format == "fp32"
    assert any("of its residual in fp8_e4m3, now bf16" in change.reason for change in result.escalations)


@pytest.mark.ranks
@pytest.mark.parametrize("varying", [False, True], ids=["uniform", "varying"])
@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_coarse_levels_may_be_wider_than_fine_ones(world, diffusion, refined, backend, varying):
    case = diffusion((45, 37), (HELD, ("periodic", "periodic")), varying=varying)
    _, _, result = refined(world, case, "fp16", backend=backend, levels=("fp16", "fp32", "fp64"))
    assert result.converged
    assert not result.escalations
