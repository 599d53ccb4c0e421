"""Speeds of memory and messages between ranks."""

import pytest

from mpsolve.parallel import stream
from mpsolve.projection import rank_speeds

pytestmark = pytest.mark.ranks


def test_memory_and_messages_have_speeds(comm, monkeypatch):
    monkeypatch.setattr(stream, "ARRAY_BYTES", 1 << 20)
    monkeypatch.setattr(stream, "LEAST_BYTES", 1 << 18)
    monkeypatch.setattr(rank_speeds, "ROUNDS_SMALL", 20)
    monkeypatch.setattr(rank_speeds, "ROUNDS_LARGE", 2)
    found = rank_speeds.stream(comm)
    if comm.size > 1:
        found |= rank_speeds.messages(comm)
        # A message of 4 MiB takes longer than one of 8 bytes, on any machine.
        assert rank_speeds.LARGE_BYTES / found["message_bytes_per_s"] > found["latency_s"]
    assert all(0 < value < float("inf") for value in found.values())
