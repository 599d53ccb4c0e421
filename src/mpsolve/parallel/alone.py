"""One process as a communicator, for programs that do not use MPI."""

from __future__ import annotations

from typing import TypeVar

Value = TypeVar("Value")


class Alone:
    """Stands for the communicator of one process; MPI is not started.

    It answers what is asked before a message is sent: `rank`, `size`, the barrier, and collectives on Python objects.
    """

    rank, size = 0, 1

    def Barrier(self) -> None:  # noqa: N802
        """Return at once: there is nobody to wait for."""

    def bcast(self, value: Value, root: int = 0) -> Value:
        """Return the value."""
        return value

    def allgather(self, value: Value) -> list[Value]:
        """Return the value in a list."""
        return [value]
