"""Free memory, as the system and the container have it, and the refusal of what does not fit."""

import contextlib
import mmap

import pytest

from mpsolve.errors import ShapeError
from mpsolve.parallel.memory import PeakMemory, check_memory, free_bytes, total_growth

GIBIBYTE = 2**30
#: Bytes that are taken to see whether they are counted.
SIZE = 1 << 27


@pytest.fixture
def system(tmp_path):
    """Return a function that writes the files in which Linux tells about memory."""

    def write(available_kb=None, limit=None, used=None):
        (tmp_path / "proc" / "self").mkdir(parents=True)
        (tmp_path / "sys/fs/cgroup/job").mkdir(parents=True)
        (tmp_path / "proc/self/cgroup").write_text("0::/job\n")
        if available_kb is not None:
            (tmp_path / "proc/meminfo").write_text(f"MemTotal: 99 kB\nMemAvailable: {available_kb} kB\n")
        if limit is not None:
            (tmp_path / "sys/fs/cgroup/job/memory.max").write_text(f"{limit}\n")
            (tmp_path / "sys/fs/cgroup/job/memory.current").write_text(f"{used}\n")
        return tmp_path

    return write


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ({"available_kb": 4096}, 4096 * 1024),
        ({"available_kb": 4096, "limit": 1000, "used": 400}, 600),
        ({"available_kb": 1, "limit": 10**9, "used": 0}, 1024),
        ({"available_kb": 4096, "limit": "max", "used": 400}, 4096 * 1024),
        ({"available_kb": 4096, "limit": 100, "used": 400}, 0),
        ({}, None),
    ],
)
def test_the_tightest_limit_counts(system, files, wanted):
    assert free_bytes(system(**files)) == wanted


@pytest.mark.ranks
def test_what_fits_is_accepted(comm):
    check_memory(comm, GIBIBYTE, "a test", free=comm.size * GIBIBYTE)


@pytest.mark.ranks
def test_what_all_ranks_of_a_node_need_together_must_fit(comm):
    with pytest.raises(ShapeError, match=rf"a test needs {comm.size} GiB.*{comm.size - 0.5:.3g} GiB are free"):
        check_memory(comm, GIBIBYTE, "a test", free=int((comm.size - 0.5) * GIBIBYTE))


@pytest.mark.ranks
def test_every_rank_learns_that_one_node_is_too_small(comm):
    if comm.size == 1:
        free = 1
    else:
        free = 10**12 if comm.rank else 1
    with pytest.raises(ShapeError, match="needs"):
        check_memory(comm, GIBIBYTE, "a test", free=free)


@pytest.mark.ranks
def test_memory_that_is_not_known_is_no_reason_to_refuse(comm, monkeypatch):
    monkeypatch.setattr("mpsolve.parallel.memory.free_bytes", lambda: None)
    check_memory(comm, 10**18, "a test")


@contextlib.contextmanager
def taken(size):
    """Take and touch memory straight from the system: NumPy may be given some that the process had before."""
    with mmap.mmap(-1, size) as pages:
        pages[::4096] = bytes(size // 4096)
        yield


def test_the_growth_is_what_was_touched_since():
    memory = PeakMemory()
    if memory.growth() is None:
        pytest.skip("this system does not tell")
    with taken(3 * SIZE):
        pass
    before = memory.growth()
    memory.forget_peak()
    with taken(SIZE):
        after = memory.growth()
    # The system counts pages in batches.
    assert before >= 2.9 * SIZE
    assert 0.9 * SIZE <= after <= 1.5 * SIZE


def test_a_system_that_does_not_tell_is_no_zero(tmp_path):
    assert PeakMemory(tmp_path).growth() is None


@pytest.mark.ranks
def test_the_growth_of_all_ranks_is_added(comm, monkeypatch):
    memory = PeakMemory()
    monkeypatch.setattr(memory, "growth", lambda: 10 + comm.rank)
    assert total_growth(comm, memory) == sum(10 + rank for rank in range(comm.size))
    monkeypatch.setattr(memory, "growth", lambda: None if comm.rank == 0 else 1)
    assert total_growth(comm, memory) is None
