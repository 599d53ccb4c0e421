"""The kernels of a multigrid cycle on its finest grid, a uniform operator: bytes per second over those of a copy.

Threads of one process share the rows. Counted are the fields that a kernel has to read and write, each once; the copy
is that of an FP64 field, in the same run. A kernel that is not limited by memory stays below 1.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from run import in_turn, show

FORMATS = ("fp64", "fp32", "bf16", "fp16")
SHAPES = ((4097, 4097), (257, 257, 257))
QUICK = ((65, 65), (17, 17, 17))
LENGTHS = (0.5, 0.6, 0.8, 1.0)


def jobs(shape: tuple[int, ...], name: str, threads: int) -> dict[str, tuple[Callable[[], object], float]]:
    """Return the kernels of one format, and how many numbers each moves for a fine cell."""
    from mpsolve import lookup
    from mpsolve.field import Field
    from mpsolve.kernels.transfers.layout import Correction, Overlay
    from mpsolve.precision import get_format
    from mpsolve.solvers.multigrid import relaxation
    from mpsolve.solvers.multigrid.levels import GHOSTS

    axes, format, rng = len(shape), get_format(name), np.random.default_rng(0)
    backend = lookup.find("backends", "cpu").create(threads)
    u, other, b = (Field.zeros(shape, GHOSTS, format).set(rng.uniform(-1, 1, shape)) for _ in range(3))
    coarse_shape = tuple((n + 1) // 2 for n in shape)
    coarse = Field.zeros(coarse_shape, GHOSTS, format).set(rng.uniform(-1, 1, coarse_shape))
    below, overlay = coarse.like(), Overlay((True,) * axes, (0,) * axes)

    def vectors(value: float) -> list[np.ndarray]:
        return [np.full(n + 1, value, format.compute) for n in u.storage.shape]

    operator = [vector for axis in range(axes) for vector in [vectors(0.5 / axes)[axis]] * 2]
    inverse, quarter, half = vectors(0.9), vectors(0.25), vectors(0.5)
    point, inside = relaxation.SWEEPS[axes, relaxation.UNIFORM], tuple((0, n) for n in shape)
    residual, along = relaxation.RESIDUALS[axes, relaxation.UNIFORM], (2 * axes - 1, 2 * axes, 3 * axes)
    carried = Correction(coarse, overlay, quarter, inside)

    def steps(source: Field | None) -> Callable[[], object]:
        inputs = [b, *operator, *inverse]
        launch = backend.bind_steps(point, other, source, inputs, along=along, correction=carried)
        return lambda: launch(1e-3, *LENGTHS)

    restriction = backend.bind_restriction(residual, below, [u, b, *operator], overlay, half)
    given = backend.bind_restriction(relaxation.given, below, [b], overlay, half)
    sweep = backend.bind(point, [other], [u, b, *operator, *inverse])
    part = 0.5**axes
    return {
        "residual and restriction": (lambda: restriction(1e-3), 2 + part),
        "restriction of a zero guess's residual": (given, 1 + part),
        "correction and 4 steps": (steps(u), 3 + part),
        "correction and 4 steps, from zero": (steps(None), 2 + part),
        "one step": (lambda: sweep(1e-3, 0.5), 3),
    }


def copy(shape: tuple[int, ...], threads: int) -> Callable[[], object]:
    """Return a copy of an FP64 array, its rows shared by threads."""
    target, source = np.zeros(shape), np.ones(shape)
    pool = ThreadPoolExecutor(threads)
    parts = list(zip(np.array_split(target, threads), np.array_split(source, threads), strict=True))
    return lambda: list(pool.map(lambda pair: np.copyto(*pair), parts))


def measure(settings) -> dict:
    """Time everything; see the module."""
    rows = []
    for shape in QUICK if settings.quick else SHAPES:
        cells = math.prod(shape)
        for name in FORMATS:
            made = jobs(shape, name, settings.threads)
            timed = {kernel: job for kernel, (job, _) in made.items()}
            seconds = in_turn({"copy": copy(shape, settings.threads)} | timed, settings.rounds)
            rate = 16 * cells / statistics.median(seconds["copy"])
            itemsize = {"fp64": 8, "fp32": 4}.get(name, 2)
            found = [
                {
                    "cells": "x".join(map(str, shape)),
                    "format": name,
                    "kernel": kernel,
                    "ns_per_cell": statistics.median(seconds[kernel]) / cells * 1e9,
                    "over_copy": numbers * itemsize * cells / statistics.median(seconds[kernel]) / rate,
                    "copy_GB_per_s": rate / 1e9,
                    "disturbed": seconds["disturbed"][0],
                }
                for kernel, (_, numbers) in made.items()
            ]
            print(show(found), flush=True)
            rows += found
    return {"rows": rows}
