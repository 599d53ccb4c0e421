"""The copy bandwidth that memory-bound work is held against."""

import pytest

from mpsolve.driver import stream


@pytest.mark.ranks
def test_the_bandwidth_is_that_of_memory(comm, monkeypatch):
    monkeypatch.setattr(stream, "ARRAY_BYTES", 1 << 22)
    monkeypatch.setattr(stream, "LEAST_BYTES", 1 << 20)
    # A megabyte a second would be a tape, a petabyte no memory at all.
    assert 1e6 < stream.copy_bandwidth(comm) < 1e15
