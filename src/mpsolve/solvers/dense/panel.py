"""Partial pivoting of a column of blocks that several ranks share: by halves, with one exchange a column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mpsolve.ledger import Ledger
from mpsolve.parallel.block_cyclic import Axis
from mpsolve.parallel.replicated import broadcast
from mpsolve.parallel.waiting import complete
from mpsolve.solvers.dense.arithmetic import Arithmetic
from mpsolve.solvers.dense.diagonal import invert_lower

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm

#: Columns that are eliminated one by one: as many FP32 numbers as a cache line and a vector register hold.
LEAF = 16


class Panel:
    """The part of a column of blocks from its diagonal block down that one rank holds.

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm
        The ranks of the grid column.
    rows : Axis
        How rows are dealt out.
    block : int
        Number of the diagonal block.
    values : ndarray, shape (local rows from the diagonal block on, width)
        C-contiguous; changed in place to the factors.
    arithmetic : Arithmetic
        Products and kernels.
    ledger : Ledger
        Counts messages.

    Attributes
    ----------
    pivots : ndarray of int64, shape (width,)
        The global row that each row of the diagonal block was exchanged with.
    missing : int
        The first column of the panel without a nonzero pivot, or -1.
    """

    def __init__(
        self, comm: Intracomm, rows: Axis, block: int, values: NDArray, arithmetic: Arithmetic, ledger: Ledger
    ) -> None:
        self.comm, self.rows, self.values, self.arithmetic, self.ledger = comm, rows, values, arithmetic, ledger
        self.first, _ = rows.span(block)
        self.width = values.shape[1]
        self.root = rows.owner(block)
        self.offset = rows.local(self.first)
        self.pivots = np.zeros(self.width, np.int64)
        self.missing = -1

    @property
    def holds_diagonal(self) -> bool:
        """Whether the diagonal block lies on this rank."""
        return self.comm.rank == self.root

    def factor(self) -> None:
        """Factor the panel (collective over the ranks of the column)."""
        self._columns(0, self.width)

    def _columns(self, first: int, last: int) -> None:
        if last - first <= LEAF:
            (self._leaf_here if self.comm.size == 1 else self._leaf_shared)(first, last)
            return
        middle = first + (last - first) // 2 // LEAF * LEAF if last - first >= 2 * LEAF else first + LEAF
        self._columns(first, middle)
        self._update(first, middle, last)
        self._columns(middle, last)

    def _update(self, first: int, middle: int, last: int) -> None:
        """Apply the columns that are done to those that come next."""
        width = middle - first
        upper = np.empty((width, last - middle), self.values.dtype)
        if self.holds_diagonal:
            triangle = np.ascontiguousarray(self.values[first:middle, first:middle])
            inverse = invert_lower(self.arithmetic, triangle)
            upper[...] = self.arithmetic.product(inverse, self.values[first:middle, middle:last])
            self.values[first:middle, middle:last] = upper
        broadcast(self.comm, upper, self.root)
        top = self._top(middle)
        self.arithmetic.subtract(self.values[top:, middle:last], self.values[top:, first:middle], upper)
        if self.comm.size > 1:
            self.ledger.add("panel", self.arithmetic.panels.format.name, messages=1, message_bytes=upper.nbytes)

    def _top(self, column: int) -> int:
        """Return the first local row below the pivots of the columns before ``column``."""
        return self.rows.local(self.first + column) - self.offset

    def _leaf_here(self, first: int, last: int) -> None:
        """Factor columns of which this rank holds every row."""
        found = self.arithmetic.kernels.eliminate_columns(self.values, first, last, self.pivots)
        self.missing = found if self.missing < 0 else self.missing
        self.pivots[first:last] += self.first

    def _leaf_shared(self, first: int, last: int) -> None:
        """Factor columns together with the other ranks, one exchange for each."""
        kernels, values = self.arithmetic.kernels, self.values
        for column in range(first, last):
            row, pivot_row, top_row = self._elect(column)
            self.pivots[column] = row
            self._place(column, row, pivot_row, top_row)
            if pivot_row[column] == 0:
                self.missing = column if self.missing < 0 else self.missing
                continue
            kernels.eliminate_column(values, self._top(column + 1), column, last, pivot_row)

    def _elect(self, column: int) -> tuple[int, NDArray[Any], NDArray[Any]]:
        """Return the pivot's global row, its values, and those of the row that it changes places with (collective)."""
        top, width = self._top(column), self.width
        # Magnitude, global row, values of the candidate, values of the row on top.
        mine = np.zeros(2 + 2 * width)
        mine[0] = -1.0
        if top < len(self.values):
            sizes = np.abs(self.values[top:, column])
            sizes[np.isnan(sizes)] = np.inf
            best = top + int(np.argmax(sizes))
            mine[0], mine[1], mine[2 : 2 + width] = sizes[best - top], self._global(best), self.values[best]
        if self.holds_diagonal:
            mine[2 + width :] = self.values[column]
        everyone = np.empty((self.comm.size, len(mine)))
        complete([self.comm.Iallgather(mine, everyone)])
        self.ledger.add("panel", "fp64", messages=self.comm.size - 1, message_bytes=mine.nbytes * (self.comm.size - 1))
        # The topmost of equal candidates, so that the choice does not depend on the grid.
        order = sorted(range(self.comm.size), key=lambda rank: (-everyone[rank, 0], everyone[rank, 1]))
        winner = everyone[order[0]]
        kind = self.values.dtype
        return int(winner[1]), winner[2 : 2 + width].astype(kind), everyone[self.root, 2 + width :].astype(kind)

    def _global(self, local: int) -> int:
        block, rest = divmod(local + self.offset, self.rows.block)
        return (block * self.rows.parts + self.rows.part) * self.rows.block + rest

    def _place(self, column: int, row: int, pivot_row: NDArray[Any], top_row: NDArray[Any]) -> None:
        """Exchange the row on top with the pivot's, each on the rank that holds it."""
        if row // self.rows.block % self.rows.parts == self.rows.part:
            self.values[self.rows.local(row) - self.offset] = top_row
        if self.holds_diagonal:
            self.values[column] = pivot_row
