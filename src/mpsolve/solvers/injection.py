"""Flipped bits in low-precision arrays, on purpose: to see that FP64 refinement repairs them or says that it cannot."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpsolve.errors import ConfigError
from mpsolve.field import Field

KIND = "bitflip"


@dataclass(eq=False)
class BitFlips:
    """Flips bits at random.

    Attributes
    ----------
    rate : float
        Mean number of flips for each number of an array that is struck, each in any of its bits.
    seed : int
        Of this rank.
    flipped : int
        Flips so far.
    """

    rate: float
    seed: int = 0
    flipped: int = 0
    _random: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(self.seed)

    def moment(self, steps: int) -> int:
        """Return one of so many steps, counted from 1, at random."""
        return int(self._random.integers(1, steps + 1))

    def strike(self, target: Field) -> None:
        """Flip bits of a field's interior, in place (local)."""
        stored = np.ascontiguousarray(target.read())
        if self.strike_array(stored):
            target.write(stored)

    def strike_array(self, stored: NDArray[Any]) -> int:
        """Flip bits of a C-contiguous array, in place; return how many."""
        count = int(self._random.poisson(self.rate * stored.size))
        if not count:
            return 0
        words = stored.reshape(-1).view(np.dtype(f"u{stored.itemsize}"))
        places = self._random.integers(0, words.size, count)
        bits = self._random.integers(0, 8 * stored.itemsize, count)
        for place, bit in zip(places, bits, strict=True):
            words[place] ^= words.dtype.type(1 << int(bit))
        self.flipped += count
        return count


def flips_of(text: str, seed: int) -> BitFlips | None:
    """Return what ``--inject`` asks for, None if it is empty.

    Raises
    ------
    ConfigError
        If it is not ``bitflip:RATE`` with a rate from 0 to 1.

    Examples
    --------
    >>> flips_of("bitflip:1e-6", 0).rate
    1e-06
    """
    if not text:
        return None
    kind, _, given = text.partition(":")
    try:
        rate = float(given)
    except ValueError:
        rate = -1.0
    if kind != KIND or not 0 <= rate <= 1:
        raise ConfigError(f"run.inject = {text!r}: must be bitflip:RATE with a rate from 0 to 1, such as bitflip:1e-6")
    return BitFlips(rate, seed)
