"""The accuracy of the shallow-water core: convergence to exact answers, rounding beside truncation by precision.

Each case is one run of ``mpsolve.apps.climate`` with ``--sweep``; what the rows tell is read from its records.
"""

import json
import math
import os
import shlex
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

#: The presets, and formats of increments with a state in FP32.
SWEEP = ("fp64", "fp32", "tf32", "bf16", "fp16", "fp8_e4m3", "fp8_e5m2", "fp32:fp32", "bf16:fp32", "fp16:fp32")
#: Problem, angle in degrees, days, rows and columns of the coarsest grid, and how many grids, each twice as fine.
CASES = (
    ("williamson1", 90, 12, (32, 64), 2),
    ("williamson2", 0, 5, (16, 32), 3),
    ("williamson2", 45, 5, (16, 32), 3),
    ("williamson2", 90, 5, (16, 32), 3),
    ("laeuter", 0, 1, (16, 32), 3),
    ("williamson5", 0, 15, (32, 64), 1),
    ("williamson6", 0, 14, (32, 64), 1),
    ("land", 0, 15, (32, 64), 1),
)
KEPT = (
    "error_l1", "error_l2", "error_linf", "truncation_error", "rounding_error", "rounding_over_truncation", "accepted",
    "mass_drift", "energy_drift", "enstrophy_drift", "steps", "dt_s",
)  # fmt: skip


def records(problem: str, degrees: int, days: float, shape: tuple[int, int], ranks: int) -> dict[str, dict]:
    """Run a case in every precision; return what each run's record says, by precision."""
    program = Path(sys.executable).parent / "mpirun"
    words = ("-m", "mpsolve.apps.climate", "--sweep", ",".join(SWEEP), "--set", f"climate.problem={problem}")
    words += ("--set", f"climate.shape=[{shape[0]},{shape[1]}]", "--set", f"climate.days={days}")
    words += ("--set", f"climate.angle_rad={math.radians(degrees)!r}")
    words += ("--set", "run.pictures=false", "--set", "run.fields=false")
    with tempfile.TemporaryDirectory() as folder:
        command = [str(program), "-n", str(ranks), sys.executable, *words, "--out", folder]
        result = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "NUMBA_NUM_THREADS": "1"})
        # 1: a precision did not get to the end, which its record tells.
        if result.returncode not in (0, 1):
            raise RuntimeError(f"{shlex.join(command)} failed: {result.stderr[-2000:]}")
        return {name: json.loads((Path(folder) / name.replace(":", "-") / "run.json").read_text()) for name in SWEEP}


def row(problem: str, degrees: int, shape: tuple[int, int], precision: str, record: dict) -> dict:
    """Return what a record says as a row; None where it has nothing to say."""
    found = record["results"]
    named = {"problem": problem, "degrees": degrees, "cells": f"{shape[0]}x{shape[1]}", "precision": precision}
    return named | {"status": record["status"]} | {key: found.get(key) for key in KEPT}


def orders(rows: list[dict]) -> dict[str, float]:
    """Return the orders of convergence of each problem with an answer, in FP64, from one grid to the next."""
    found = {}
    for problem, degrees in dict.fromkeys((one["problem"], one["degrees"]) for one in rows):
        mine = [
            one for one in rows
            if (one["problem"], one["degrees"], one["precision"]) == (problem, degrees, "fp64") and one["error_l2"]
        ]  # fmt: skip
        for coarse, fine in pairwise(mine):
            order = math.log2(coarse["error_l2"] / fine["error_l2"])
            found[f"order of {problem}, {degrees} degrees, {coarse['cells']} to {fine['cells']}"] = order
    return found


def worst(rows: list[dict]) -> dict[str, float | str]:
    """Return for each precision the largest part that rounding is of truncation, unless a run failed."""
    found: dict[str, float | str] = {}
    for name in SWEEP[1:]:
        mine = [one for one in rows if one["precision"] == name]
        ratios = [one["rounding_over_truncation"] for one in mine if one["rounding_over_truncation"] is not None]
        failed = sum(one["status"] != "ok" for one in mine)
        found[f"largest rounding over truncation, {name}"] = f"{failed} runs failed" if failed else max(ratios)
    return found


def measure(settings) -> dict:
    """Run every case on every grid."""
    rows = []
    for problem, degrees, days, (height, width), grids in CASES:
        for number in range(1 if settings.quick else grids):
            shape = (height << number, width << number)
            length = 0.05 if settings.quick else days
            found = records(problem, degrees, length, shape, settings.threads)
            rows += [row(problem, degrees, shape, name, record) for name, record in found.items()]
            print(f"{problem} {degrees} {shape}: done", file=sys.stderr, flush=True)
    return {"rows": rows, "summary": orders(rows) | worst(rows)}
