"""How often a counter is updated: found out by watching it."""

import time
from collections.abc import Callable

from mpsolve.errors import BackendUnavailable

#: Counters of cards move at least this often; published periods are from 1 to 100 ms.
LONGEST_PERIOD_S = 1.0


def measured_period_s(joules: Callable[[], float], label: str) -> float:
    """Return the time between two updates of a counter, from three of them; an idle card's counter moves too.

    Raises
    ------
    BackendUnavailable
        If it stands still.
    """
    last, changes, begin = joules(), [], time.perf_counter()
    while len(changes) < 3:
        if time.perf_counter() - begin > 3 * LONGEST_PERIOD_S:
            raise BackendUnavailable(f"the energy counter of {label} did not move within {3 * LONGEST_PERIOD_S:g} s")
        now = joules()
        if now != last:
            changes.append(time.perf_counter())
            last = now
    return max(changes[1] - changes[0], changes[2] - changes[1])
