"""How messages between ranks are looked after: their checksums, what is done about damage, faults on purpose."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mpsolve.errors import LaunchError
from mpsolve.parallel.waiting import complete

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm

#: Bytes of the checksum at the end of a message.
TRAILER_BYTES = 8
#: Times that a damaged message is sent again before the run is given up.
REPEATS = 8
VERDICT_TAG, REPEAT_TAG = 7210, 7211


class Faults(Protocol):
    """Flips bits, on purpose."""

    flipped: int

    def strike_array(self, stored: NDArray[Any]) -> int:
        """Flip bits of a C-contiguous array, in place; return how many."""
        ...


@dataclass(frozen=True, eq=False)
class Transport:
    """How the messages of a grid are looked after; the same on all ranks.

    Attributes
    ----------
    checked : bool
        Whether each message carries a checksum (CRC-32), and is sent again if it was damaged.
    faults : Faults or None
        Strikes the parts of messages whose fields have fewer than 64 bits.
    """

    checked: bool = False
    faults: Faults | None = None


class Delivered(Protocol):
    """A message that has arrived, or that was sent: see `mpsolve.parallel.halo_message.Message`."""

    @property
    def rank(self) -> int:
        """The other rank."""
        ...

    @property
    def buffer(self) -> Any:
        """The bytes, with the checksum at the end."""
        ...

    @property
    def narrow_parts(self) -> Sequence[NDArray]:
        """The parts of fields with fewer than 64 bits."""
        ...


def seal(message: Delivered) -> None:
    """Write the checksum of a message behind it."""
    message.buffer[-TRAILER_BYTES:].view(np.uint64)[0] = _checksum(message)


def _checksum(message: Delivered) -> int:
    return zlib.crc32(message.buffer[:-TRAILER_BYTES].data)


def strike(transport: Transport, incoming: Sequence[Delivered]) -> None:
    """Let faults strike messages that have arrived."""
    if transport.faults is not None:
        for message in incoming:
            for part in message.narrow_parts:
                transport.faults.strike_array(part)


def repair(
    comm: Intracomm, transport: Transport, outgoing: Sequence[Delivered], incoming: Sequence[Delivered]
) -> tuple[int, int]:
    """Send damaged messages again, until all are what was sent (collective among neighbours).

    Each pair of ranks tells each other whether what it got was whole; a pair that has something to repeat meets again.

    Returns
    -------
    messages, message_bytes : int
        What this rank sent again.

    Raises
    ------
    LaunchError
        If a message was damaged again and again; it names the two ranks.
    """
    sent, received = ({message.rank: message for message in given} for given in (outgoing, incoming))
    pairs, messages, message_bytes = sorted(set(sent) | set(received)), 0, 0
    for _ in range(REPEATS + 1):
        bad = {rank: rank in received and not _whole(received[rank]) for rank in pairs}
        wanted = _verdicts(comm, bad)
        pairs = [rank for rank in pairs if bad[rank] or wanted[rank]]
        if not pairs:
            return messages, message_bytes
        requests = [comm.Irecv(received[rank].buffer, rank, REPEAT_TAG) for rank in pairs if bad[rank]]
        again = [sent[rank] for rank in pairs if wanted[rank]]
        requests += [comm.Isend(message.buffer, message.rank, REPEAT_TAG) for message in again]
        complete(requests)
        messages, message_bytes = messages + len(again), message_bytes + sum(len(one.buffer) for one in again)
        strike(transport, [received[rank] for rank in pairs if bad[rank]])
    raise LaunchError(
        f"messages between rank {comm.rank} and rank {pairs[0]} were damaged {REPEATS + 1} times in a row: "
        "the network or the memory of one of their nodes is broken"
    )


def _whole(message: Delivered) -> bool:
    return int(message.buffer[-TRAILER_BYTES:].view(np.uint64)[0]) == _checksum(message)


def _verdicts(comm: Intracomm, bad: dict[int, bool]) -> dict[int, bool]:
    """Tell each rank whether its message was bad; return what each says about this rank's message."""
    theirs, mine = np.zeros(len(bad), np.uint8), np.array(list(bad.values()), np.uint8)
    requests = [comm.Irecv(theirs[place : place + 1], rank, VERDICT_TAG) for place, rank in enumerate(bad)]
    requests += [comm.Isend(mine[place : place + 1], rank, VERDICT_TAG) for place, rank in enumerate(bad)]
    complete(requests)
    return dict(zip(bad, map(bool, theirs), strict=True))
