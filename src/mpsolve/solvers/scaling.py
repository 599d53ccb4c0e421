"""Powers of two that bring numbers into the range of a narrow format without rounding them."""

import math


def to_unit(largest: float) -> float:
    """Return the power of two that brings ``largest`` to between 1/2 and 1; 1 for zero.

    Examples
    --------
    >>> to_unit(1000.0) * 1000.0
    0.9765625
    """
    if largest == 0.0 or not math.isfinite(largest):
        return 1.0
    # Beyond these the power itself would overflow or be subnormal.
    return 2.0 ** max(-1000, min(1000, -math.frexp(largest)[1]))
