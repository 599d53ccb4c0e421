"""Solves with the factors of a block-cyclic matrix, in FP64, for vectors that every rank holds whole."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mpsolve.kernels.dense import DenseKernels
from mpsolve.ledger import Ledger
from mpsolve.parallel.replicated import broadcast, total_at, total_everywhere
from mpsolve.solvers.dense.factors import Factors


class FactorSolver:
    """Solves L U x = P b, or the transposed system, with factors in whatever format they were made.

    The arithmetic is FP64: these solves are limited by memory, and reading FP32 factors costs the same whatever is done
    with them.

    Parameters
    ----------
    factors : Factors
        Complete factors.
    kernels : DenseKernels
        Kernels of this rank.
    ledger : Ledger
        Counts the work, under the phase ``"solve"``.
    """

    def __init__(self, factors: Factors, kernels: DenseKernels, ledger: Ledger) -> None:
        self.factors, self.kernels, self.ledger = factors, kernels, ledger
        self.layout, self.local = factors.layout, factors.local
        self.rows, self.columns = factors.layout.rows, factors.layout.columns

    def solve(self, b: NDArray[np.float64], *, transposed: bool = False) -> NDArray[np.float64]:
        """Return the solution for each vector, the same on every rank (collective).

        Parameters
        ----------
        b : ndarray of float64, shape (count, n)
            Right-hand sides, the same on every rank; not changed.
        transposed : bool
            Whether to solve with the transpose of the matrix.
        """
        order = self.factors.order
        with np.errstate(all="ignore"):
            if not transposed:
                x = b.copy() if order is None else b[:, order]
                return self._sweep(self._sweep(x, upper=False, transposed=False), upper=True, transposed=False)
            x = self._sweep(self._sweep(b.copy(), upper=True, transposed=True), upper=False, transposed=True)
            if order is None:
                return x
            result = np.empty_like(x)
            result[:, order] = x
            return result

    def _sweep(self, b: NDArray[np.float64], *, upper: bool, transposed: bool) -> NDArray[np.float64]:
        """Solve with one triangle, block after block.

        What the known parts of x add to the rest is summed up on the ranks that hold the blocks, and collected where
        the diagonal block lies when its turn comes. For the transpose rows and columns change their roles.
        """
        grid = self.layout.grid
        across, along = (grid.column_comm, grid.row_comm) if transposed else (grid.row_comm, grid.column_comm)
        into, out_of = (self.columns, self.rows) if transposed else (self.rows, self.columns)
        sums, known = np.zeros((len(b), into.count)), np.zeros_like(b)
        blocks = range(self.rows.blocks)
        for block in reversed(blocks) if upper != transposed else blocks:
            lo, hi = self.rows.span(block)
            here, there = slice(into.local(lo), into.local(hi)), slice(out_of.local(lo), out_of.local(hi))
            mine = out_of.owner(block) == out_of.part
            part = np.empty((len(b), hi - lo))
            if into.owner(block) == into.part:
                collected = total_at(across, np.ascontiguousarray(sums[:, here]), out_of.owner(block))
                if mine:
                    part[...] = b[:, lo:hi] - collected
                    corner = self.local[(there, here) if transposed else (here, there)]
                    self.kernels.substitute(corner, part, upper=upper, transposed=transposed)
            if mine:
                broadcast(along, part, into.owner(block))
                known[:, lo:hi] = part
                rest = slice(0, here.start) if upper != transposed else slice(here.stop, into.count)
                self._add(sums, rest, there, part, transposed)
        self._count(b)
        return total_everywhere(across, known, self.ledger, "solve")

    def _add(self, sums: NDArray, rest: slice, there: slice, part: NDArray, transposed: bool) -> None:
        target = sums[:, rest]
        if transposed:
            self.kernels.add_transposed_product(target, self.local[there, rest], part)
        else:
            self.kernels.add_product(target, self.local[rest, there], part)

    def _count(self, b: NDArray) -> None:
        name = "fp64" if self.local.dtype == np.float64 else "fp32"
        self.ledger.add("solve", name, flops=self.local.size * len(b), bytes=self.local.nbytes // 2)
