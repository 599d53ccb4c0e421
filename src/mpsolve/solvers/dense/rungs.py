"""The factors of one format: made when they are needed, with the pivoting that the matrix turns out to need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from mpsolve.errors import FormatError, SingularMatrixError
from mpsolve.operators.dense import DenseOperator
from mpsolve.precision import get_format
from mpsolve.solvers.dense.arithmetic import Arithmetic
from mpsolve.solvers.dense.factorisation import Factorisation
from mpsolve.solvers.dense.factors import Breakdown, FactorOptions, Factors, Keeper, Partial
from mpsolve.solvers.dense.options import DenseOptions
from mpsolve.solvers.dense.substitution import FactorSolver
from mpsolve.solvers.injection import BitFlips
from mpsolve.timing import Stopwatch

#: Without row exchanges, entries that grow by more than this cost about as many bits as a narrow format has.
GROWTH_LIMIT = 64.0
#: Factors without row exchanges that grew by less than this are not what keeps a refinement from converging.
HARMLESS_GROWTH = 4.0
PAGE_BYTES = 4096
#: Factorisations in one format that are done again because a fault has struck them.
REPAIRS = 3


@dataclass(frozen=True, eq=False)
class Kept:
    """A factorisation that was kept between two steps, as `Factory` goes on with it.

    Attributes
    ----------
    format : str
        In which it was made.
    partial : Partial
        How far it was.
    pivoting, undecided : bool
        Whether rows are exchanged, and whether that may still change.
    fill : callable
        Writes what was done to the memory of the factors, this rank's part (collective).
    """

    format: str
    partial: Partial
    pivoting: bool
    undecided: bool
    fill: Callable[[Any], None]


class Factory:
    """Makes factors of a matrix in the formats of a ladder, one at a time, in the same memory where possible.

    Parameters
    ----------
    operator : DenseOperator
        The matrix; never changed.
    options : DenseOptions
        Pivoting, equilibration, products.
    observe : callable
        Called with (finished steps, steps) during a factorisation.

    Raises
    ------
    SingularMatrixError
        If a row or a column holds only zeros.
    FormatError
        If entries overflow in FP32 and scaling is forbidden.

    Attributes
    ----------
    pivoting : bool
        Whether rows are exchanged from now on.
    messages : list of str
        What was decided on the way.
    watch : Stopwatch
        Seconds by phase.
    scaling : Scaling or None
        How rows and columns are scaled: what is factored, and what errors are measured of.
    factor_s : float
        Seconds of all factorisations, from the matrix in their format to the factors.
    repairs : int
        Factorisations that were done again because a checksum differed.
    keeper : Keeper
        Keeps factorisations between two steps.
    kept : Kept or None
        A factorisation to go on with instead of the next one in its format.
    format : str
        In which it factors at present, or did last.
    """

    def __init__(
        self, operator: DenseOperator, options: DenseOptions, observe: Callable[[int, int], None] | None = None
    ) -> None:
        self.operator, self.options = operator, options
        self.observe = observe or (lambda step, steps: None)
        self.watch, self.factor_s = Stopwatch(), 0.0
        self.messages: list[str] = []
        self.keeper, self.format, self.repairs = Keeper(), "", 0
        self.kept: Kept | None = None
        self.forget()
        self._local: Any = np.empty((0, 0), np.float32)
        self._refuse_empty_lines()
        self.scaling = operator.scaling(options.equilibrate)
        self._refuse_overflow()

    def forget(self) -> None:
        """Go back to the pivoting that was asked for."""
        self.pivoting = self.options.pivoting == "partial"
        self.undecided = self.options.pivoting == "auto" and not self.operator.sizes.dominant

    def _refuse_empty_lines(self) -> None:
        sizes = self.operator.sizes
        for kind, tops in (("column", sizes.column_largest), ("row", sizes.row_largest)):
            empty = np.flatnonzero(tops == 0)
            if len(empty):
                raise SingularMatrixError(
                    f"the matrix is singular: {kind} {empty[0]} (counted from 0) holds only zeros"
                )

    def make(self, name: str) -> tuple[FactorSolver | None, str, float]:
        """Factor in a format (collective).

        Returns
        -------
        solver : FactorSolver or None
            None if the factorisation broke down.
        reason : str
            Why, then.
        growth : float
            Of the entries.

        Raises
        ------
        SingularMatrixError
            If even FP64 with partial pivoting finds a column of exact zeros.
        """
        operator = self.operator
        arithmetic = Arithmetic(operator.comm, operator.backend, get_format(name), self.options.gemm)
        factors = self._factor(arithmetic)
        if factors.breakdown not in (None, Breakdown.DAMAGE) and self.undecided:
            self.exchange_rows_from_now_on(
                f"{_described(factors)} without row exchanges in {name}: partial pivoting is switched on"
            )
            factors = self._factor(arithmetic)
        if factors.breakdown is None:
            return FactorSolver(factors, arithmetic.kernels, operator.ledger), "", factors.growth
        if name == "fp64" and self.pivoting and factors.breakdown is Breakdown.ZERO_PIVOT:
            raise SingularMatrixError(
                f"the matrix is singular: column {factors.column} (counted from 0) depends on those before it; "
                "no pivot is left in FP64 with partial pivoting"
            )
        return None, f"{_described(factors)} in {name}", factors.growth

    def _strike(self, flips: BitFlips) -> None:
        """Flip bits of the factors, where they lie."""
        kernels = self.operator.backend.dense
        held = np.ascontiguousarray(kernels.download(self._local))
        if flips.strike_array(held):
            kernels.write(self._local, held)

    def exchange_rows_from_now_on(self, message: str) -> None:
        """Switch partial pivoting on."""
        self.pivoting, self.undecided = True, False
        self.messages.append(message)

    @property
    def memory(self) -> Any:
        """The memory of the factors, this rank's part."""
        return self._local

    def allocate(self, storage: np.dtype[Any]) -> None:
        """Take the memory of factors of a type, if it is not there yet."""
        if self._local.dtype != storage or self._local.shape != self.operator.layout.shape:
            # What was there goes first: both together may be too large.
            self._local, kernels = np.empty((0, 0), storage), self.operator.backend.dense
            self._local = kernels.empty(self.operator.layout.shape, storage)
            if kernels.on_host:
                # The system hands out pages when they are first written.
                self._local.reshape(-1)[:: PAGE_BYTES // storage.itemsize] = 0

    def convert(self) -> None:
        """Write the scaled matrix to the memory of the factors (local)."""
        self.operator.copy_to(self._local, self.scaling)

    def _factor(self, arithmetic: Arithmetic) -> Factors:
        """Factor; where a fault has struck, again."""
        factors = self._factor_once(arithmetic)
        for _ in range(REPAIRS):
            if factors.breakdown is not Breakdown.DAMAGE:
                break
            self.repairs += 1
            self.messages.append(f"{_described(factors)} in {self.format}: the factorisation is done again")
            factors = self._factor_once(arithmetic)
        return factors

    def _factor_once(self, arithmetic: Arithmetic) -> Factors:
        kept = None
        self.format = arithmetic.format.name
        if self.kept is not None and self.kept.format == self.format:
            kept, self.kept = self.kept, None
        self.allocate(arithmetic.storage)
        with self.watch("convert"):
            if kept is None:
                self.convert()
            else:
                self.pivoting, self.undecided = kept.pivoting, kept.undecided
                kept.fill(self._local)
        factorisation = self._begin(arithmetic)
        begin = perf_counter()
        factors = factorisation.run(kept.partial if kept else None)
        self.factor_s += perf_counter() - begin
        for phase, seconds in factorisation.watch.seconds.items():
            self.watch.seconds[phase] = self.watch.seconds.get(phase, 0.0) + seconds
        return factors

    def _begin(self, arithmetic: Arithmetic) -> Factorisation:
        """Return the factorisation of what lies in the memory of the factors."""
        operator, steps, flips = self.operator, self.operator.layout.columns.blocks, self.options.flips
        struck = 0 if flips is None else flips.moment(steps)

        def observe(step: int) -> None:
            if flips is not None and step == struck:
                self._strike(flips)
            self.observe(step, steps)

        return Factorisation(
            operator.layout,
            self._local,
            # Scaling by powers of two brings it to between 1/2 and 1.
            operator.sizes.largest if self.scaling is None else 1.0,
            arithmetic,
            FactorOptions(self.pivoting, GROWTH_LIMIT if self.undecided else np.inf, self.options.checksums, flips),
            operator.ledger,
            observe,
            self.keeper,
        )

    def _refuse_overflow(self) -> None:
        """Refuse entries that the first format's panels cannot hold; with scaling they always can."""
        kind = get_format(self.options.ladder[0]).compute
        if self.scaling is None and self.operator.sizes.largest > float(np.finfo(kind).max):
            raise FormatError(
                f"the largest entry of the matrix, {self.operator.sizes.largest:.1e}, overflows in fp32; "
                "let rows and columns be scaled (equilibrate = auto), or take fp64"
            )


def _described(factors: Factors) -> str:
    if factors.block is not None:
        return f"the checksum of block {factors.block} (row and column of blocks, counted from 0) differs"
    if factors.breakdown is Breakdown.ZERO_PIVOT:
        return f"a zero pivot in column {factors.column}"
    if factors.breakdown is Breakdown.OVERFLOW:
        return f"overflow at column {factors.column}"
    return f"entries grew {factors.growth:.0f} times up to column {factors.column}"
