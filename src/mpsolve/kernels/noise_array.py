"""Random bits for stochastic rounding with NumPy, bit-equal to the compiled `noise.random_bits`."""

import numpy as np
from numpy.typing import NDArray

#: Shifts and odd multipliers of the finaliser of MurmurHash3 (public domain).
STEPS = ((16, 0x85EBCA6B), (13, 0xC2B2AE35))
LAST_SHIFT = 16


def random_bits_array(key: int, number: int, starts: tuple[int, ...], shape: tuple[int, ...]) -> NDArray[np.uint32]:
    """Return the bits of `random_bits` for a box of global indices, with NumPy."""
    value = np.full((1,) * len(shape), (key + number) % 2**32, np.uint32)
    for axis, (start, length) in enumerate(zip(starts, shape, strict=True)):
        position = (np.arange(start, start + length) % 2**32).astype(np.uint32)
        value = value + position.reshape([-1 if other == axis else 1 for other in range(len(shape))])
        for shift, multiplier in STEPS:
            value = (value ^ (value >> np.uint32(shift))) * np.uint32(multiplier)
        value = value ^ (value >> np.uint32(LAST_SHIFT))
    return value
