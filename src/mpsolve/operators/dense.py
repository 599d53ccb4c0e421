"""A dense matrix over a grid of ranks: its FP64 products, norms and scaled copies; stored or computed each time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mpsolve.backends.base import Backend
from mpsolve.errors import FormatError, MpsolveError
from mpsolve.ledger import Ledger
from mpsolve.parallel.block_cyclic import BlockCyclic
from mpsolve.parallel.replicated import total_everywhere

#: Rows of a piece when entries are computed and used at once: the piece stays in the second-level cache.
ROWS_AT_ONCE = 64
#: Below this ratio of smallest to largest row, or column, a matrix is equilibrated (LAPACK's xLAQGE has 0.1 too).
UNEVEN = 0.1
#: Largest magnitudes outside 2^-this to 2^this are brought to 1: FP32 must hold them and what grows from them.
EXPONENT_RANGE = 60


class Entries(Protocol):
    """What gives the entries of a matrix; `mpsolve.models.matrices.base.Matrix` says what the methods do."""

    n: int

    def block(self, rows: slice, columns: slice) -> NDArray[np.float64]:
        """Return a block."""
        ...

    def fill(self, rows: slice, columns: slice, out: NDArray[Any]) -> None:
        """Write a block to an array."""
        ...

    def subtract_product(self, rows: slice, columns: slice, x: NDArray[np.float64], r: NDArray[np.float64]) -> None:
        """Subtract a product with a block."""
        ...


@dataclass(frozen=True, eq=False)
class Sizes:
    """Magnitudes of a matrix, the same on every rank.

    Attributes
    ----------
    row_sums, column_sums : ndarray, shape (n,)
        Sums of magnitudes.
    row_largest, column_largest : ndarray, shape (n,)
        Largest magnitudes.
    diagonal : ndarray, shape (n,)
        Magnitudes of the diagonal.
    """

    row_sums: NDArray[np.float64]
    column_sums: NDArray[np.float64]
    row_largest: NDArray[np.float64]
    column_largest: NDArray[np.float64]
    diagonal: NDArray[np.float64]

    @property
    def norm_inf(self) -> float:
        """Largest sum of a row."""
        return float(self.row_sums.max())

    @property
    def norm_1(self) -> float:
        """Largest sum of a column."""
        return float(self.column_sums.max())

    @property
    def largest(self) -> float:
        """Largest magnitude of an entry."""
        return float(self.row_largest.max())

    @property
    def dominant(self) -> bool:
        """Whether each diagonal entry is at least as large as the rest of its row, or of its column, together.

        LU needs no row exchanges then (Higham, Accuracy and Stability of Numerical Algorithms, section 9.5).
        """
        slack = 1 + len(self.diagonal) * 2.0**-52
        double = 2 * self.diagonal * slack
        return bool(np.all(double >= self.row_sums) or np.all(double >= self.column_sums))


@dataclass(frozen=True, eq=False)
class Scaling:
    """Powers of two by which rows and columns are multiplied before the factorisation.

    Attributes
    ----------
    rows, columns : ndarray, shape (n,)
        The factors.
    """

    rows: NDArray[np.float64]
    columns: NDArray[np.float64]


class DenseOperator:
    """A square matrix A, dealt out in blocks; vectors are whole on every rank: rows of FP64 arrays, shape (count, n).

    Parameters
    ----------
    layout : BlockCyclic
        How the matrix is dealt out.
    entries : Entries
        Where its entries come from.
    backend : Backend
        Kernels and threads.
    ledger : Ledger
        Counts the work.
    store : bool
        True: this rank's part is kept in FP64. False: entries are computed each time, which needs no memory.
    local : ndarray of float64, local shape, optional
        This rank's part, if it is here already; it is not copied and never changed, and ``entries`` is not asked.

    Raises
    ------
    FormatError
        On every rank, if an entry is NaN or infinite; the message names the first one.

    Attributes
    ----------
    sizes : Sizes
        Magnitudes of A.
    held : HeldMatrix or None
        This rank's part on the device, if the backend has one and it can hold or compute it.
    """

    def __init__(
        self,
        layout: BlockCyclic,
        entries: Entries | None,
        backend: Backend,
        ledger: Ledger,
        *,
        store: bool = True,
        local: NDArray[np.float64] | None = None,
    ) -> None:
        self.layout, self.entries, self.backend, self.ledger = layout, entries, backend, ledger
        self.n, self.comm = layout.rows.n, layout.grid.comm
        self._complete = local is not None
        self.stored = np.empty(layout.shape) if local is None and store else local
        self.sizes = self._measure()
        given = self.stored if self.stored is not None else getattr(entries, "congruential", None)
        self.held = backend.dense.hold(layout.rows.indices(), layout.columns.indices(), given)

    def _measure(self) -> Sizes:
        """Look at every entry once, and store it if asked to (collective)."""
        parts, first_bad, failure = np.zeros((5, self.n)), float(self.n**2), None
        try:
            first_bad = self._look(parts)
        except Exception as error:  # A user's function or file may fail on one rank; the others must not wait for it.
            failure = error
        verdicts = self.comm.allgather((None if failure is None else str(failure), first_bad))
        if failure is not None:
            raise failure
        for rank, (text, _) in enumerate(verdicts):
            if text is not None:
                raise MpsolveError(f"rank {rank} cannot get its entries of the matrix: {text}")
        self._refuse(min(place for _, place in verdicts))
        sums = total_everywhere(self.comm, parts[:3].copy())
        tops = total_everywhere(self.comm, parts[3:].copy(), largest=True)
        return Sizes(sums[0], sums[1], tops[0], tops[1], sums[2])

    def _look(self, parts: NDArray[np.float64]) -> float:
        """Store this rank's entries if asked to, and add up their sizes; return the place of the first bad one."""
        row_sums, column_sums, diagonal, row_largest, column_largest = parts
        first_bad = float(self.n**2)
        for (rows, columns), (here, local) in self.layout.tiles(ROWS_AT_ONCE):
            if self.stored is None or self._complete:
                block = self._block(rows, columns, here, local)
            else:
                self.stored[here, local] = block = self._computed(rows, columns)
            sizes = np.abs(block)
            if not np.isfinite(sizes).all():
                first_bad = min(first_bad, _first_bad(sizes, rows, columns, self.n))
                continue
            row_sums[rows] += sizes.sum(axis=1)
            column_sums[columns] += sizes.sum(axis=0)
            row_largest[rows] = np.maximum(row_largest[rows], sizes.max(axis=1))
            column_largest[columns] = np.maximum(column_largest[columns], sizes.max(axis=0))
            inside = np.arange(max(rows.start, columns.start), min(rows.stop, columns.stop))
            diagonal[inside] = sizes[inside - rows.start, inside - columns.start]
        return first_bad

    def _refuse(self, place: float) -> None:
        if place < self.n**2:
            row, column = divmod(int(place), self.n)
            raise FormatError(
                f"the matrix has NaN or infinity in row {row}, column {column} (counted from 0); give finite numbers"
            )

    def scaling(self, wanted: str) -> Scaling | None:
        """Return powers of two that make all rows and columns about equally large, or None if that gains nothing.

        Parameters
        ----------
        wanted : str
            ``"always"``, ``"never"``, or ``"auto"``: if rows or columns differ by more than a factor of ten, or the
            largest entry is far from 1.
        """
        sizes = self.sizes
        extreme = abs(math.frexp(sizes.largest)[1]) > EXPONENT_RANGE
        uneven = any(top.min() < UNEVEN * top.max() for top in (sizes.row_largest, sizes.column_largest))
        if wanted == "never" or (wanted == "auto" and not uneven and not extreme):
            return None
        rows = _powers(sizes.row_largest)
        columns = _powers(self._largest_of_columns(rows))
        return Scaling(rows, columns)

    def _largest_of_columns(self, factors: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the largest magnitude of each column after the rows were scaled (collective)."""
        tops = np.zeros(self.n)
        for (rows, columns), (here, local) in self.layout.tiles(ROWS_AT_ONCE):
            block = np.abs(self._block(rows, columns, here, local)) * factors[rows, None]
            tops[columns] = np.maximum(tops[columns], block.max(axis=0))
        return total_everywhere(self.comm, tops, largest=True)

    def norms(self, scaling: Scaling | None) -> tuple[float, float]:
        """Return the infinity norm and the 1-norm of the matrix as it is scaled (collective)."""
        if scaling is None:
            return self.sizes.norm_inf, self.sizes.norm_1
        sums = np.zeros((2, self.n))
        for (rows, columns), (here, local) in self.layout.tiles(ROWS_AT_ONCE):
            block = np.abs(self._block(rows, columns, here, local)) * scaling.rows[rows, None]
            block *= scaling.columns[columns]
            sums[0, rows] += block.sum(axis=1)
            sums[1, columns] += block.sum(axis=0)
        along, across = total_everywhere(self.comm, sums).max(axis=1)
        return float(along), float(across)

    def _block(self, rows: slice, columns: slice, here: slice, local: slice) -> NDArray[np.float64]:
        return self._computed(rows, columns) if self.stored is None else self.stored[here, local]

    def _computed(self, rows: slice, columns: slice) -> NDArray[np.float64]:
        assert self.entries is not None
        return self.entries.block(rows, columns)

    def copy_to(self, out: NDArray[Any], scaling: Scaling | None) -> None:
        """Write this rank's part of the scaled matrix to an FP32 or FP64 block of the local shape (local)."""
        kernels = self.backend.dense
        if self.held is not None:
            rows, columns = self.layout.rows.indices(), self.layout.columns.indices()
            factors = (None, None) if scaling is None else (scaling.rows[rows], scaling.columns[columns])
            self.held.copy_to(out, *factors)
        elif kernels.on_host:
            self._copy_pieces(out, scaling)
        else:
            self._upload_pieces(out, scaling)

    def _upload_pieces(self, out: Any, scaling: Scaling | None) -> None:
        """Compute on the host, block by block, and send the device what it is to hold."""
        for (rows, columns), (here, local) in self.layout.tiles(self.layout.rows.block):
            with np.errstate(over="ignore", under="ignore"):
                values = self._scaled(rows, columns, here, local, scaling).astype(out.dtype)
            self.backend.dense.write(out[here, local], values)

    def _scaled(self, rows: slice, columns: slice, here: slice, local: slice, scaling: Scaling | None) -> NDArray:
        block = self._block(rows, columns, here, local)
        return block if scaling is None else block * scaling.rows[rows, None] * scaling.columns[columns]

    def _copy_pieces(self, out: NDArray[Any], scaling: Scaling | None) -> None:
        def some(pieces: list) -> None:
            for (rows, columns), (here, local) in pieces:
                if scaling is None and self.stored is None and self.entries is not None:
                    self.entries.fill(rows, columns, out[here, local])
                    continue
                with np.errstate(over="ignore", under="ignore"):
                    out[here, local] = self._scaled(rows, columns, here, local, scaling)

        self._share(some)

    def product(self, x: NDArray[np.float64], *, transposed: bool = False, phase: str = "residual") -> NDArray:
        """Return A x, or its transpose times x, for each vector, in FP64, the same on every rank (collective).

        Parameters
        ----------
        x : ndarray of float64, shape (count, n)
            Vectors.
        transposed : bool
            Whether to multiply with the transpose.
        phase : str
            Under which the work is counted.
        """
        sums = np.zeros_like(x)
        if self.held is not None:
            self._product_of_held(sums, x, transposed)
        elif self.stored is None:
            self._product_of_entries(sums, x, transposed)
        else:
            self._product_of_stored(sums, x, transposed)
        rows, columns = self.layout.shape
        self.ledger.add(phase, "fp64", flops=2 * rows * columns * len(x), bytes=8 * rows * columns)
        return total_everywhere(self.comm, sums, self.ledger, phase)

    def _product_of_held(self, sums: NDArray, x: NDArray, transposed: bool) -> None:
        assert self.held is not None
        into, out_of = self._sides(transposed)
        sums[:, into] = self.held.product(np.ascontiguousarray(x[:, out_of]), transposed=transposed)

    def _sides(self, transposed: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the global indices of a product and of what is multiplied."""
        rows, columns = self.layout.rows.indices(), self.layout.columns.indices()
        return (columns, rows) if transposed else (rows, columns)

    def _product_of_stored(self, sums: NDArray, x: NDArray, transposed: bool) -> None:
        assert self.stored is not None
        kernels = self.backend.dense
        into, out_of = self._sides(transposed)
        part, given = np.zeros((len(x), len(into))), np.ascontiguousarray(x[:, out_of])
        (kernels.add_transposed_product if transposed else kernels.add_product)(part, self.stored, given)
        sums[:, into] = part

    def _product_of_entries(self, sums: NDArray, x: NDArray, transposed: bool) -> None:
        assert self.entries is not None
        entries = self.entries
        if transposed:
            # The transpose is wanted for estimates alone, so that no entry of the folder has to know it.
            for (rows, columns), _ in self.layout.tiles(ROWS_AT_ONCE):
                sums[:, columns] += x[:, rows] @ entries.block(rows, columns)
            return
        given = np.ascontiguousarray(x.T)
        negative = np.zeros_like(given)

        def some(pieces: list) -> None:
            for (rows, columns), _ in pieces:
                entries.subtract_product(rows, columns, given[columns], negative[rows])

        self._share(some)
        np.negative(negative.T, out=sums)

    def _share(self, action: Any) -> None:
        """Run ``action`` on all pieces of the local matrix, whole rows of pieces to each thread."""
        shares: list[list] = [[] for _ in range(self.backend.threads)]
        for piece in self.layout.tiles(ROWS_AT_ONCE):
            shares[piece[1][0].start // ROWS_AT_ONCE % len(shares)].append(piece)
        self.backend.run(action, [(share,) for share in shares if share])


def _first_bad(sizes: NDArray, rows: slice, columns: slice, n: int) -> float:
    """Return the number of the first entry of a block that is not finite, counted along rows of the whole matrix."""
    row, column = np.argwhere(~np.isfinite(sizes))[0]
    return float((rows.start + row) * n + columns.start + column)


def _powers(sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the powers of two that bring sizes to between 1/2 and 1; 1 for zeros."""
    exponents = np.where(sizes > 0, np.frexp(sizes)[1], 0)
    return np.ldexp(1.0, -np.clip(exponents, -1000, 1000))
