"""Solve a user's own linear system to FP64 accuracy, with most of the work in low precision."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpsolve import lookup
from mpsolve.errors import ConfigError, FormatError, ShapeError, UnknownNameError
from mpsolve.ledger import Ledger
from mpsolve.library.agreement import choose_backend, communicator, together
from mpsolve.operators.matrix_free import Apply, MatrixFree, estimate_norm
from mpsolve.parallel.space import Space
from mpsolve.precision import DEFAULT_LADDER, get_format, ladder_from, preset
from mpsolve.solvers.base import Refinement, Result
from mpsolve.solvers.refinement import RefinementSolver
from mpsolve.solvers.refinement_options import RefinementOptions

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm


def refine(
    apply: Apply,
    b: ArrayLike,
    *,
    inner: str = "cg",
    precision: str = "bf16",
    rtol: float = 1e-12,
    comm: Intracomm | None = None,
    apply_inner: Apply | None = None,
    x0: ArrayLike | None = None,
    norm: float | None = None,
    ladder: Sequence[str] = DEFAULT_LADDER,
    max_refinements: int = 60,
    max_iterations: int = 10_000,
    backend: str = "auto",
    observe: Callable[[Refinement], None] | None = None,
) -> tuple[NDArray[np.float64], Result]:
    """Solve ``A x = b`` to FP64 accuracy by refinement around a solve in low precision (collective).

    Parameters
    ----------
    apply : callable
        A, linear, symmetric positive definite if `inner` asks for it: ``apply(u)`` takes this rank's block of a vector,
        a new FP64 array of the shape of `b`, and returns A u in the same shape. It does its own communication. Values
        on the boundary belong in `b`: ``apply`` of zeros must be zeros.
    b : array_like
        This rank's block of the right-hand side, of any shape; not changed.
    inner : str
        Inner solver, a file in ``solvers/inner``; ``"cg"`` needs A to be symmetric positive definite,
        ``"fgmres"`` (restarted GMRES) takes others as well.
    precision : str
        Format of the inner solver's vectors, for instance ``"bf16"``, ``"fp16"`` or ``"fp32"``.
    rtol : float
        Wanted FP64 backward error.
    comm : mpi4py.MPI.Intracomm, optional
        The ranks that share the vectors. None: this process alone; MPI is not started.
    apply_inner : callable, optional
        A cheaper A for the inner solver below fp64: it takes and returns float32 arrays (float64 is accepted), decoded
        from the low-precision vectors without loss. It must be symmetric positive definite where `apply` must, and
        closer to A than the inner tolerance for each refinement to gain as much. Default: `apply`, on the decoded
        vectors in FP64.
    x0 : array_like, optional
        Guess, of the shape of `b`; not changed. Default: zero.
    norm : float, optional
        Upper bound of the 2-norm of A. Default: an estimate, for which A is applied 12 times.
    ladder : sequence of str
        Formats to escalate to when one fails; those more precise than `precision` count. Empty: none.
    max_refinements, max_iterations : int
        Upper bounds of the outer iterations and of the inner iterations in each of them.
    backend : str
        Backend of the vector operations, a file in ``backends``, or ``"auto"``.
    observe : callable, optional
        Called with each `Refinement` as it is made.

    Returns
    -------
    x : ndarray of float64
        This rank's block of the best solution found, in the shape of `b`.
    result : Result
        Its status, FP64 backward error, history, and advice if it did not converge.

    Raises
    ------
    ConfigError, UnknownNameError
        If an option is out of range or names what does not exist, or ``apply`` of zeros is not zeros.
    FormatError
        If `b`, `x0` or what `apply` returns is complex, no number, NaN or infinite, or `apply` returns float32.
    ShapeError
        If `x0` or what `apply` returns has not the shape of `b`.

    Notes
    -----
    Every error in the arguments of any rank is raised on all ranks. The answer does not depend on the number of ranks
    if the bits of `apply` do not.

    Examples
    --------
    A Poisson problem on 64 x 64 cells, solved in BF16, correct in FP64:

    >>> import numpy as np, mpsolve
    >>> def apply(u):
    ...     v = np.pad(u, 1)
    ...     return 4 * u - v[:-2, 1:-1] - v[2:, 1:-1] - v[1:-1, :-2] - v[1:-1, 2:]
    >>> x, result = mpsolve.refine(apply, np.ones((64, 64)), inner="cg", precision="bf16", rtol=1e-12)
    >>> result.status.value, result.format, result.backward_error <= 1e-12
    ('converged', 'bf16', True)
    >>> bool(np.max(np.abs(apply(x) - 1)) < 1e-8)
    True
    """
    comm = communicator(comm)
    request = _Request(apply, apply_inner, inner, precision, rtol, norm, tuple(ladder), max_refinements, max_iterations)
    block, guess = together(comm, lambda: (request.check(observe), _blocks(b, x0))[1], same=request.alike())
    unknowns = sum(comm.allgather(block.size))
    ledger = Ledger()
    space = Space(comm, choose_backend(comm, backend, unknowns), (block.size,), 0, ledger)
    operator = _operator(space, block, request)
    solver = RefinementSolver(operator, request.options())
    solver.right_hand_side.set(block.reshape(-1))
    solver.solution.set(guess.reshape(-1))
    result = solver.solve(observe or (lambda entry: None))
    return solver.solution.to_numpy().reshape(block.shape), result


@dataclass(frozen=True)
class _Request:
    """The arguments of `refine` beside the vectors."""

    apply: Apply
    apply_inner: Apply | None
    inner: str
    precision: str
    rtol: float
    norm: float | None
    ladder: tuple[str, ...]
    max_refinements: int
    max_iterations: int

    def check(self, observe: object) -> None:
        """Refuse options that cannot be meant (local)."""
        for name, given in (("apply", self.apply), ("apply_inner", self.apply_inner), ("observe", observe)):
            if not callable(given) and (given is not None or name == "apply"):
                raise ConfigError(f"{name} is {given!r}; give a function that takes one array and returns one")
        named = ("inner solver", "solvers.inner", self.inner), ("precision", "formats", self.precision)
        for kind, folder, given in named:
            if given not in lookup.names(folder):
                raise UnknownNameError(kind, str(given), lookup.names(folder))
        ladder_from(self.precision, self.ladder)
        if not (isinstance(self.rtol, Real) and 0 < self.rtol < 1):
            raise ConfigError(f"rtol is {self.rtol!r}; it is a number between 0 and 1, for instance 1e-12")
        if self.norm is not None and not (isinstance(self.norm, Real) and 0 < self.norm < math.inf):
            raise ConfigError(f"norm is {self.norm!r}; give a positive bound of the norm of A, or None to estimate it")
        for name, count in (("max_refinements", self.max_refinements), ("max_iterations", self.max_iterations)):
            if not isinstance(count, int) or count < 1:
                raise ConfigError(f"{name} is {count!r}; it is a whole number of at least 1")

    def alike(self) -> tuple:
        """Return what all ranks must have given alike."""
        limits = self.rtol, self.norm, self.max_refinements, self.max_iterations
        kind = "with apply_inner" if self.apply_inner is not None else "without apply_inner"
        return self.inner, self.precision, self.ladder, *limits, kind

    def options(self) -> RefinementOptions:
        """Return the options of the solver."""
        return RefinementOptions(
            inner=self.inner,
            ladder=ladder_from(self.precision, self.ladder),
            accumulate=preset(self.precision).accumulate,
            rtol=float(self.rtol),
            max_refinements=self.max_refinements,
            max_iterations=self.max_iterations,
        )


def _blocks(b: ArrayLike, x0: ArrayLike | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the right-hand side and the guess as FP64 arrays of one shape (local)."""
    block = _real("b", b)
    guess = np.zeros(block.shape) if x0 is None else _real("x0", x0)
    if guess.shape != block.shape:
        raise ShapeError(f"x0 has shape {guess.shape}, but b has shape {block.shape}")
    return block, guess


def _real(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Return an array of finite real numbers in FP64."""
    given = np.asarray(values)
    if given.dtype.kind not in "fiu" or given.dtype.itemsize > 8:
        raise FormatError(f"{name} holds {given.dtype} values; give float64 (float32 and integers are converted)")
    wide = given.astype(np.float64)
    bad = int(np.count_nonzero(~np.isfinite(wide)))
    if bad:
        raise FormatError(f"{name} holds {bad} values that are NaN or infinite; give finite numbers")
    return wide


def _operator(space: Space, block: NDArray[np.float64], request: _Request) -> MatrixFree:
    """Try the functions once, estimate the norm if it is not known, and return the operator (collective)."""
    exact = MatrixFree(space, block.shape, request.apply, 1.0)
    together(space.comm, lambda: _try(exact, "apply"))
    if request.apply_inner is not None:
        cheap = MatrixFree(space, block.shape, request.apply_inner, 1.0, argument_type=np.float32)
        together(space.comm, lambda: _try(cheap, "apply_inner"))
    norm = request.norm
    if norm is None:
        vector = space.zeros(get_format("fp64"))
        norm = estimate_norm(space, lambda values: exact.product(vector.set(values)), block.reshape(-1))
    if not math.isfinite(norm):
        raise FormatError("apply returned NaN or infinity for a multiple of b; it must return finite numbers")
    return MatrixFree(space, block.shape, request.apply, float(norm), apply_inner=request.apply_inner)


def _try(operator: MatrixFree, name: str) -> None:
    """Apply an operator to zeros, and refuse it unless it returns zeros."""
    image = operator.product(operator.space.zeros(get_format("fp64")))
    if np.any(image):
        raise ConfigError(
            f"{name} of zeros returned {np.max(np.abs(image)):.3g}, so that it is not linear; "
            "move values on the boundary and other constants to b"
        )
