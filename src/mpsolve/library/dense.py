"""Solve a user's own dense system to FP64 accuracy, on one rank or on a matrix dealt out to many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from numbers import Real
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpsolve import lookup
from mpsolve.errors import ConfigError, FormatError, ShapeError, UnknownNameError
from mpsolve.ledger import Ledger
from mpsolve.library.agreement import choose_backend, communicator, together
from mpsolve.models.array_matrix import ArrayMatrix, real_array
from mpsolve.models.matrices.base import Formula, FormulaMatrix
from mpsolve.operators.dense import DenseOperator
from mpsolve.parallel.block_cyclic import BlockCyclic, ProcessGrid
from mpsolve.parallel.launch import agree
from mpsolve.parallel.memory import check_memory
from mpsolve.precision import DEFAULT_LADDER, ladder_from
from mpsolve.solvers.base import Refinement, Result
from mpsolve.solvers.dense.options import EQUILIBRATIONS, PIVOTINGS, REFINERS, DenseOptions
from mpsolve.solvers.dense.prediction import measured_rate, predict
from mpsolve.solvers.dense.refinement import DenseSolver
from mpsolve.solvers.dense.sizing import bytes_needed

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm

#: Rows and columns of a block where none were asked for: products are quick from here on, and panels are not yet slow.
BLOCK = 256
#: Blocks each way that every rank should have at least.
LEAST_BLOCKS = 4


@dataclass(frozen=True, eq=False)
class DistributedMatrix:
    """A square FP64 matrix in blocks dealt out to a grid of ranks; make one with `mpsolve.matrix`.

    Attributes
    ----------
    layout : BlockCyclic
        How it is dealt out.
    local : ndarray of float64
        This rank's part; write to it what belongs at the global indices `rows` and `columns`.
    """

    layout: BlockCyclic
    local: NDArray[np.float64]

    @property
    def comm(self) -> Intracomm:
        """The ranks."""
        return self.layout.grid.comm

    @property
    def n(self) -> int:
        """Global number of rows and of columns."""
        return self.layout.rows.n

    @property
    def rows(self) -> NDArray[np.int64]:
        """Global index of each local row, shape (rows, 1)."""
        return self.layout.rows.indices()[:, None]

    @property
    def columns(self) -> NDArray[np.int64]:
        """Global index of each local column, shape (1, columns)."""
        return self.layout.columns.indices()[None, :]

    def gather(self) -> NDArray[np.float64] | None:
        """Return the whole matrix on rank 0, None elsewhere (collective)."""
        return self.layout.gather(self.local)


def matrix(
    n: int,
    entries: Formula | ArrayLike | None = None,
    *,
    comm: Intracomm | None = None,
    block: int = 0,
    ranks: tuple[int, int] = (0, 0),
) -> DistributedMatrix:
    """Make a square matrix of zeros, of a function's values, or of an array on rank 0 (collective).

    Parameters
    ----------
    n : int
        Rows and columns.
    entries : callable or array_like, optional
        A function of row indices of shape (m, 1) and column indices of shape (1, k) that returns (m, k) entries, or
        the whole matrix; of an array only rank 0's counts, and other ranks may give None.
    comm : mpi4py.MPI.Intracomm, optional
        The ranks. None: this process alone; MPI is not started.
    block : int
        Rows and columns of a block; 0: chosen by n and the ranks.
    ranks : tuple of int
        Ranks along rows and columns of the grid; 0 where free.

    Raises
    ------
    ConfigError, ShapeError, FormatError
        If n, the grid, the array or the function's values are not as above, or memory does not suffice.

    Examples
    --------
    >>> import mpsolve
    >>> A = mpsolve.matrix(4, lambda i, j: 1.0 / (i + j + 1))
    >>> A.local.shape, float(A.local[1, 2])
    ((4, 4), 0.25)
    """
    comm = communicator(comm)
    together(comm, lambda: _check_size(n, block), same=(n, block, ranks))
    grid = ProcessGrid.create(comm, *ranks)
    most = -(-n // (LEAST_BLOCKS * max(grid.rows, grid.columns)))
    layout = BlockCyclic.create(grid, (n, n), min(block or BLOCK, max(most, 1) if not block else n))
    check_memory(comm, 8 * layout.shape[0] * layout.shape[1], f"a matrix of n = {n}")
    local = np.zeros(layout.shape)
    is_function = agree(comm, lambda: callable(entries))
    if is_function:
        together(comm, lambda: _evaluate(layout, entries, local))
    elif agree(comm, lambda: entries is not None):
        whole = _whole(comm, n, entries)
        layout.scatter(whole, local)
    return DistributedMatrix(layout, local)


def _check_size(n: int, block: int) -> None:
    for name, value, least in (("n", n, 1), ("block", block, 0)):
        if not isinstance(value, (int, np.integer)) or value < least:
            raise ConfigError(f"{name} is {value!r}; it is a whole number of at least {least}")


def _evaluate(layout: BlockCyclic, entries: object, local: NDArray[np.float64]) -> None:
    if not callable(entries):
        raise ConfigError(f"entries is {entries!r} here, but a function on rank 0; give all ranks the same")
    source = FormulaMatrix(layout.rows.n, cast("Formula", entries))
    for (rows, columns), (here, there) in layout.tiles():
        local[here, there] = source.block(rows, columns)


def _whole(comm: Intracomm, n: int, entries: object) -> NDArray[np.float64] | None:
    """Return the array of rank 0 in FP64, None elsewhere, after a check that all ranks learn of (collective)."""

    def check() -> None:
        size = ArrayMatrix(entries).n  # type: ignore[arg-type]
        if size != n:
            raise ShapeError(f"the matrix has {size} rows, but n is {n}")

    agree(comm, check)
    return np.asarray(entries, np.float64) if comm.rank == 0 else None  # type: ignore[arg-type]


def solve(
    A: ArrayLike | DistributedMatrix | None,
    b: ArrayLike | None,
    *,
    precision: str = "bf16",
    rtol: float = 1e-12,
    comm: Intracomm | None = None,
    ladder: Sequence[str] = DEFAULT_LADDER,
    pivoting: str = "auto",
    equilibrate: str = "auto",
    refiner: str = "auto",
    gemm: str = "auto",
    max_refinements: int = 50,
    max_iterations: int = 50,
    condition: bool = True,
    backend: str = "auto",
    observe: Callable[[Refinement], None] | None = None,
) -> tuple[NDArray[np.float64], Result]:
    """Solve ``A x = b``: LU in low precision, refined to FP64 accuracy (collective).

    Parameters
    ----------
    A : array_like or DistributedMatrix
        Square and real; never changed. With ``comm``, an array counts on rank 0 alone.
    b : array_like, shape (n,) or (n, k)
        One or several right-hand sides, on rank 0 (what other ranks give does not count); never changed.
    precision : str
        Format of the factorisation, for instance ``"bf16"``, ``"fp16"``, ``"fp8_e4m3"`` or ``"fp32"``; ``"auto"``: the
        one that is predicted to be quickest.
    rtol : float
        Wanted FP64 backward error ``|b - A x| / (|A| |x| + |b|)`` in the infinity norm, for each right-hand side; where
        rows and columns are scaled, that of the scaled system.
    comm : mpi4py.MPI.Intracomm, optional
        The ranks; those of the matrix if that is distributed. None: this process alone.
    ladder : sequence of str
        Formats to escalate to when one fails; those more precise than `precision` count. Empty: none.
    pivoting : {"auto", "none", "partial"}
        Row exchanges; ``"auto"``: none as long as entries do not grow.
    equilibrate : {"auto", "always", "never"}
        Scaling of rows and columns by powers of two.
    refiner : {"auto", "classical", "gmres"}
        Classical refinement, GMRES with the factors as preconditioner, or the first as long as it is quick.
    gemm : str
        Products: a file in ``gemm``, or ``"auto"`` for the fastest here.
    max_refinements, max_iterations : int
        Most refinements in all, and most iterations of GMRES in each.
    condition : bool
        Whether to estimate the condition number and bound the forward error, which takes about ten more solves.
    backend : str
        A file in ``backends``, or ``"auto"``.
    observe : callable, optional
        Called with each `Refinement` as it is made.

    Returns
    -------
    x : ndarray of float64
        The best solution found, of the shape of b, whole on every rank.
    result : Result
        Status, FP64 backward error, format, escalations, messages, condition number, bound of the forward error.

    Raises
    ------
    SingularMatrixError
        If the matrix is exactly singular; the message names the column.
    ShapeError, FormatError
        If A is not square, b does not fit, entries are NaN or infinite, or memory does not suffice.
    ConfigError, UnknownNameError
        If an option is out of range or names what does not exist.

    Examples
    --------
    >>> import numpy as np, mpsolve
    >>> rng = np.random.default_rng(0)
    >>> A, x = rng.standard_normal((200, 200)), np.ones(200)
    >>> solution, result = mpsolve.solve(A, A @ x, precision="bf16", rtol=1e-14)
    >>> result.status.value, result.format, result.backward_error <= 1e-14
    ('converged', 'bf16', True)
    >>> bool(np.max(np.abs(solution - x)) <= result.forward_error)
    True
    """
    comm = A.comm if isinstance(A, DistributedMatrix) else communicator(comm)
    options = DenseOptions((), pivoting, equilibrate, gemm, refiner, rtol, max_refinements, max_iterations)
    together(comm, lambda: _check(precision, tuple(ladder), options), same=(precision, tuple(ladder), options, backend))
    dealt = A if isinstance(A, DistributedMatrix) else _dealt_out(comm, A)
    vectors, shape = _vectors(comm, b, dealt.n)
    formats = ladder_from("fp64" if precision == "auto" else precision, ladder)
    check_memory(comm, bytes_needed(dealt.layout, formats, stored=False), f"a system of n = {dealt.n}")
    chosen = choose_backend(comm, backend, dealt.n**2)
    operator = DenseOperator(dealt.layout, None, chosen, Ledger(), local=dealt.local)
    if precision == "auto":
        precision = predict(operator, rtol, partial(measured_rate, operator)).format
    solver = DenseSolver(operator, replace(options, ladder=ladder_from(precision, ladder)))
    x, result = solver.solve(vectors, observe or (lambda entry: None))
    if condition:
        result = solver.certify(x, vectors, result)
    return np.ascontiguousarray(x.T).reshape(shape), result


def _dealt_out(comm: Intracomm, A: object) -> DistributedMatrix:
    """Deal out an array of rank 0; alone, it is used where it lies (collective)."""
    if comm.size == 1:
        whole = ArrayMatrix(A)  # type: ignore[arg-type]
        layout = BlockCyclic.create(ProcessGrid.create(comm), (whole.n, whole.n), max(1, min(BLOCK, whole.n // 4)))
        return DistributedMatrix(layout, np.ascontiguousarray(whole.array, np.float64))
    n = agree(comm, lambda: ArrayMatrix(A).n)  # type: ignore[arg-type]
    return matrix(n, A, comm=comm)  # type: ignore[arg-type]


def _vectors(comm: Intracomm, b: object, n: int) -> tuple[NDArray[np.float64], tuple[int, ...]]:
    """Return the right-hand sides of rank 0 on every rank, shape (count, n), and the shape they had (collective)."""

    def check() -> tuple[NDArray[np.float64], tuple[int, ...]]:
        given = real_array("b", b)  # type: ignore[arg-type]
        if given.ndim not in (1, 2) or given.shape[0] != n or given.size == 0:
            raise ShapeError(f"b has shape {given.shape}; for a matrix of {n} rows it must be ({n},) or ({n}, k)")
        bad = int(np.count_nonzero(~np.isfinite(given)))
        if bad:
            raise FormatError(f"b holds {bad} values that are NaN or infinite; give finite numbers")
        return np.ascontiguousarray(given.reshape(n, -1).T, np.float64), given.shape

    return agree(comm, check)


def _check(precision: str, ladder: tuple[str, ...], options: DenseOptions) -> None:
    """Refuse options that cannot be meant (local)."""
    if precision != "auto" and precision not in lookup.names("formats"):
        raise UnknownNameError("precision", str(precision), ("auto", *lookup.names("formats")))
    ladder_from("fp8_e4m3" if precision == "auto" else precision, ladder)
    named = ("pivoting", options.pivoting, PIVOTINGS), ("equilibrate", options.equilibrate, EQUILIBRATIONS)
    named += (("refiner", options.refiner, REFINERS), ("gemm", options.gemm, ("auto", *lookup.names("gemm"))))
    for kind, given, choices in named:
        if given not in choices:
            raise UnknownNameError(kind, str(given), choices)
    if not (isinstance(options.rtol, Real) and 0 < options.rtol < 1):
        raise ConfigError(f"rtol is {options.rtol!r}; it is a number between 0 and 1, for instance 1e-12")
    for name in ("max_refinements", "max_iterations"):
        if not isinstance(getattr(options, name), int) or getattr(options, name) < 1:
            raise ConfigError(f"{name} is {getattr(options, name)!r}; it is a whole number of at least 1")
