"""Right-looking LU of a block-cyclic matrix with look-ahead: panels in FP32, updates and messages in a working format.

Step k factors a column of blocks (the panel), broadcasts its lower part along the rows of the grid, solves for the row
of blocks, broadcasts that down the columns, and subtracts the product of the two from what remains. The panel of step
k + 1 is updated first, factored, and sent on its way while the rest is being updated.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpsolve.ledger import Ledger
from mpsolve.parallel.block_cyclic import BlockCyclic
from mpsolve.parallel.reductions import maximum
from mpsolve.parallel.row_exchange import exchange_rows, permute
from mpsolve.solvers.dense.arithmetic import Arithmetic
from mpsolve.solvers.dense.checksums import Checksums, Unchecked
from mpsolve.solvers.dense.diagonal import eliminate, invert_lower
from mpsolve.solvers.dense.factors import Breakdown, FactorOptions, Factors, Keeper, Partial
from mpsolve.solvers.dense.messages import Message
from mpsolve.solvers.dense.panel import Panel
from mpsolve.timing import Stopwatch

#: Columns that are updated between two looks at the messages, where there are other ranks.
STRIP = 1024
PANEL_TAG, INVERSE_TAG, ROW_TAG = 7430, 7432, 7434


class Factorisation:
    """One factorisation, in place.

    Parameters
    ----------
    layout : BlockCyclic
        How the matrix is dealt out.
    local : ndarray of ``arithmetic.storage``, local shape, C-contiguous
        The matrix; becomes its factors.
    largest : float
        Largest magnitude of the whole matrix.
    arithmetic : Arithmetic
        Products and kernels.
    options : FactorOptions
        Pivoting.
    ledger : Ledger
        Counts the work.
    observe : callable
        Called with the number of finished steps after each.
    keeper : Keeper
        Asked after each step but the last.
    """

    def __init__(
        self,
        layout: BlockCyclic,
        local: NDArray[Any],
        largest: float,
        arithmetic: Arithmetic,
        options: FactorOptions,
        ledger: Ledger,
        observe: Callable[[int], None] = lambda step: None,
        keeper: Keeper | None = None,
    ) -> None:
        self.layout, self.local, self.largest = layout, local, largest
        self.grid, self.rows, self.columns = layout.grid, layout.rows, layout.columns
        self.arithmetic, self.options, self.ledger, self.observe = arithmetic, options, ledger, observe
        self.keeper = keeper or Keeper()
        self.watch = Stopwatch()
        block = self.columns.block
        rows, columns = layout.shape
        pivots = block if options.pivoting else 0
        kernels = arithmetic.kernels
        message = partial(Message, kernels=kernels, checked=options.checksums, flips=options.flips)
        self._panels = [message(arithmetic.format, rows * block, pivots=pivots) for _ in range(2)]
        self._upper = message(arithmetic.format, block * columns)
        self._inverses = [message(arithmetic.panels.format, block * block) for _ in range(2)]
        self._guard = Checksums(layout, local, kernels) if options.checksums else Unchecked()
        self._on_host = arithmetic.on_host if options.pivoting else arithmetic
        self._growth = 1.0

    def run(self, kept: Partial | None = None) -> Factors:
        """Factor, or go on with what lies in the memory of the factors (collective)."""
        kept = kept or Partial()
        order, self._growth = kept.order, kept.growth
        if order is None and self.options.pivoting:
            order = np.arange(self.rows.n)
        with self.arithmetic.kernels.beside(self.arithmetic.kernels.mark()):
            self._begin_panel(kept.step)
        breakdown, step = None, kept.step
        for step in range(kept.step, self.columns.blocks):
            with self.watch("wait"):
                self._panels[step % 2].wait()
            self._guard.received(self._panels[step % 2], step)
            breakdown = self._verdict(step)
            if breakdown is not None:
                break
            if order is not None:
                self._exchange(step, order)
            self._solve_row(step)
            last = step + 1 == self.columns.blocks
            saving = not last and self.keeper.due(step + 1)
            self._update(step, ahead=not last and not saving)
            if saving:
                self._finish_messages()
                self.keeper.keep(Partial(step + 1, order, self._growth))
                self._begin_panel(step + 1)
            self.observe(step + 1)
        self._finish_messages()
        struck = self._guard.at_the_end(step + (breakdown is None), self._size)
        breakdown = Breakdown.DAMAGE if struck >= 0 else breakdown
        missing = int(self._panels[step % 2].header[2])
        column = missing if breakdown is Breakdown.ZERO_PIVOT else self.columns.span(step)[0]
        block = divmod(struck, self.columns.blocks) if struck >= 0 else None
        return Factors(self.layout, self.local, order, self._growth, breakdown, column if breakdown else -1, block)

    def _finish_messages(self) -> None:
        for message in (*self._panels, *self._inverses, self._upper):
            message.finish()

    def _verdict(self, step: int) -> Breakdown | None:
        """Return why to give up after a panel; every rank reads the same header."""
        _, growth, missing, struck, _ = self._panels[step % 2].header
        self._growth = max(self._growth, growth) if not math.isnan(growth) else math.nan
        if struck >= 0:
            return Breakdown.DAMAGE
        if missing >= 0:
            return Breakdown.ZERO_PIVOT
        if not math.isfinite(growth):
            return Breakdown.OVERFLOW
        return Breakdown.GROWTH if growth > self.options.growth_limit else None

    def _begin_panel(self, step: int) -> None:
        """Factor the panel of a step on the ranks that hold it, and start its broadcast (collective over rows)."""
        lo, hi = self.columns.span(step)
        owner = self.columns.owner(step)
        message, inverse = self._panels[step % 2], self._inverses[step % 2]
        holds_row = self.grid.row == self.rows.owner(step)
        below = self.rows.count - self.rows.local(hi)
        message.shape(below, hi - lo)
        if holds_row:
            inverse.shape(hi - lo, hi - lo)
        if self.grid.column == owner:
            self._guard.before_panel(step, self._size)
            with self.watch("panel"):
                lower = (self._pivoted if self.options.pivoting else self._plain)(step, message)
                if holds_row and lower is not None:
                    self._keep(inverse.block, lower)
            self._guard.after_panel(step)
        message.send(self.grid.row_comm, owner, PANEL_TAG + step % 2, self.ledger, "panel broadcast")
        if holds_row:
            inverse.send(self.grid.row_comm, owner, INVERSE_TAG + step % 2, self.ledger, "panel broadcast")

    def _keep(self, block: Any, values: Any) -> None:
        """Copy values to a block, from the host if row exchanges were chosen there."""
        if isinstance(values, np.ndarray):
            self.arithmetic.kernels.write(block, values)
        else:
            block[...] = values

    def _plain(self, step: int, message: Message) -> Any:
        """Factor a panel without row exchanges; return the inverse of the lower diagonal factor where it lies."""
        (lo, hi), root = self.columns.span(step), self.rows.owner(step)
        columns = slice(self.columns.local(lo), self.columns.local(hi))
        top, middle = self.rows.local(lo), self.rows.local(hi)
        arithmetic, width = self.arithmetic, hi - lo
        tallest = arithmetic.kernels.largest(self.local[top:, columns])
        lower, upper, zero = None, arithmetic.kernels.empty((width, width), self.local.dtype), -1
        if self.grid.row == root:
            block = self.local[top:middle, columns].copy()
            lower, upper = eliminate(arithmetic, block)
            self.local[top:middle, columns] = block
            zeros = np.flatnonzero(arithmetic.kernels.diagonal(block) == 0)
            zero = lo + int(zeros[0]) if len(zeros) else -1
        arithmetic.broadcast(self.grid.column_comm, upper, root)
        below = self.local[middle:, columns]
        arithmetic.multiply_upper(below, upper)
        self.ledger.add("panel", arithmetic.panels.format.name, flops=2 * below.size * width)
        self._seal(message, below, tallest, zero)
        return lower

    def _pivoted(self, step: int, message: Message) -> Any:
        """Factor a panel with partial pivoting, on the host; return as `_plain`."""
        lo, hi = self.columns.span(step)
        columns = slice(self.columns.local(lo), self.columns.local(hi))
        top, middle = self.rows.local(lo), self.rows.local(hi)
        arithmetic, kernels = self._on_host, self.arithmetic.kernels
        here = self.local[top:, columns]
        tallest = kernels.largest(here)
        values = np.ascontiguousarray(kernels.download(here))
        panel = Panel(self.grid.column_comm, self.rows, step, values, arithmetic, self.ledger)
        panel.factor()
        kernels.write(here, values)
        message.pivots[: hi - lo] = panel.pivots
        self.ledger.add(
            "panel", arithmetic.panels.format.name, flops=2 * (len(values) - (middle - top)) * (hi - lo) ** 2
        )
        self._seal(message, here[middle - top :], tallest, -1 if panel.missing < 0 else lo + panel.missing)
        return invert_lower(arithmetic, values[: middle - top]) if panel.holds_diagonal else None

    def _seal(self, message: Message, below: Any, tallest: float, missing: int) -> None:
        """Encode the lower part of a panel and write its header (collective over the ranks of the column)."""
        kernels, comm = self.arithmetic.kernels, self.grid.column_comm
        steepest = kernels.largest(below)
        # What the elimination has made of the panel's entries, and the size of L, show whether it is stable.
        worst = np.maximum(tallest / self.largest if self.largest else 1.0, steepest)
        scale = self.arithmetic.scale(steepest)
        kernels.encode(message.block, below, message.format, scale)
        found = [maximum(comm, float(value)) for value in (worst, missing, self._guard.struck)]
        message.header[:] = scale, *found, 0.0

    def _exchange(self, step: int, order: NDArray[np.int64]) -> None:
        """Exchange the rows of a step in all columns but those of its panel."""
        lo, hi = self.columns.span(step)
        pivots = self._panels[step % 2].pivots[: hi - lo]
        panel = slice(0, 0)
        if self.grid.column == self.columns.owner(step):
            panel = slice(self.columns.local(lo), self.columns.local(hi))
        permute(order, lo, pivots)
        with self.watch("row exchange"), self._guard.exchanging(step, pivots):
            sent = exchange_rows(
                self.grid.column_comm, self.rows, self.local, lo, pivots, panel, self.arithmetic.kernels
            )
        self.ledger.add("row exchange", self.arithmetic.panels.format.name, messages=sent[0], message_bytes=sent[1])

    def _solve_row(self, step: int) -> None:
        """Compute the row of blocks of a step where it lies, and broadcast it down the columns (collective)."""
        (lo, hi), root = self.columns.span(step), self.rows.owner(step)
        right = self.columns.local(hi)
        message = self._upper
        message.shape(hi - lo, self.columns.count - right)
        if self.grid.row == root:
            inverse = self._inverses[step % 2]
            with self.watch("wait"):
                inverse.wait()
            self._guard.received(inverse, step)
            self._guard.before_row(step, self._size)
            with self.watch("row"):
                upper = self.local[self.rows.local(lo) : self.rows.local(hi), right:]
                self.arithmetic.multiply_lower(inverse.block, upper)
                kernels = self.arithmetic.kernels
                scale = self.arithmetic.scale(kernels.largest(upper) if self._narrow else 1.0)
                kernels.encode(message.block, upper, message.format, scale)
                message.header[0] = scale
            self._guard.after_row(step)
            self.ledger.add("row", self.arithmetic.panels.format.name, flops=2 * upper.size * (hi - lo))
        message.send(self.grid.column_comm, root, ROW_TAG, self.ledger, "row broadcast")
        with self.watch("wait"):
            message.wait()
        self._guard.received(message, step)

    @property
    def _size(self) -> float:
        """Largest magnitude that an entry has had so far, of the matrix or of L."""
        return self._growth * max(self.largest, 1.0)

    @property
    def _narrow(self) -> bool:
        """Whether blocks are scaled before they are encoded."""
        return self.arithmetic.scale(2.0**-30) != 1.0

    def _update(self, step: int, *, ahead: bool) -> None:
        """Subtract the product of panel and row: first from the next panel, which then leaves, then from the rest.

        Where that panel is not to be factored ahead, it stays.
        """
        _, hi = self.columns.span(step)
        panel, kernels = self._panels[step % 2], self.arithmetic.kernels
        self._guard.update(step, panel, self._upper)
        top, left = self.rows.local(hi), self.columns.local(hi)
        ready = self.columns.local(self.columns.span(step + 1)[1] if ahead else hi)
        lower = self.arithmetic.update.left(panel.block)
        self._subtract(lower, step, slice(left, ready))
        mark = kernels.mark()
        if not kernels.on_host:
            # The device works on the rest while the panel is factored beside it.
            self._update_rest(lower, step, ready)
        if ahead:
            with kernels.beside(mark):
                self._begin_panel(step + 1)
        if kernels.on_host:
            self._update_rest(lower, step, ready)
        area = (self.rows.count - top) * (self.columns.count - left)
        self.ledger.add("update", panel.format.name, flops=2 * area * panel.block.shape[1])

    def _update_rest(self, lower: Any, step: int, ready: int) -> None:
        """Update all columns from one on, and look at the messages now and then."""
        strip = STRIP if self.grid.comm.size > 1 and self.arithmetic.kernels.on_host else max(1, self.columns.count)
        for start in range(ready, self.columns.count, strip):
            self._subtract(lower, step, slice(start, min(start + strip, self.columns.count)))
            for message in (*self._panels, *self._inverses):
                message.poll()

    def _subtract(self, lower: Any, step: int, columns: slice) -> None:
        """Update some columns."""
        panel, row, gemm = self._panels[step % 2], self._upper, self.arithmetic.update
        _, hi = self.columns.span(step)
        top, left, scale = self.rows.local(hi), self.columns.local(hi), 1.0 / (panel.header[0] * row.header[0])
        if columns.stop > columns.start:
            with self.watch("update"):
                upper = gemm.right(row.block[:, columns.start - left : columns.stop - left])
                gemm.subtract(self.local[top:, columns], lower, upper, scale)
