"""Speeds of memory and messages between ranks."""

import pytest

from mpsolve.projection import rank_speeds

pytestmark = pytest.mark.ranks


def test_memory_and_messages_have_speeds(comm, monkeypatch):
    monkeypatch.setattr(rank_speeds, "ARRAY_BYTES", 1 << 20)
    monkeypatch.setattr(rank_speeds, "ROUNDS_SMALL", 20)
    monkeypatch.setattr(rank_speeds, "ROUNDS_LARGE", 2)
    found = rank_speeds.stream(comm)
    if comm.size > 1:
        found |= rank_speeds.messages(comm)
        # A message of 4 MiB takes longer than one of 8 bytes, on any machine.
        assert rank_speeds.LARGE_BYTES / found["message_bytes_per_s"] > found["latency_s"]
    assert all(0 < value < float("inf") for value in found.values())


def test_a_triad_is_what_its_name_says():
    import numpy as np

    b, c = np.arange(40_000.0), np.ones(40_000)
    a = np.zeros_like(b)
    rank_speeds._triad(a, b, c)
    assert np.array_equal(a, b + 3.0)
