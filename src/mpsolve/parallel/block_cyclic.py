"""Matrices in blocks dealt out to a P x Q grid of ranks like cards: block (i, j) lies on rank (i mod P, j mod Q)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from mpsolve.errors import ShapeError
from mpsolve.parallel.alone import Alone

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm

#: Bytes of one message when a matrix is scattered or gathered.
MESSAGE_BYTES = 1 << 26
SCATTER_TAG = 7400


@dataclass(frozen=True)
class Axis:
    """The rows, or the columns, of a block-cyclic matrix as one rank sees them.

    Attributes
    ----------
    n : int
        Global length; no block need divide it.
    block : int
        Length of a block.
    parts : int
        Ranks along this axis.
    part : int
        This rank's place among them.
    """

    n: int
    block: int
    parts: int
    part: int

    @property
    def count(self) -> int:
        """Local length."""
        return self.local(self.n)

    @property
    def blocks(self) -> int:
        """Number of blocks over all ranks; the last one may be short."""
        return -(-self.n // self.block)

    def local(self, index: int) -> int:
        """Return how many of this rank's indices lie below a global index: the local position where it would be.

        Examples
        --------
        >>> Axis(10, 2, 2, 1).local(5), Axis(10, 2, 2, 1).local(3)
        (2, 1)
        """
        whole, rest = divmod(index, self.block)
        mine = (whole + self.parts - 1 - self.part) // self.parts * self.block
        return mine + (rest if whole % self.parts == self.part else 0)

    def owner(self, block: int) -> int:
        """Return the rank along this axis that holds a block."""
        return block % self.parts

    def span(self, block: int) -> tuple[int, int]:
        """Return the global start and stop of a block."""
        return block * self.block, min((block + 1) * self.block, self.n)

    def pieces(self, first: int = 0) -> Iterator[tuple[slice, slice]]:
        """Yield the global and the local slice of each of this rank's blocks from block ``first`` on."""
        start = first + (self.part - first) % self.parts
        for block in range(start, self.blocks, self.parts):
            lo, hi = self.span(block)
            at = self.local(lo)
            yield slice(lo, hi), slice(at, at + hi - lo)

    def runs(self) -> Iterator[tuple[slice, slice]]:
        """Yield as `pieces`, but all in one where this rank holds everything."""
        if self.parts == 1:
            yield slice(0, self.n), slice(0, self.n)
        else:
            yield from self.pieces()

    def indices(self) -> NDArray[np.int64]:
        """Return the global indices of this rank, in local order."""
        parts = [np.arange(there.start, there.stop) for there, _ in self.runs()]
        return np.concatenate([np.zeros(0, np.int64), *parts])


@dataclass(frozen=True, eq=False)
class ProcessGrid:
    """Ranks arranged as P rows and Q columns, row by row; each row and each column has a communicator.

    Attributes
    ----------
    comm, row_comm, column_comm : mpi4py.MPI.Intracomm
        All ranks, those of this row (ordered by column), and those of this column (ordered by row).
    rows, columns : int
        P and Q.
    """

    comm: Intracomm
    row_comm: Intracomm
    column_comm: Intracomm
    rows: int
    columns: int

    @classmethod
    def create(cls, comm: Intracomm, rows: int = 0, columns: int = 0) -> ProcessGrid:
        """Arrange the ranks of a communicator (collective).

        Parameters
        ----------
        comm : mpi4py.MPI.Intracomm or Alone
            The ranks.
        rows, columns : int
            P and Q; 0 where free. Both free: as near to a square as their number allows, and rather wide than high,
            since columns of blocks are factored by few ranks at a time.

        Raises
        ------
        ShapeError
            If P x Q is not the number of ranks.
        """
        size = comm.size
        if not rows and not columns:
            rows = max(p for p in range(1, math.isqrt(size) + 1) if size % p == 0)
        rows, columns = rows or size // max(columns, 1), columns or size // max(rows, 1)
        if rows * columns != size or min(rows, columns) < 1:
            fitting = ", ".join(f"{p}x{size // p}" for p in range(1, size + 1) if size % p == 0)
            raise ShapeError(f"a grid of {rows}x{columns} ranks does not match {size} ranks; take one of {fitting}")
        if size == 1:
            alone = cast("Intracomm", Alone())
            return cls(comm, alone, alone, 1, 1)
        row, column = divmod(comm.rank, columns)
        row_comm, column_comm = comm.Split(row, column), comm.Split(column, row)
        return cls(comm, cast("Intracomm", row_comm), cast("Intracomm", column_comm), rows, columns)

    @property
    def row(self) -> int:
        """The row of this rank in the grid."""
        return self.comm.rank // self.columns

    @property
    def column(self) -> int:
        """The column of this rank in the grid."""
        return self.comm.rank % self.columns


@dataclass(frozen=True, eq=False)
class BlockCyclic:
    """How a matrix is dealt out.

    Attributes
    ----------
    grid : ProcessGrid
        The ranks.
    rows, columns : Axis
        What this rank holds.
    """

    grid: ProcessGrid
    rows: Axis
    columns: Axis

    @classmethod
    def create(cls, grid: ProcessGrid, shape: tuple[int, int], block: int) -> BlockCyclic:
        """Deal out a matrix of a global shape in square blocks (local).

        Raises
        ------
        ShapeError
            If the shape or the block has no elements.
        """
        if min(*shape, block) < 1:
            raise ShapeError(f"a matrix of shape {shape} in blocks of {block}: all must be at least 1")
        rows, columns = Axis(shape[0], block, grid.rows, grid.row), Axis(shape[1], block, grid.columns, grid.column)
        return cls(grid, rows, columns)

    @property
    def shape(self) -> tuple[int, int]:
        """Local shape."""
        return self.rows.count, self.columns.count

    @property
    def global_shape(self) -> tuple[int, int]:
        """Shape of the whole matrix."""
        return self.rows.n, self.columns.n

    def of_rank(self, rank: int) -> tuple[Axis, Axis]:
        """Return what another rank of the grid holds: its rows and its columns."""
        row, column = divmod(rank, self.grid.columns)
        rows, columns = self.rows, self.columns
        return Axis(rows.n, rows.block, rows.parts, row), Axis(columns.n, columns.block, columns.parts, column)

    def tiles(self, rows_at_once: int = 0) -> Iterator[tuple[tuple[slice, slice], tuple[slice, slice]]]:
        """Yield (global rows, global columns), (local rows, local columns) of pieces that cover the local matrix.

        Parameters
        ----------
        rows_at_once : int
            Upper limit of the rows of a piece; 0: those of a block.
        """
        limit = rows_at_once or self.rows.block
        for there, here in self.rows.runs():
            for start in range(0, there.stop - there.start, limit):
                stop = min(start + limit, there.stop - there.start)
                some = slice(there.start + start, there.start + stop), slice(here.start + start, here.start + stop)
                for columns, local in self.columns.runs():
                    yield (some[0], columns), (some[1], local)

    def scatter(self, whole: NDArray | None, out: NDArray, root: int = 0) -> None:
        """Deal out a matrix that lies on one rank (collective).

        Parameters
        ----------
        whole : ndarray or None
            The matrix, on ``root`` alone.
        out : ndarray, local shape
            Filled on every rank; its type is that of ``whole`` on every rank.
        root : int
            Where the matrix lies.

        Raises
        ------
        ShapeError
            On the root, if the matrix has another shape.
        """
        if self.grid.comm.rank == root:
            assert whole is not None
            if whole.shape != self.global_shape:
                raise ShapeError(f"the matrix has shape {whole.shape}, not {self.global_shape}")
        self._travel(root, out, lambda rank, part: part.__setitem__(..., self._pick(whole, rank)), outwards=True)

    def gather(self, local: NDArray, root: int = 0) -> NDArray | None:
        """Return the whole matrix on one rank, None elsewhere (collective); ``local`` is not changed."""
        whole = np.empty(self.global_shape, local.dtype) if self.grid.comm.rank == root else None
        self._travel(root, local, lambda rank, part: self._place(whole, rank, part), outwards=False)
        return whole

    def _pick(self, whole: NDArray | None, rank: int) -> NDArray:
        assert whole is not None
        rows, columns = self.of_rank(rank)
        return whole[np.ix_(rows.indices(), columns.indices())]

    def _place(self, whole: NDArray | None, rank: int, part: NDArray) -> None:
        assert whole is not None
        rows, columns = self.of_rank(rank)
        whole[np.ix_(rows.indices(), columns.indices())] = part

    def _travel(self, root: int, local: NDArray, handle: Callable[[int, NDArray], None], *, outwards: bool) -> None:
        """Move every rank's part between it and the root, one rank after the other, in bounded messages."""
        comm = self.grid.comm
        for rank in range(comm.size):
            if comm.rank == root:
                rows, columns = self.of_rank(rank)
                part = local if rank == root else np.empty((rows.count, columns.count), local.dtype)
                if rank != root and not outwards:
                    transfer(comm, part, rank, sending=False)
                handle(rank, part)
                if rank != root and outwards:
                    transfer(comm, part, rank, sending=True)
            elif comm.rank == rank:
                part = np.ascontiguousarray(local)
                transfer(comm, part, root, sending=not outwards)
                if outwards:
                    local[...] = part


def transfer(comm: Intracomm, part: NDArray, partner: int, *, sending: bool) -> None:
    """Send or receive a contiguous array as bytes, in messages of at most `MESSAGE_BYTES` (collective over the two)."""
    flat = part.reshape(-1).view(np.uint8)
    for start in range(0, flat.size, MESSAGE_BYTES):
        message = flat[start : start + MESSAGE_BYTES]
        if sending:
            comm.Send(message, partner, SCATTER_TAG)
        else:
            comm.Recv(message, partner, SCATTER_TAG)
