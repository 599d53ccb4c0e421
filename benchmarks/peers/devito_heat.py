"""Devito: explicit 2-D heat, order 2 in space: seconds per step of each round, for FP64 and FP32, as a line of JSON.

``DEVITO_LANGUAGE=openmp OMP_NUM_THREADS=2 python devito_heat.py SIZE ROUNDS``
"""

import json
import sys
import time

import numpy as np
from devito import Eq, Grid, Operator, TimeFunction

STEPS = 20

size, rounds = int(sys.argv[1]), int(sys.argv[2])
seconds = {}
for dtype in (np.float64, np.float32):
    grid = Grid(shape=(size, size), extent=(1.0, 1.0), dtype=dtype)
    u = TimeFunction(name="u", grid=grid, space_order=2, time_order=1)
    u.data[:] = np.random.default_rng(0).random((size, size))
    step = Operator([Eq(u.forward, u + 0.2 * grid.spacing[0] ** 2 * u.laplace)])
    step(time_M=2)
    timed = []
    for _ in range(rounds):
        start = time.perf_counter()
        step(time_m=0, time_M=STEPS - 1)
        timed.append((time.perf_counter() - start) / STEPS)
    seconds[f"fp{8 * np.dtype(dtype).itemsize}"] = timed
print(json.dumps(seconds))
