"""A result says plainly whether it converged."""

import pytest

from mpsolve.solvers.base import Result, Status


@pytest.mark.parametrize("status", list(Status))
def test_only_converged_is_converged(status):
    result = Result(status, 1e-13, 1e-12, 3, 2, "bf16")
    assert result.converged == (status == "converged")
