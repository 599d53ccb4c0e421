"""Devito: explicit 2-D heat, order 2 in space, on request, so that it can be timed in turn with others.

``DEVITO_LANGUAGE=openmp OMP_NUM_THREADS=2 python devito_heat.py SIZE STEPS`` says "ready", then does STEPS steps for
each line "fp64" or "fp32" that it reads, and answers with the seconds that they took.
"""

import sys
import time

import numpy as np
from devito import Eq, Grid, Operator, TimeFunction

size, steps = int(sys.argv[1]), int(sys.argv[2])
operators = {}
for name, dtype in (("fp64", np.float64), ("fp32", np.float32)):
    grid = Grid(shape=(size, size), extent=(1.0, 1.0), dtype=dtype)
    u = TimeFunction(name="u", grid=grid, space_order=2, time_order=1)
    u.data[:] = np.random.default_rng(0).random((size, size))
    operators[name] = Operator([Eq(u.forward, u + 0.2 * grid.spacing[0] ** 2 * u.laplace)])
    operators[name](time_m=0, time_M=1)
print("ready", flush=True)
for line in sys.stdin:
    start = time.perf_counter()
    operators[line.strip()](time_m=0, time_M=steps - 1)
    print(time.perf_counter() - start, flush=True)
