"""What a solve returns: its status, the FP64 backward error it reached, how it got there, and advice."""

from dataclasses import dataclass, field
from enum import StrEnum


class Status(StrEnum):
    """How a solve ended."""

    CONVERGED = "converged"
    STAGNATED = "stagnated"
    DIVERGED = "diverged"
    REFINEMENT_LIMIT = "refinement_limit"


@dataclass(frozen=True)
class Escalation:
    """A change to a more precise format during a solve."""

    refinement: int
    old_format: str
    new_format: str
    reason: str


@dataclass(frozen=True)
class Refinement:
    """One outer iteration: FP64 residual, inner solve, FP64 update.

    Attributes
    ----------
    refinement : int
        0 is the state before the first inner solve.
    format : str
        Format of the inner solve.
    iterations : int
        Inner iterations.
    residual : float
        FP64 norm of b - A x after it.
    backward_error : float
        FP64 norm of the residual over norm(A) norm(x) + norm(b).
    """

    refinement: int
    format: str
    iterations: int
    residual: float
    backward_error: float


@dataclass(frozen=True)
class Result:
    """The outcome of a solve.

    Attributes
    ----------
    status : Status
        `Status.CONVERGED` or why not.
    backward_error : float
        FP64 backward error of the returned solution: ``|b - A x| / (|A| |x| + |b|)`` in the 2-norm, with an upper
        bound of the norm of A where one is known, and 0 for it where none is (then it is the relative residual).
    relative_residual : float
        ``|b - A x| / |b|``.
    iterations : int
        All inner iterations.
    refinements : int
        Outer iterations.
    format : str
        Format of the last inner solve.
    escalations : tuple of Escalation
        Changes of format on the way.
    history : tuple of Refinement
        One entry per outer iteration, the start included.
    advice : str
        What to try if it did not converge; empty if it did.
    messages : tuple of str
        Decisions on the way that are no escalation, such as pivoting that was switched on.
    condition : float or None
        Estimated 1-norm condition number of A, as it is scaled; None if it was not asked for.
    forward_error : float or None
        Bound of ``|x - exact| / |exact|`` in the 1-norm, as far as the condition estimate holds; None as above.
    inner_solver : str
        What solved for the last correction, such as ``"multigrid"`` or ``"cg with multigrid"``; empty for dense ones.
    """

    status: Status
    backward_error: float
    relative_residual: float
    iterations: int
    refinements: int
    format: str
    escalations: tuple[Escalation, ...] = ()
    history: tuple[Refinement, ...] = field(default=(), repr=False)
    advice: str = ""
    messages: tuple[str, ...] = ()
    condition: float | None = None
    forward_error: float | None = None
    inner_solver: str = ""

    @property
    def converged(self) -> bool:
        """Whether the tolerance was reached."""
        return self.status is Status.CONVERGED
