"""Which products are the fastest for a format on this processor: found out by measuring."""

from dataclasses import dataclass
from functools import cache
from time import perf_counter, process_time, sleep

import numpy as np

from mpsolve import lookup
from mpsolve.errors import BackendUnavailable, FormatError
from mpsolve.gemm.base import Gemm
from mpsolve.precision import get_format

#: Inner size of the products.
INNER = 256
#: Fewest products, and least time that they take together: the work of other threads is counted in ticks of 4 or 10 ms.
REPEATS, LEAST_S = 4, 0.05
#: Length and number of the looks at whether all threads rest: some libraries let theirs spin for 200 ms.
LOOK_S, LOOKS = 0.02, 15
#: Part of the best rate that an entry whose threads run anyway may have.
WORTH_MIXING = 0.7


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


def rate(gemm: Gemm, inner: int = INNER, side: int = 0) -> float:
    """Return the flops per second of ``C -= L R``, C square, with this inner size, operands prepared each time.

    A library that takes more cores than it was given is charged for them: on other ranks they are not idle. A side of 0
    stands for that of the products.
    """
    side = side or gemm.side
    rng = np.random.default_rng(0)
    left = gemm.held(gemm.format.encode(rng.uniform(-1, 1, (side, inner)).astype(gemm.result)))
    right = gemm.held(gemm.format.encode(rng.uniform(-1, 1, (inner, side)).astype(gemm.result)))
    c = gemm.held(np.zeros((side, side), gemm.result))
    # The first product starts threads and touches memory.
    gemm.subtract(c, gemm.left(left), gemm.right(right))
    gemm.finish()
    _rest()
    seconds, busy = [], process_time()
    while len(seconds) < REPEATS or sum(seconds) < LEAST_S:
        start = perf_counter()
        gemm.subtract(c, gemm.left(left), gemm.right(right))
        gemm.finish()
        seconds.append(perf_counter() - start)
    cores = (process_time() - busy) / sum(seconds)
    return 2 * side * side * inner / (min(seconds) * max(1.0, cores / gemm.threads))


def _rest() -> None:
    """Wait until the threads that earlier products left spinning have gone to sleep."""
    for _ in range(LOOKS):
        busy = process_time()
        sleep(LOOK_S)
        if process_time() - busy < LOOK_S / 4:
            return


@cache
def measure(format_name: str, threads: int, *, inner: int = INNER) -> tuple[Measured, ...]:
    """Time every entry that takes NumPy arrays of a format; the fastest first, those that do not work last."""
    found = []
    for name in lookup.names("gemm"):
        if getattr(lookup.find("gemm", name), "ON_DEVICE", False):
            found.append(Measured(name, None, "it multiplies arrays of a card, which the backend cuda asks it to"))
            continue
        try:
            found.append(Measured(name, rate(choose(format_name, threads, name), inner)))
        except (BackendUnavailable, FormatError) as problem:
            found.append(Measured(name, None, str(problem)))
    return tuple(sorted(found, key=lambda one: -(one.flops_per_s or 0.0)))


def fastest(format_name: str, threads: int, beside: str = "") -> str:
    """Return the name of the fastest entry for a format.

    Parameters
    ----------
    format_name : str
        The format.
    threads : int
        Cores that a product may use.
    beside : str
        The entry of products in another format that take turns with these: it is preferred unless it is slower by more
        than `WORTH_MIXING`, since the threads of one library get in the way of another's.
    """
    found = measure(format_name, threads)
    best = found[0].flops_per_s or 0.0
    near = [one.name for one in found if (one.flops_per_s or 0.0) >= WORTH_MIXING * best]
    return beside if beside in near else found[0].name


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
    name = fastest(format_name, threads) if wanted == "auto" else wanted
    entry = lookup.find("gemm", name)
    if format_name not in entry.FORMATS:
        raise FormatError(f"gemm {name!r} has no products in {format_name}; it has {', '.join(entry.FORMATS)}")
    return entry.create(format, threads)
