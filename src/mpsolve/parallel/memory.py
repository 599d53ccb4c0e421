"""Memory that is free on a node, asked before anything large is allocated, and what a computation then took."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mpsolve.errors import ShapeError

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm

GIBIBYTE = 2**30


def free_bytes(root: Path = Path("/")) -> int | None:
    """Return the bytes that programs can still take on this node, with the limit of a container; None if unknown."""
    free = [_available(root), *_below_limit(root)]
    known = [number for number in free if number is not None]
    return max(min(known), 0) if known else None


def _available(root: Path) -> int | None:
    for line in _lines(root / "proc/meminfo"):
        name, _, size = line.partition(":")
        if name == "MemAvailable" and size.split()[:1] and size.split()[0].isdecimal():
            return int(size.split()[0]) * 1024
    return None


def _below_limit(root: Path) -> list[int]:
    """Return what is left below the limit of this process's control group (version 2), if there is one."""
    own = [line[4:] for line in _lines(root / "proc/self/cgroup") if line.startswith("0::/")]
    folder = root / "sys/fs/cgroup" / (own[0] if own else "")
    limit, used = ("".join(_lines(folder / name)) for name in ("memory.max", "memory.current"))
    return [int(limit) - int(used)] if limit.isdecimal() and used.isdecimal() else []


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(errors="replace").splitlines()
    except OSError:
        return []


def check_memory(comm: Intracomm, needed: int, what: str, free: int | None = None) -> None:
    """Refuse work that does not fit into the memory of some node (collective).

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm or Alone
        The ranks.
    needed : int
        Bytes that this rank is going to take.
    what : str
        What needs them, for the message.
    free : int, optional
        Bytes that this node has; asked of the system if left out.

    Raises
    ------
    ShapeError
        On every rank, with what is needed and what there is.
    """
    free = free_bytes() if free is None else free
    together = needed
    if comm.size > 1:
        from mpi4py import MPI

        node = comm.Split_type(MPI.COMM_TYPE_SHARED)
        together = node.allreduce(needed)
        node.Free()
    short = None if free is None or together <= free else (together, free)
    for rank, lack in enumerate(comm.allgather(short)):
        if lack is not None:
            where = f" on the node of rank {rank}" if comm.size > 1 else ""
            raise ShapeError(
                f"{what} needs {lack[0] / GIBIBYTE:.3g} GiB{where}, but {lack[1] / GIBIBYTE:.3g} GiB are free; "
                "take a smaller one, or more nodes"
            )


class PeakMemory:
    """The growth of this process's memory from now on.

    Parameters
    ----------
    root : Path
        Where the system's files are.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self._process = root / "proc/self"
        self._before = self._read("VmRSS")
        self.forget_peak()

    def forget_peak(self) -> None:
        """Let the peak begin again at what is taken now, after other work that took more for a while."""
        with suppress(OSError):
            (self._process / "clear_refs").write_text("5")

    def growth(self) -> int | None:
        """Return the most bytes that were taken since, beyond those at the start; None where the system cannot tell."""
        peak = self._read("VmHWM")
        return None if peak is None or self._before is None else max(peak - self._before, 0)

    def _read(self, wanted: str) -> int | None:
        for line in _lines(self._process / "status"):
            name, _, size = line.partition(":")
            if name == wanted and size.split()[:1] and size.split()[0].isdecimal():
                return int(size.split()[0]) * 1024
        return None


def total_growth(comm: Intracomm, memory: PeakMemory) -> int | None:
    """Return the growth of all ranks together, None if some rank cannot tell (collective)."""
    grown = comm.allgather(memory.growth())
    return None if None in grown else sum(grown)
