"""What a step of the core sends between ranks: messages and bytes, on paper."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mpsolve.formats.base import Format
from mpsolve.models.shallow_water.method import TRIADS, Method


@dataclass(frozen=True)
class Traffic:
    """What one rank sends, as a mean over the ranks.

    Attributes
    ----------
    messages, bytes : float
        To other ranks.
    """

    messages: float
    bytes: float


def exchange_traffic(
    shape: tuple[int, int], ranks: tuple[int, int], periodic: bool, width: int, itemsizes: Sequence[int]
) -> Traffic:
    """Return the traffic of one exchange of ghosts with corners; parts of messages are not rounded to 8 bytes.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the whole grid; columns are periodic.
    ranks : tuple of int
        Ranks along the rows (P) and the columns (Q).
    periodic : bool
        Whether rows are periodic.
    width : int
        Ghost layers.
    itemsizes : sequence of int
        Bytes of a number of each field, as it travels.
    """
    (p, q), (rows, columns) = ranks, (n / m for n, m in zip(shape, ranks, strict=True))
    # The first and the last row of ranks have one neighbour across rows, unless rows are periodic.
    across = 1.0 if periodic else (p - 1) / p
    reached = min(p, 3) if periodic else (3 * p - 2) / p
    cells = 0.0
    if p > 1:
        cells += across * 2 * width * (columns + (2 * width if q == 1 else 0))
    if q > 1:
        cells += 2 * width * (rows + (2 * width if p == 1 and periodic else 0))
    if p > 1 and q > 1:
        cells += across * 4 * width**2
    return Traffic(reached * min(q, 3) - 1, cells * sum(itemsizes))


def step_traffic(
    shape: tuple[int, int],
    ranks: tuple[int, int],
    periodic: bool,
    method: Method,
    formats: Sequence[Format],
    split: bool,
) -> Traffic:
    """Return the traffic of a step.

    Parameters
    ----------
    shape, ranks, periodic
        As in `exchange_traffic`.
    method : Method
        How the core steps.
    formats : sequence of Format
        Of the state, of increments of the height, and of increments of the velocities.
    split : bool
        Whether stages are done in parts; see `mpsolve.models.shallow_water.passes.Place.split`.
    """
    width = 2 if method.fluxes in TRIADS or split else 1
    parts = [exchange_traffic(shape, ranks, periodic, width, sizes) for sizes in _exchanges(method, formats)]
    return Traffic(sum(part.messages for part in parts), sum(part.bytes for part in parts))


def _exchanges(method: Method, formats: Sequence[Format]) -> Iterator[list[int]]:
    """Yield the bytes of a number of each field, exchange by exchange."""
    state, height, velocity = (format.itemsize for format in formats)
    forward = any(stage.forward for stage in method.stages()) and not method.advection
    yield [state] * 3
    for stage in method.stages():
        if stage.source >= 0:
            # Heights that velocities were to feel have been exchanged.
            yield [velocity] * 2 if forward else [height, velocity, velocity]
        if stage.forward and not method.advection:
            yield [state if stage.target < 0 else height]
