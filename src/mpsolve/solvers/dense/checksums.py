"""Sums of columns of blocks that go through a factorisation beside the matrix, and tell which block a fault struck.

Huang and Abraham, Algorithm-based fault tolerance for matrix operations, IEEE Trans. Comput. C-33 (1984) 518. The sum
of every column of each block is kept in FP64. What a step subtracts from the matrix it subtracts from the sums; before
a block enters a panel or a row, and at the end, the two are compared.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpsolve.kernels.dense import DenseKernels
from mpsolve.parallel.block_cyclic import BlockCyclic
from mpsolve.parallel.reductions import maximum
from mpsolve.parallel.row_exchange import net_exchange
from mpsolve.solvers.dense.messages import Message

#: How often the sums may differ by as much as rounding errors that are independent of each other would let them.
ALLOWANCE = 16.0


class Unchecked:
    """Compares nothing: what a factorisation calls where no checksums are wanted."""

    #: Number of the first block, by rows, that a fault was found in; -1: none.
    struck: int = -1

    def before_panel(self, step: int, largest: float) -> None:
        """Compare the column of blocks of a step, from its diagonal on."""

    def after_panel(self, step: int) -> None:
        """Take the sums of what the panel has become."""

    @contextmanager
    def exchanging(self, step: int, pivots: NDArray[np.int64]) -> Iterator[None]:
        """Let rows be exchanged in all columns but those of the panel."""
        yield

    def before_row(self, step: int, largest: float) -> None:
        """Compare the row of blocks of a step, right of its diagonal."""

    def after_row(self, step: int) -> None:
        """Take the sums of what the row has become."""

    def update(self, step: int, panel: Message, row: Message) -> None:
        """Subtract from the sums what the step subtracts from the matrix."""

    def received(self, message: Message, step: int) -> None:
        """Look whether a message of a step is what was sent."""

    def at_the_end(self, steps: int, largest: float) -> int:
        """Compare every block after so many steps; return the number of one that was struck on any rank, or -1.

        Collective.
        """
        return -1


class Checksums(Unchecked):
    """The sums of this rank's blocks.

    Parameters
    ----------
    layout : BlockCyclic
        How the matrix is dealt out.
    local : ndarray, local shape
        The matrix, where its factors are made.
    kernels : DenseKernels
        Sum its columns.
    """

    def __init__(self, layout: BlockCyclic, local: Any, kernels: DenseKernels) -> None:
        self.layout, self.local, self.kernels = layout, local, kernels
        self.rows, self.columns = layout.rows, layout.columns
        self._pieces = [(there.start // self.rows.block, here) for there, here in self.rows.pieces()]
        self._unit = float(np.finfo(local.dtype).eps) / 2
        self.sums = self._summed(0, len(self._pieces), slice(0, self.columns.count))

    def _summed(self, first: int, last: int, columns: slice) -> NDArray[np.float64]:
        """Return the sums of some columns in some of this rank's rows of blocks, as they are."""
        sums = np.zeros((last - first, columns.stop - columns.start))
        if columns.stop > columns.start:
            for number, (_, here) in enumerate(self._pieces[first:last]):
                ones = np.ones((1, here.stop - here.start))
                self.kernels.add_transposed_product(sums[number : number + 1], self.local[here, columns], ones)
        return sums

    def _span(self, step: int) -> slice:
        lo, hi = self.columns.span(step)
        return slice(self.columns.local(lo), self.columns.local(hi))

    def _from(self, step: int) -> int:
        """Return how many of this rank's rows of blocks lie above a block."""
        return sum(block < step for block, _ in self._pieces)

    def _compare(self, first: int, last: int, columns: slice, steps: int, largest: float, unit: float) -> None:
        """Compare sums of blocks that were updated so often; remember the first one that differs.

        An update rounds an entry by at most ``(block + 1) u`` of the largest, and by about ``sqrt(block) u`` where the
        errors are independent; a sum over a block and over the steps grows as the square root of their number (Higham
        and Mary, A new approach to probabilistic rounding error analysis, SIAM J. Sci. Comput. 41 (2019) A2815).
        """
        if first >= last or columns.stop == columns.start:
            return
        with np.errstate(all="ignore"):
            apart = np.abs(self._summed(first, last, columns) - self.sums[first:last, columns])
        allowed = ALLOWANCE * unit * self.rows.block * math.sqrt(steps) * largest
        # NaN is found as well, but where it is what was to be expected: after an overflow, or without a pivot.
        wrong = np.argwhere(~(apart <= allowed) & np.isfinite(self.sums[first:last, columns]))
        if len(wrong) and self.struck < 0:
            row, column = wrong[0]
            there = columns.start + int(column)
            of_rank = there // self.columns.block * self.columns.parts + self.columns.part
            self.struck = self._pieces[first + int(row)][0] * self.columns.blocks + of_rank

    def before_panel(self, step: int, largest: float) -> None:
        """Compare the column of blocks of a step, from its diagonal on."""
        self._compare(self._from(step), len(self._pieces), self._span(step), step + 1, largest, self._unit)

    def after_panel(self, step: int) -> None:
        """Take the sums of what the panel has become."""
        first, columns = self._from(step), self._span(step)
        self.sums[first:, columns] = self._summed(first, len(self._pieces), columns)

    @contextmanager
    def exchanging(self, step: int, pivots: NDArray[np.int64]) -> Iterator[None]:
        """Let rows be exchanged in all columns but those of the panel: their entries go from one sum to another."""
        moved, _ = net_exchange(self.rows.span(step)[0], pivots)
        mine = np.array([row for row in moved if self.rows.owner(row // self.rows.block) == self.rows.part], np.int64)
        here = np.array([self.rows.local(int(row)) for row in mine], np.int64)
        self._add_rows(step, here, -1.0)
        yield
        self._add_rows(step, here, 1.0)

    def _add_rows(self, step: int, here: NDArray[np.int64], sign: float) -> None:
        if not len(here):
            return
        taken, pieces = self.kernels.take(self.local, here), here // self.rows.block
        panel = self._span(step) if self.columns.owner(step) == self.columns.part else slice(0, 0)
        for piece in np.unique(pieces):
            some = slice(*np.searchsorted(pieces, (piece, piece + 1)))
            change = np.zeros((1, self.columns.count))
            self.kernels.add_transposed_product(change, taken[some], np.full((1, some.stop - some.start), sign))
            change[0, panel] = 0.0
            self.sums[piece] += change[0]

    def before_row(self, step: int, largest: float) -> None:
        """Compare the row of blocks of a step, right of its diagonal."""
        first = self._from(step)
        self._compare(first, first + 1, self._right(step), step + 1, largest, self._unit)

    def after_row(self, step: int) -> None:
        """Take the sums of what the row has become."""
        first, columns = self._from(step), self._right(step)
        self.sums[first : first + 1, columns] = self._summed(first, first + 1, columns)

    def _right(self, step: int) -> slice:
        return slice(self.columns.local(self.columns.span(step)[1]), self.columns.count)

    def update(self, step: int, panel: Message, row: Message) -> None:
        """Subtract from the sums what the step subtracts from the matrix."""
        first, columns = self._from(step + 1), self._right(step)
        if first == len(self._pieces) or columns.start == columns.stop:
            return
        lower, upper = (one.format.decode(self.kernels.download(one.block)) for one in (panel, row))
        starts = [here.start - self._pieces[first][1].start for _, here in self._pieces[first:]]
        with np.errstate(all="ignore"):
            sums = np.add.reduceat(lower.astype(np.float64), starts, axis=0)
            self.sums[first:, columns] -= sums @ upper.astype(np.float64) / (panel.header[0] * row.header[0])

    def received(self, message: Message, step: int) -> None:
        """Look whether a message of a step is what was sent."""
        if message.damaged and self.struck < 0:
            self.struck = step * self.columns.blocks + step

    def at_the_end(self, steps: int, largest: float) -> int:
        """Compare every block after so many steps; return the number of one that was struck on any rank, or -1.

        Collective. The sums of finished factors were taken of them, so that only the rounding of FP64 comes between.
        """
        unit = self._unit if steps < self.columns.blocks else self.rows.block * np.finfo(np.float64).eps / 2
        self._compare(0, len(self._pieces), slice(0, self.columns.count), steps, largest, unit)
        return int(maximum(self.layout.grid.comm, float(self.struck)))
