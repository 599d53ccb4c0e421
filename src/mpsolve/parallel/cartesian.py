"""Divide a grid of 1, 2 or 3 dimensions among any number of ranks, with the least halo surface."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mpsolve.errors import ShapeError
from mpsolve.parallel.launch import agree
from mpsolve.parallel.rank_grid import choose_rank_grid
from mpsolve.parallel.transport import Transport

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm

# Blocks travel to and from rank 0 in slabs of at most this many bytes, so that rank 0 needs little beside the array.
SLAB_BYTES = 1 << 26

# Tag of the messages of `Cartesian.gather` and `Cartesian.scatter`.
SLAB_TAG = 7100


@dataclass(frozen=True)
class Cartesian:
    """The block of a global grid that belongs to this rank; make one with `Cartesian.create`.

    Attributes
    ----------
    comm : mpi4py.MPI.Intracomm
        All its ranks hold a block; the last axis runs fastest through the ranks.
    global_shape : tuple of int
        Cells along each axis of the whole grid.
    periodic : tuple of bool
        Axes whose last cell is the neighbour of the first.
    ranks_per_axis : tuple of int
        Number of blocks along each axis; their product is the number of ranks.
    coordinates : tuple of int
        Which block along each axis this rank holds.
    lo, hi : tuple of int
        This rank holds the global cells ``lo[axis] <= index < hi[axis]``.
    cuts : tuple of tuple of int
        Per axis, the first cell of each block and the number of cells; empty: an even division.
    transport : Transport
        How messages between blocks are looked after.
    """

    comm: Intracomm
    global_shape: tuple[int, ...]
    periodic: tuple[bool, ...]
    ranks_per_axis: tuple[int, ...]
    coordinates: tuple[int, ...]
    lo: tuple[int, ...]
    hi: tuple[int, ...]
    cuts: tuple[tuple[int, ...], ...] = ()
    transport: Transport = Transport()

    @classmethod
    def create(
        cls,
        comm: Intracomm,
        global_shape: Sequence[int],
        periodic: Sequence[bool],
        *,
        halo: int = 1,
        ranks_per_axis: Sequence[int] | None = None,
        split: Sequence[bool] | None = None,
    ) -> Cartesian:
        """Divide a grid among the ranks of ``comm`` (local: every rank computes the same division).

        Parameters
        ----------
        comm : mpi4py.MPI.Intracomm
            The ranks.
        global_shape : sequence of int
            Cells along each of 1, 2 or 3 axes.
        periodic : sequence of bool
            Which axes are periodic.
        halo : int
            Width of the widest halo that will be exchanged; no block becomes thinner.
        ranks_per_axis : sequence of int, optional
            Number of blocks along each axis, 0 where it is free; all free by default.
        split : sequence of bool, optional
            Which axes may be cut at all; all by default.

        Returns
        -------
        Cartesian
            The division with the least surface between blocks; blocks differ by at most one cell along an axis.

        Raises
        ------
        ShapeError
            If there is no such division; the message says which number of ranks or which grid would do.

        Examples
        --------
        >>> from mpsolve.parallel import launch
        >>> comm = launch.start()
        >>> grid = Cartesian.create(comm, (64, 128), (False, True))
        >>> grid.global_shape, grid.gather(np.zeros(grid.shape)).shape
        ((64, 128), (64, 128))
        """
        shape = tuple(int(cells) for cells in global_shape)
        wanted = _check_request(shape, periodic, halo, ranks_per_axis, split)
        rank_grid = choose_rank_grid(comm.size, shape, periodic, halo, wanted)
        coordinates = tuple(int(place) for place in np.unravel_index(comm.rank, rank_grid))
        lo, hi = _block(shape, rank_grid, coordinates)
        return cls(comm, shape, tuple(bool(p) for p in periodic), rank_grid, coordinates, lo, hi)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.global_shape)

    @property
    def shape(self) -> tuple[int, ...]:
        """Local shape: cells of this rank's block along each axis."""
        return tuple(hi - lo for lo, hi in zip(self.lo, self.hi, strict=True))

    @property
    def smallest_shape(self) -> tuple[int, ...]:
        """Cells along each axis of the thinnest blocks: the same on all ranks."""
        if self.cuts:
            return tuple(min(b - a for a, b in zip(cuts, cuts[1:], strict=False)) for cuts in self.cuts)
        return tuple(cells // ranks for cells, ranks in zip(self.global_shape, self.ranks_per_axis, strict=True))

    def coarser(self, halved: Sequence[bool]) -> Cartesian:
        """Return the division of a grid in which pairs of cells, from global cell 0 on, make one cell (local).

        A coarse cell belongs to the rank that holds its first child; an odd number of cells leaves a last one with a
        single child.

        Parameters
        ----------
        halved : sequence of bool
            The axes along which cells are paired.

        Examples
        --------
        >>> from mpsolve.parallel import launch
        >>> grid = Cartesian.create(launch.start(), (9, 8), (False, False))
        >>> grid.coarser((True, False)).global_shape
        (5, 8)
        """
        old = self.cuts or tuple(
            tuple(cells * place // ranks for place in range(ranks + 1))
            for cells, ranks in zip(self.global_shape, self.ranks_per_axis, strict=True)
        )
        cuts = tuple(
            tuple(-(-cut // 2) for cut in along) if half else along for along, half in zip(old, halved, strict=True)
        )
        shape = tuple(along[-1] for along in cuts)
        lo, hi = _between(cuts, self.coordinates)
        return replace(self, global_shape=shape, lo=lo, hi=hi, cuts=cuts)

    @property
    def slices(self) -> tuple[slice, ...]:
        """Where this rank's block lies in the global array."""
        return tuple(map(slice, self.lo, self.hi))

    def neighbour(self, direction: Sequence[int]) -> int | None:
        """Return the rank that holds the next block in a direction.

        Parameters
        ----------
        direction : sequence of int
            A step of -1, 0 or 1 along each axis.

        Returns
        -------
        int or None
            The rank, which may be this one on a periodic axis; None beyond a side of the grid.
        """
        place = []
        for axis, step in enumerate(direction):
            moved = self.coordinates[axis] + step
            if self.periodic[axis]:
                moved %= self.ranks_per_axis[axis]
            if not 0 <= moved < self.ranks_per_axis[axis]:
                return None
            place.append(moved)
        return int(np.ravel_multi_index(place, self.ranks_per_axis))

    def gather(self, local: np.ndarray) -> np.ndarray | None:
        """Collect the blocks of all ranks on rank 0, slab by slab (collective).

        Parameters
        ----------
        local : ndarray
            This rank's block, of the local shape, of the same type on all ranks.

        Returns
        -------
        ndarray or None
            A new array of the global shape on rank 0, None on the others.
        """
        if local.shape != self.shape:
            raise ShapeError(f"a block to gather has shape {local.shape}; this rank holds {self.shape}")
        if self.comm.rank:
            for slab in _slabs(self.shape, local.itemsize):
                self.comm.Send(as_bytes(np.ascontiguousarray(local[slab])), 0, SLAB_TAG)
            return None
        whole = np.empty(self.global_shape, local.dtype)
        whole[self.slices] = local
        for rank in range(1, self.comm.size):
            block = whole[self._slices_of(rank)]
            for slab in _slabs(block.shape, local.itemsize):
                piece = np.empty(block[slab].shape, local.dtype)
                self.comm.Recv(as_bytes(piece), rank, SLAB_TAG)
                block[slab] = piece
        return whole

    def scatter(self, whole: np.ndarray | None) -> np.ndarray:
        """Give each rank its block of an array on rank 0, slab by slab (collective).

        Parameters
        ----------
        whole : ndarray or None
            An array of the global shape on rank 0; ignored on the others.

        Returns
        -------
        ndarray
            A new contiguous array of the local shape and the type of `whole`.

        Raises
        ------
        ShapeError
            On every rank, if the array on rank 0 has another shape.
        """
        dtype = agree(self.comm, lambda: self._check_whole(whole))
        local = np.empty(self.shape, dtype)
        if self.comm.rank or whole is None:
            for slab in _slabs(self.shape, dtype.itemsize):
                self.comm.Recv(as_bytes(local[slab]), 0, SLAB_TAG)
            return local
        local[...] = whole[self.slices]
        for rank in range(1, self.comm.size):
            block = whole[self._slices_of(rank)]
            for slab in _slabs(block.shape, dtype.itemsize):
                self.comm.Send(as_bytes(np.ascontiguousarray(block[slab])), rank, SLAB_TAG)
        return local

    def _check_whole(self, whole: np.ndarray | None) -> np.dtype:
        """Return the type of the array to scatter, or refuse its shape."""
        if whole is None or whole.shape != self.global_shape:
            given = "nothing" if whole is None else f"an array of shape {whole.shape}"
            raise ShapeError(f"rank 0 was given {given} to scatter; the grid has shape {self.global_shape}")
        return whole.dtype

    def _slices_of(self, rank: int) -> tuple[slice, ...]:
        """Return where the block of another rank lies in the global array."""
        coordinates = tuple(int(place) for place in np.unravel_index(rank, self.ranks_per_axis))
        if self.cuts:
            return tuple(map(slice, *_between(self.cuts, coordinates)))
        return tuple(map(slice, *_block(self.global_shape, self.ranks_per_axis, coordinates)))


def _check_request(
    shape: tuple[int, ...],
    periodic: Sequence[bool],
    halo: int,
    ranks_per_axis: Sequence[int] | None,
    split: Sequence[bool] | None,
) -> tuple[int, ...]:
    """Refuse a request that no number of ranks can meet; return the ranks wanted along each axis, 0 = free."""
    if not 1 <= len(shape) <= 3 or min(shape) < 1 or halo < 0:
        raise ShapeError(f"a grid has 1, 2 or 3 axes of at least 1 cell and a halo of 0 or more: got {shape}, {halo}")
    wanted = tuple(ranks_per_axis) if ranks_per_axis is not None else (0,) * len(shape)
    may_cut = tuple(split) if split is not None else (True,) * len(shape)
    for name, given in (("periodic", periodic), ("ranks_per_axis", wanted), ("split", may_cut)):
        if len(given) != len(shape):
            raise ShapeError(f"{name} has {len(given)} entries for the {len(shape)} axes of grid {shape}")
    if min(wanted) < 0:
        raise ShapeError(f"ranks_per_axis is {wanted}; each entry is 0 (free) or a number of ranks")
    if any(ranks > 1 and not cut for ranks, cut in zip(wanted, may_cut, strict=True)):
        raise ShapeError(f"ranks_per_axis {wanted} cuts an axis that must stay whole; axes that may be cut: {may_cut}")
    return tuple(ranks if cut else 1 for ranks, cut in zip(wanted, may_cut, strict=True))


def _block(
    shape: Sequence[int], rank_grid: Sequence[int], coordinates: Sequence[int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the first cells of a block and those after its last; sizes along an axis differ by at most one."""
    axes = list(zip(shape, rank_grid, coordinates, strict=True))
    lo = tuple(cells * place // ranks for cells, ranks, place in axes)
    hi = tuple(cells * (place + 1) // ranks for cells, ranks, place in axes)
    return lo, hi


def _between(cuts: tuple[tuple[int, ...], ...], coordinates: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the first cells of a block and those after its last, from the cuts along each axis."""
    places = list(zip(cuts, coordinates, strict=True))
    return tuple(along[place] for along, place in places), tuple(along[place + 1] for along, place in places)


def _slabs(shape: tuple[int, ...], itemsize: int) -> Iterator[slice]:
    """Cut a block along its first axis into slabs of at most `SLAB_BYTES` (one row at least)."""
    row_bytes = max(1, math.prod(shape[1:]) * itemsize)
    rows = max(1, SLAB_BYTES // row_bytes)
    for first in range(0, shape[0], rows):
        yield slice(first, min(first + rows, shape[0]))


def as_bytes(array: np.ndarray) -> np.ndarray:
    """Return the bytes of a contiguous array, because MPI has no types for 16- and 8-bit floats."""
    return array.reshape(-1).view(np.uint8)
