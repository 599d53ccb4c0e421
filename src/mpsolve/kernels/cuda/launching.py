"""How many blocks and threads a launch has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mpsolve.kernels.cuda.devices.base import Device

#: The most blocks of a launch along its axes (CUDA C++ Programming Guide, technical specifications).
MOST_BLOCKS = (2**31 - 1, 65535, 65535)


def launch_size(device: Device, lo: Sequence[int], hi: Sequence[int], sums: bool) -> tuple[tuple, tuple]:
    """Return blocks and threads of a launch over a box, the last axis of the grid first.

    Threads go over the cells in steps of the whole launch, so that any number of blocks will do: for sums, few.
    """
    sizes = [max(stop - start, 1) for start, stop in zip(reversed(lo), reversed(hi), strict=True)]
    block = device.block[: len(sizes)]
    grid = [min(-(-n // b), most) for n, b, most in zip(sizes, block, MOST_BLOCKS, strict=False)]
    for axis in reversed(range(len(grid))):
        others = int(np.prod(grid[:axis]))
        if sums:
            grid[axis] = max(1, min(grid[axis], device.most_blocks // max(others, 1)))
    return tuple(grid), tuple(block)
