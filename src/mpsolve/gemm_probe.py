"""Which products are the fastest for a format on this processor: found out by measuring."""

from dataclasses import dataclass
from functools import cache
from time import perf_counter

import numpy as np

from mpsolve import lookup
from mpsolve.errors import BackendUnavailable, FormatError
from mpsolve.gemm.base import Gemm
from mpsolve.precision import get_format

#: Side of the matrix that is updated, inner size, and how often: some tens of milliseconds.
SIDE, INNER, REPEATS = 768, 256, 3


@dataclass(frozen=True)
class Measured:
    """What one entry of ``gemm`` does here.

    Attributes
    ----------
    name : str
        The entry.
    flops_per_s : float or None
        Its rate; None if it does not work.
    reason : str
        Why not.
    """

    name: str
    flops_per_s: float | None
    reason: str = ""


def rate(gemm: Gemm, inner: int = INNER, side: int = SIDE) -> float:
    """Return the flops per second of ``C -= L R``, C square, with this inner size, operands prepared each time."""
    rng = np.random.default_rng(0)
    left = gemm.format.encode(rng.uniform(-1, 1, (side, inner)).astype(gemm.result))
    right = gemm.format.encode(rng.uniform(-1, 1, (inner, side)).astype(gemm.result))
    c, best = np.zeros((side, side), gemm.result), np.inf
    for _ in range(REPEATS + 1):
        start = perf_counter()
        gemm.subtract(c, gemm.left(left), gemm.right(right))
        best = min(best, perf_counter() - start)
    return 2 * side * side * inner / best


@cache
def measure(format_name: str, threads: int, *, inner: int = INNER) -> tuple[Measured, ...]:
    """Time every entry that takes a format; the fastest first, those that do not work last."""
    found = []
    for name in lookup.names("gemm"):
        try:
            found.append(Measured(name, rate(choose(format_name, threads, name), inner)))
        except (BackendUnavailable, FormatError) as problem:
            found.append(Measured(name, None, str(problem)))
    return tuple(sorted(found, key=lambda one: -(one.flops_per_s or 0.0)))


@cache
def choose(format_name: str, threads: int, wanted: str = "auto") -> Gemm:
    """Return the products of a format: the fastest that work here, or those of an entry.

    Raises
    ------
    UnknownNameError
        If there is no such format or entry.
    BackendUnavailable, FormatError
        If the entry does not work here, or does not take the format.
    """
    format = get_format(format_name)
    name = measure(format_name, threads)[0].name if wanted == "auto" else wanted
    entry = lookup.find("gemm", name)
    if format_name not in entry.FORMATS:
        raise FormatError(f"gemm {name!r} has no products in {format_name}; it has {', '.join(entry.FORMATS)}")
    return entry.create(format, threads)
