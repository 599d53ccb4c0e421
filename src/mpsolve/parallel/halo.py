"""Exchange the ghost cells of fields between neighbouring blocks: one message a neighbour, for all fields at once."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mpsolve.errors import ShapeError
from mpsolve.field import Field
from mpsolve.formats.base import Format
from mpsolve.ledger import Ledger
from mpsolve.parallel.cartesian import Cartesian
from mpsolve.parallel.halo_message import Message, Range, lay_out, view
from mpsolve.parallel.transport import repair, seal, strike
from mpsolve.parallel.waiting import complete

if TYPE_CHECKING:
    from mpi4py.MPI import Prequest

# Tag of all halo messages: two ranks exchange one message each way, so that nothing else must be told apart.
HALO_TAG = 7200

#: Phase of the ledger for messages that were damaged and sent again.
REPEATED = "repeated messages"

Direction = tuple[int, ...]


class Halo:
    """A prepared exchange of the ghost cells of one or more fields on one grid.

    Everything is laid out once: buffers, views of the edges and ghosts, persistent requests. An exchange is
    ``start()``, work that does not touch ghosts, ``finish()``. The edges are packed when `start` returns, so that
    work may overwrite them.

    Ghosts beyond a side of the grid that is not periodic are left untouched. A periodic axis that is not cut is
    copied within the rank. Directions that lead to the same rank share its message.

    Parameters
    ----------
    grid : Cartesian
        The division of the grid.
    fields : sequence of Field
        Fields of the grid's local shape, of any formats; they keep their storage while the Halo is in use.
    width : int
        How many ghost layers to fill, at least 1.
    corners : bool
        Whether also the ghosts that lie diagonally are filled, in the same single phase.
    format : Format, optional
        A narrower format for the messages. Each field's part of a message is then scaled by its own power of two,
        sent as an 8-byte exponent, so that its largest finite number comes close to the largest of the format.
        Fields that are not wider than this format travel bit for bit, as all do by default.
    ledger : Ledger, optional
        Counts the messages and bytes that this rank sends.
    phase : str
        The phase of the ledger.

    Raises
    ------
    ShapeError
        If a block of any rank is thinner than `width` (then on every rank), or a field does not fit the grid.

    Notes
    -----
    Creation is local. Two exchanges on one communicator must be started in the same order on all ranks.

    Examples
    --------
    >>> from mpsolve.parallel import launch
    >>> from mpsolve.precision import get_format
    >>> grid = Cartesian.create(launch.start(), (8, 8), (True, True))
    >>> field = Field.zeros(grid.shape, 1, get_format("bf16")).set(2.0)
    >>> Halo(grid, [field], width=1, corners=True).exchange()
    >>> ghosts = field.region((-1, -1), (0, 0))
    >>> float(field.format.decode(ghosts)[0, 0])
    2.0
    """

    def __init__(
        self,
        grid: Cartesian,
        fields: Sequence[Field],
        *,
        width: int,
        corners: bool = False,
        format: Format | None = None,
        ledger: Ledger | None = None,
        phase: str = "halo",
    ):
        _check(grid, fields, width)
        regions = _Regions(grid, width, corners)
        self._wraps = [step for field in fields for pair in regions.wraps(field) for step in _copy_steps(*pair)]
        outgoing = [lay_out(rank, regions.edges(rank), fields, format, grid.transport) for rank in regions.directions]
        incoming = [lay_out(rank, regions.ghosts(rank), fields, format, grid.transport) for rank in regions.directions]
        self._comm, self._transport, self._messages = grid.comm, grid.transport, (outgoing, incoming)
        self._packs = [pair for message in outgoing for pair in message.copies]
        self._unpacks = [pair for message in incoming for pair in message.copies]
        self._compress = [packet.compress for message in outgoing for packet in message.packets]
        self._expand = [packet.expand for message in incoming for packet in message.packets]
        self._sends = [grid.comm.Send_init(m.buffer, m.rank, HALO_TAG) for m in outgoing]
        self._receives = [grid.comm.Recv_init(m.buffer, m.rank, HALO_TAG) for m in incoming]
        self._requests = [*self._receives, *self._sends]
        self._active, self._mark = False, None
        self._device: Any = fields[0].device
        self._outgoing = [staging for message in outgoing for staging in message.stagings]
        self._incoming = [staging for message in incoming for staging in message.stagings]
        self._ledger, self._phase, self._counts = ledger, phase, _counts(outgoing)
        if self._requests:
            # MPI complains at its end about persistent requests that nobody freed.
            weakref.finalize(self, _free, self._requests)

    @property
    def messages(self) -> int:
        """Number of messages that this rank sends in one exchange."""
        return len(self._sends)

    @property
    def message_bytes(self) -> int:
        """Bytes that this rank sends in one exchange."""
        return sum(work["message_bytes"] for work in self._counts.values())

    def exchange(self) -> None:
        """Fill the ghosts: `start` and `finish` (collective among neighbours)."""
        self.start()
        self.finish()

    def start(self) -> None:
        """Send the edges and return while the messages travel (collective among neighbours).

        Raises
        ------
        RuntimeError
            If the exchange is already under way.
        """
        if self._active:
            raise RuntimeError("a halo exchange was started again before it was finished; call finish() first")
        self._active = True
        if self._receives:
            type(self._receives[0]).Startall(self._receives)
        # The wrapped axes come first, because edges of the cut axes reach into their ghosts.
        for target, source in self._wraps:
            target[...] = source
        for piece, edge in self._packs:
            piece[...] = edge
        if self._device is not None and self._packs:
            for packed, host in self._outgoing:
                self._device.fetch(packed, host)
            self._mark = self._device.mark()
            self._device.synchronize()
        for compress in self._compress:
            compress()
        if self._transport.checked:
            for message in self._messages[0]:
                seal(message)
        if self._sends:
            type(self._sends[0]).Startall(self._sends)

    def finish(self) -> None:
        """Wait for the messages and fill the ghosts.

        Raises
        ------
        RuntimeError
            If no exchange is under way.
        LaunchError
            If checked messages are damaged again and again.
        """
        if not self._active:
            raise RuntimeError("a halo exchange was finished that had not been started; call start() first")
        complete(self._requests)
        self._active = False
        strike(self._transport, self._messages[1])
        if self._transport.checked:
            messages, size = repair(self._comm, self._transport, *self._messages)
            if messages and self._ledger is not None:
                self._ledger.add(REPEATED, next(iter(self._counts)), messages=messages, message_bytes=size)
        for expand in self._expand:
            expand()
        # A device unpacks beside what it was told since the edges were packed: the interior.
        device = self._device if self._unpacks else None
        with nullcontext() if device is None else device.beside(self._mark):
            for packed, host in self._incoming:
                self._device.send(host, packed)
            for piece, ghost in self._unpacks:
                ghost[...] = piece
        if self._ledger is not None:
            for name, work in self._counts.items():
                self._ledger.add(self._phase, name, **work)


class _Regions:
    """Which edges and ghosts of a block belong to which neighbour."""

    def __init__(self, grid: Cartesian, width: int, corners: bool):
        self.shape, self.width, self.corners = grid.shape, width, corners
        self.cut = tuple(ranks > 1 for ranks in grid.ranks_per_axis)
        self.wrapped = tuple(wraps and not cut for wraps, cut in zip(grid.periodic, self.cut, strict=True))
        self.directions: dict[int, list[Direction]] = {}
        for direction in itertools.product(*((-1, 0, 1) if cut else (0,) for cut in self.cut)):
            steps = sum(map(abs, direction))
            rank = grid.neighbour(direction)
            if rank is not None and (steps == 1 or (corners and steps > 1)):
                self.directions.setdefault(rank, []).append(direction)

    def edges(self, rank: int) -> list[tuple[Range, ...]]:
        """List the edges that go to a rank, in the order of their directions."""
        return [self._box(direction, inside=True) for direction in sorted(self.directions[rank])]

    def ghosts(self, rank: int) -> list[tuple[Range, ...]]:
        """List the ghosts that come from a rank, in the order of the directions as the sender sees them."""
        senders = sorted(tuple(-step for step in direction) for direction in self.directions[rank])
        return [self._box(tuple(-step for step in direction), inside=False) for direction in senders]

    def _box(self, direction: Direction, inside: bool) -> tuple[Range, ...]:
        """Return the ranges of cells along each axis, next to the side that a direction points to."""
        return tuple(self._range(axis, step, inside) for axis, step in enumerate(direction))

    def _range(self, axis: int, step: int, inside: bool) -> Range:
        cells, width = self.shape[axis], self.width
        if step:
            first = (0 if inside else -width) if step < 0 else (cells - width if inside else cells)
            return first, first + width
        # The ghosts of a wrapped axis have been filled before, so that they travel along as the corners.
        reach = width if self.corners and self.wrapped[axis] else 0
        return -reach, cells + reach

    def wraps(self, field: Field) -> Iterator[tuple[NDArray, NDArray]]:
        """List (ghost, edge) views for the periodic axes that are not cut, in the order in which to copy them."""
        for axis in (axis for axis, wrapped in enumerate(self.wrapped) if wrapped):
            for step in (-1, 1):
                ghost, edge = ([self._range(other, 0, True) for other in range(field.ndim)] for _ in range(2))
                for other in range(axis + 1, field.ndim):
                    # Later axes have not been wrapped yet, and will copy these ghosts themselves.
                    ghost[other] = edge[other] = (0, self.shape[other])
                ghost[axis], edge[axis] = self._range(axis, step, False), self._range(axis, -step, True)
                yield view(field, ghost), view(field, edge)


def _copy_steps(target: NDArray, source: NDArray) -> list[tuple[NDArray, NDArray]]:
    """List the assignments that copy one view of an array to another without a new array each time."""
    # A device copies cell by cell, from one view to the other.
    if not isinstance(target, np.ndarray) or not np.may_share_memory(target, source):
        return [(target, source)]
    # NumPy would copy interleaved views through a temporary; this one is made once.
    between = np.empty(source.shape, source.dtype)
    return [(between, source), (target, between)]


def _counts(outgoing: list[Message]) -> dict[str, dict[str, int]]:
    """Return the work of one exchange for each format; a shared message counts under its first field's format."""
    counts: dict[str, dict[str, int]] = {}
    for message in outgoing:
        for place, (name, size) in enumerate(zip(message.formats, message.sizes, strict=True)):
            work = counts.setdefault(name, {"messages": 0, "message_bytes": 0})
            work["messages"] += place == 0
            work["message_bytes"] += size
    return counts


def _check(grid: Cartesian, fields: Sequence[Field], width: int) -> None:
    """Refuse what cannot be exchanged, from what all ranks know alike before what this rank's fields are."""
    if width < 1:
        raise ShapeError(f"a halo exchange has width {width}; give 1 or more")
    for axis, (cells, ranks) in enumerate(zip(grid.smallest_shape, grid.ranks_per_axis, strict=True)):
        if cells < width and (ranks > 1 or grid.periodic[axis]):
            raise ShapeError(
                f"axis {axis} has {grid.global_shape[axis]} cells on {ranks} ranks: its thinnest block has {cells} "
                f"cells, thinner than the halo of width {width}; use at most {grid.global_shape[axis] // width} "
                f"ranks along it (Cartesian.create with halo={width} chooses them) or at least {ranks * width} cells"
            )
    if not fields:
        raise ShapeError("a halo exchange was given no fields; give at least one")
    for number, field in enumerate(fields):
        if field.shape != grid.shape or field.halo < width:
            raise ShapeError(
                f"field {number} has shape {field.shape} and halo {field.halo}; "
                f"this exchange needs shape {grid.shape} and a halo of at least {width}"
            )


def _free(requests: list[Prequest]) -> None:
    """Free persistent requests, unless MPI has ended."""
    from mpi4py import MPI

    if not MPI.Is_finalized():
        for request in requests:
            request.Free()
