"""The bandwidth that memory-bound work is held against."""

import numpy as np
import pytest

from mpsolve.parallel import stream

#: A megabyte a second would be a tape, a petabyte no memory at all.
SLOWEST, FASTEST = 1e6, 1e15


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(stream, "ARRAY_BYTES", 1 << 22)
    monkeypatch.setattr(stream, "LEAST_BYTES", 1 << 20)


@pytest.mark.ranks
@pytest.mark.parametrize("measure", [stream.copy_bandwidth, stream.triad_bandwidth])
def test_the_bandwidth_is_that_of_memory(comm, small, measure):
    assert SLOWEST < measure(comm) < FASTEST


def test_a_triad_is_what_its_name_says():
    b, c = np.arange(40_000.0), np.ones(40_000)
    a = np.zeros_like(b)
    stream.triad(a, b, c)
    assert np.array_equal(a, b + 3.0)
