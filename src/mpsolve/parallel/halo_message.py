"""The messages of a halo exchange: where the cells of each field lie in them, and how they are packed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpsolve.field import Field
from mpsolve.formats.base import Format
from mpsolve.parallel.transport import TRAILER_BYTES, Transport

# Each field's part of a message starts on a multiple of this, so that every storage type lies aligned; bytes.
ALIGNMENT_BYTES = 8

Range = tuple[int, int]


@dataclass(frozen=True)
class Packet:
    """The part of a message that carries one field in a narrower format, with a power of two before it.

    Attributes
    ----------
    wide : Format
        The field's format.
    narrow : Format
        The format of the message.
    staging : ndarray
        The field's numbers, flat, in the storage type of `wide`.
    exponent : ndarray
        View of the message: one int64 k; what follows was multiplied by 2**k.
    payload : ndarray
        View of the message, in the storage type of `narrow`.
    """

    wide: Format
    narrow: Format
    staging: NDArray
    exponent: NDArray[np.int64]
    payload: NDArray

    def compress(self) -> None:
        """Scale and round the staged numbers into the message; infinities and NaN stay what the format can say."""
        numbers = self.wide.decode(self.staging)
        magnitude = np.abs(numbers)
        largest = float(np.max(magnitude, where=np.isfinite(magnitude), initial=0.0))
        # The largest number comes below 2**top, so that rounding up cannot overflow; zeros need no scale.
        top = math.frexp(self.narrow.largest)[1] - 1
        self.exponent[0] = top - math.frexp(largest)[1] if largest else 0
        self.payload[...] = self.narrow.encode(np.ldexp(numbers, self.exponent[0]))

    def expand(self) -> None:
        """Read the message back into the staged numbers; a finite number stays finite."""
        received = self.narrow.decode(self.payload).astype(self.wide.compute, copy=False)
        with np.errstate(over="ignore"):
            numbers = np.ldexp(received, -self.exponent[0])
        bound = self.wide.largest
        np.copyto(numbers, np.clip(numbers, -bound, bound), where=np.isfinite(received))
        self.staging[...] = self.wide.encode(numbers)


@dataclass(frozen=True)
class Message:
    """What goes to or comes from one rank: the buffer, and how it is filled or emptied.

    Attributes
    ----------
    rank : int
        The other rank.
    buffer : ndarray or device array
        The bytes of the message, where MPI takes them from or puts them.
    copies : list of (ndarray, ndarray)
        Pieces of the buffer (or of a packet's staging) with the views of fields that belong to them.
    packets : list of Packet
        The fields that travel in a narrower format.
    stagings : list of (device array, ndarray)
        What is packed on a device, and the pinned memory of the host that it travels through; none for fields of the
        host, and none if MPI takes memory of the device.
    formats : tuple of str
        The format in which each field travels.
    sizes : tuple of int
        The bytes of each field's part.
    narrow_parts : list of ndarray
        The numbers of fields with fewer than 64 bits, as they travel.
    """

    rank: int
    buffer: Any
    copies: list[tuple[NDArray, NDArray]]
    packets: list[Packet]
    stagings: list[tuple[Any, NDArray]]
    formats: tuple[str, ...]
    sizes: tuple[int, ...]
    narrow_parts: list[NDArray]


def lay_out(
    rank: int, boxes: list[tuple[Range, ...]], fields: Sequence[Field], narrow: Format | None, transport: Transport
) -> Message:
    """Lay out a message: for each field in turn its cells in each box; all fields lie on one device, or on the host."""
    cells = sum(math.prod(last - first for first, last in box) for box in boxes)
    travels = [_travel_format(field, narrow) for field in fields]
    sizes = tuple(_part_bytes(field, travel, cells) for field, travel in zip(fields, travels, strict=True))
    device = fields[0].device
    # What the host has to look at goes through its memory.
    direct = device is not None and device.direct and all(t is f.format for t, f in zip(travels, fields, strict=True))
    direct = direct and not transport.checked and transport.faults is None
    buffer = _bytes(device, sum(sizes) + TRAILER_BYTES * transport.checked, direct)
    copies, packets, stagings, parts = [], [], [], []
    for field, travel, size, end in zip(fields, travels, sizes, itertools.accumulate(sizes), strict=True):
        part = buffer[end - size : end]
        if travel is field.format:
            staging = part[: cells * travel.itemsize].view(travel.storage)
            parts += [staging] * (travel.bits < 64)
        else:
            staging = np.zeros(cells, field.format.storage)
            payload = part[8 : 8 + cells * travel.itemsize].view(travel.storage)
            packets.append(Packet(field.format, travel, staging, part[:8].view(np.int64), payload))
        if device is not None and not direct:
            packed = device.zeros((cells,), field.format.storage)
            stagings.append((packed, staging))
            staging = packed
        copies.extend(_pieces(staging, [view(field, box) for box in boxes]))
    return Message(rank, buffer, copies, packets, stagings, tuple(travel.name for travel in travels), sizes, parts)


def _bytes(device: Any, size: int, direct: bool) -> Any:
    """Return the bytes of a message, in pinned memory if a device copies to and from them."""
    if device is None:
        return np.zeros(size, np.uint8)
    return device.zeros((size,), np.dtype(np.uint8)) if direct else device.pinned(size)


def _travel_format(field: Field, narrow: Format | None) -> Format:
    """Return the format in which a field travels: its own unless the other one saves bytes."""
    return narrow if narrow is not None and narrow.itemsize < field.format.itemsize else field.format


def _part_bytes(field: Field, travel: Format, cells: int) -> int:
    """Return the bytes of a field's part of a message, with the scale before it if it has one."""
    size = cells * travel.itemsize + (0 if travel is field.format else 8)
    return -(-size // ALIGNMENT_BYTES) * ALIGNMENT_BYTES


def _pieces(staging: Any, views: list) -> Iterator[tuple[Any, Any]]:
    """Cut a flat array into pieces of the shapes of the views, in their order."""
    first = 0
    for view in views:
        yield staging[first : first + view.size].reshape(view.shape), view
        first += view.size


def view(field: Field, box: Sequence[Range]) -> Any:
    """Return the view of a field's storage at ranges of interior coordinates."""
    return field.region(tuple(first for first, _ in box), tuple(last for _, last in box))
