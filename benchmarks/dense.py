"""HPL-MxP in each format against MKL's dgesv and dsgesv: 2 threads of one rank, 2 ranks of one thread, and memory.

Every case is a process of its own, one after the other, round after round.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

#: Sizes, with the formats that are timed at each; the largest one takes the peers minutes.
CASES = {4096: ("fp64", "fp32", "fp16", "bf16"), 8192: ("fp64", "fp32", "fp16", "bf16"), 16384: ("fp32", "bf16")}
PEERS = ("dgesv", "dsgesv")
#: The formats whose rate on 2 ranks of 1 thread is compared with 1 rank of 2 threads.
ON_RANKS = ("bf16", "fp32")
FOLDER = Path(__file__).resolve().parent


def rate(n: int, seconds: float) -> float:
    """Return the GFLOP/s by the formula of HPL-MxP."""
    return (2 / 3 * n**3 + 3 / 2 * n**2) / seconds / 1e9


def ours(n: int, precision: str, ranks: int, threads: int) -> dict:
    """Run the app once; return its results."""
    launcher = [str(Path(sys.executable).parent / "mpirun"), "-n", str(ranks)] if ranks > 1 else []
    with tempfile.TemporaryDirectory() as folder:
        command = [*launcher, sys.executable, "-m", "mpsolve.apps.mxp", "--n", str(n), "--precision", precision]
        settings = ["--set", f"run.threads={threads}", "--set", "run.pictures=false", "--out", f"{folder}/run"]
        subprocess.run([*command, *settings], check=True, capture_output=True)
        record = json.loads((Path(folder) / "run" / "run.json").read_text())
    if not record["results"]["valid"]:
        raise RuntimeError(f"{precision} at {n} has no valid residual")
    return record["results"]


def peer(n: int, name: str, threads: int) -> dict:
    """Run a peer once; return its seconds."""
    command = [sys.executable, str(FOLDER / "peers" / "mkl_gesv.py"), str(n), str(threads), name]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def measure_size(n: int, formats: tuple[str, ...], settings) -> list[dict]:
    """Time all cases of a size in turn; return a row for each."""
    threads, found = settings.threads, {}
    cases = {("mkl", name, 1): lambda name=name: peer(n, name, threads) for name in PEERS}
    for name in formats:
        cases["mpsolve", name, 1] = lambda name=name: ours(n, name, 1, threads)
        if name in ON_RANKS and threads > 1:
            cases["mpsolve", name, threads] = lambda name=name: ours(n, name, threads, 1)
    for _ in range(min(settings.rounds, 3)):
        for case, run in cases.items():
            found.setdefault(case, []).append(run())
    return [row_of(n, case, runs, found, threads) for case, runs in found.items()]


def row_of(n: int, case: tuple, runs: list[dict], found: dict, threads: int) -> dict:
    """Return the row of a case: medians, and ratios of medians."""
    who, name, ranks = case
    seconds = statistics.median(run.get("seconds") or run["time_s"] for run in runs)
    base = statistics.median(run["seconds"] for run in found["mkl", "dgesv", 1])
    row = {
        "who": who, "what": name, "n": n, "ranks": ranks, "threads": threads if ranks == 1 else 1, "seconds": seconds,
        "GFLOP_per_s": rate(n, seconds), "over_dgesv": base / seconds,
    }  # fmt: skip
    if who == "mpsolve":
        best = min(runs, key=lambda run: abs(run["time_s"] - seconds))
        single = statistics.median(run["time_s"] for run in found["mpsolve", name, 1])
        row |= {
            "lu_GFLOP_per_s": best["lu_flops_per_s"] / 1e9, "block": best["block"], "of_threads": single / seconds,
            "refinements": best["refinements"], "hpl_mxp_residual": best["hpl_mxp_residual"],
            "memory_over_n2_bytes": best["peak_memory_bytes"] / n**2, "phases_s": best["phases_s"],
        }  # fmt: skip
    return row


def measure(settings) -> dict:
    """Time everything; see the module."""
    os.environ.pop("OMP_NUM_THREADS", None)
    cases = {512: CASES[4096]} if settings.quick else CASES
    rows = [row for n, formats in cases.items() for row in measure_size(n, formats, settings)]
    largest = max(cases)
    named = {(row["n"], row["what"], row["ranks"]): row for row in rows}
    summary = {f"bf16_over_dgesv_at_{n}": named[n, "bf16", 1]["over_dgesv"] for n in cases}
    summary |= {f"fp32_over_dgesv_at_{n}": named[n, "fp32", 1]["over_dgesv"] for n in cases}
    if settings.threads > 1:
        summary["ranks_over_threads"] = named[largest, "bf16", settings.threads]["of_threads"]
    summary["memory_over_n2_bytes"] = named[largest, "bf16", 1]["memory_over_n2_bytes"]
    return {"rows": rows, "summary": summary}
