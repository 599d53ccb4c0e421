"""How many smoothing steps a cycle has where that is left open."""

from mpsolve.solvers.multigrid.options import STEPS, SYMMETRIC_STEPS, MultigridOptions


def test_steps_that_are_left_open_are_symmetric_where_that_is_needed():
    for symmetric, wanted in ((False, STEPS), (True, SYMMETRIC_STEPS)):
        found = MultigridOptions(cycle="w").steps(symmetric)
        assert (found.sweeps_before, found.sweeps_after, found.cycle) == (*wanted, "w")
    assert SYMMETRIC_STEPS[0] == SYMMETRIC_STEPS[1]


def test_steps_that_are_given_are_kept():
    for given in (MultigridOptions(sweeps_before=1), MultigridOptions(sweeps_after=3)):
        assert given.steps(symmetric=True) is given
