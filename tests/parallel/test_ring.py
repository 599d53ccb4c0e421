"""Broadcasts around a ring: from any root, of any size, several at a time, with work in between."""

import numpy as np
import pytest

from mpsolve.parallel import ring
from mpsolve.parallel.ring import RingBroadcast

pytestmark = pytest.mark.ranks


def filled(comm, root, size, kind=np.float32):
    return np.arange(size, dtype=kind) + root if comm.rank == root else np.zeros(size, kind)


@pytest.mark.parametrize("size", [0, 1, 7, 1000])
def test_every_rank_gets_what_the_root_has(comm, size, monkeypatch):
    monkeypatch.setattr(ring, "PIECE_BYTES", 64)
    for root in range(comm.size):
        buffer = filled(comm, root, size)
        broadcast = RingBroadcast(comm, root, buffer, 7)
        broadcast.finish()
        assert np.array_equal(buffer, np.arange(size, dtype=np.float32) + root)


def test_broadcasts_overlap_and_need_only_be_polled(comm, monkeypatch):
    monkeypatch.setattr(ring, "PIECE_BYTES", 128)
    roots = [root % comm.size for root in range(4)]
    buffers = [filled(comm, root, 300, np.float64) for root in roots]
    broadcasts = [
        RingBroadcast(comm, root, buffer, 10 + n) for n, (root, buffer) in enumerate(zip(roots, buffers, strict=True))
    ]
    while [broadcast for broadcast in broadcasts if not broadcast.poll()]:
        pass
    for broadcast in broadcasts:
        broadcast.finish()
    for root, buffer in zip(roots, buffers, strict=True):
        assert np.array_equal(buffer, np.arange(300.0) + root)


def test_every_rank_but_the_last_sends_once(comm):
    broadcast = RingBroadcast(comm, 0, filled(comm, 0, 100), 3)
    broadcast.finish()
    sent = comm.allgather((broadcast.messages, broadcast.message_bytes))
    assert sent == [(1, 400)] * (comm.size - 1) + [(0, 0)]


def test_polling_after_the_end_is_harmless(comm):
    broadcast = RingBroadcast(comm, 0, filled(comm, 0, 10), 3)
    broadcast.finish()
    assert broadcast.poll()
    broadcast.finish()
