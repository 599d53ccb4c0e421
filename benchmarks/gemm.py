"""Matrix products of every entry of gemm in every format, square and as LU updates, against FP64 by MKL and the peak.

Operands are prepared in every product, as LU does. The peak is that of the vector arithmetic a format can be computed
in, BF16, FP32 or FP64, measured in registers beside the products; matrix units may pass it.
"""

import statistics
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version

import numpy as np
from run import in_turn

from mpsolve import lookup
from mpsolve.errors import BackendUnavailable
from mpsolve.precision import get_format

FORMATS = ("fp64", "fp32", "tf32", "bf16", "fp16", "fp8_e4m3", "fp8_e5m2")
INTEGERS = "int8"
BASE = "mkl fp64"
#: Sides of square products; side of C and inner sizes of updates.
SQUARE, SIDE, INNER = (2048, 4096), 8192, (128, 256, 512, 1024)
QUICK_SQUARE, QUICK_SIDE, QUICK_INNER = (256,), 512, (128,)
#: Rounds of the loop in registers: some milliseconds.
PEAK_ROUNDS = 1 << 18


def gemms(threads: int) -> tuple[dict, dict[str, str]]:
    """Return the products of every entry and format that work, and why the others do not."""
    found, reasons = {}, {}
    for entry in lookup.names("gemm"):
        for name in FORMATS:
            try:
                if name in lookup.find("gemm", entry).FORMATS:
                    found[f"{entry} {name}"] = lookup.find("gemm", entry).create(get_format(name), threads)
            except BackendUnavailable as problem:
                reasons[f"{entry} {name}"] = str(problem)
    return found, reasons


def peak_kind(name: str) -> str:
    """Return the fastest vector arithmetic in which numbers of a format can be multiplied here."""
    from mpsolve.kernels.hardware import features

    if name == "fp64":
        return "fp64"
    narrow = name in ("bf16", "fp8_e4m3", "fp8_e5m2") and features().get("avx512bf16", False)
    return "bf16" if narrow else "fp32"


def peak_jobs(threads: int) -> dict[str, Callable]:
    """Return the loops in registers, on all threads at once; none without AVX-512."""
    try:
        from mpsolve.kernels import register_peak
        from mpsolve.kernels.hardware import features
    except ImportError:
        return {}
    if not features().get("avx512f", False):
        return {}
    pool, jobs = ThreadPoolExecutor(threads), {}
    for kind in sorted({peak_kind(name) for name in FORMATS}):
        kernel = register_peak.spin(kind)
        jobs[f"peak {kind}"] = lambda kernel=kernel: list(pool.map(lambda _: kernel(PEAK_ROUNDS, 0.0), range(threads)))
    return jobs


def product_jobs(found: dict, shape: tuple[int, int, int], threads: int) -> Iterator[tuple[str, Callable]]:
    """Yield the products of one shape; all that are of one format share operands and C."""
    (m, k, n), made = shape, {}
    for name, gemm in found.items():
        if gemm.format.name not in made:
            rng, kind = np.random.default_rng(0), gemm.result
            operands = [gemm.format.encode(rng.uniform(-1, 1, part).astype(kind)) for part in ((m, k), (k, n))]
            made.setdefault(kind.name, np.zeros((m, n), kind))
            made[gemm.format.name] = (made[kind.name], *operands)
        yield name, _update(gemm, *made[gemm.format.name])
    yield from integer_jobs(shape, threads)


def _update(gemm, c, left, right) -> Callable:
    return lambda: gemm.subtract(c, gemm.left(left), gemm.right(right))


def integer_jobs(shape: tuple[int, int, int], threads: int) -> Iterator[tuple[str, Callable]]:
    """Yield MKL's product of integers, if it works."""
    from mpsolve.gemm import mkl

    (m, k, n), rng = shape, np.random.default_rng(0)
    left = rng.integers(-128, 128, (m, k)).astype(np.int8)
    right = rng.integers(0, 256, (k, n)).astype(np.uint8)
    try:
        mkl.integer_product(left[:1, :1], right[:1, :1])
    except BackendUnavailable:
        return
    yield f"mkl {INTEGERS}", lambda: mkl.integer_product(left, right, threads)


def rows_of(seconds: dict[str, list[float]], shape: tuple[int, int, int], threads: int) -> list[dict]:
    """Return a row for each product; ratios are those of the medians."""
    (m, k, n), rows, peaks = shape, [], peak_rates(seconds, threads)
    flops = 2 * m * k * n
    base = flops / statistics.median(seconds[BASE]) if BASE in seconds else None
    for job, timed in seconds.items():
        entry, _, name = job.partition(" ")
        if entry in ("peak", "disturbed"):
            continue
        rate = flops / statistics.median(timed)
        peak = peaks.get(peak_kind(name)) if name != INTEGERS else None
        rows.append(
            {
                "threads": threads,
                "m": m,
                "k": k,
                "n": n,
                "format": name,
                "entry": entry,
                "GFLOP_per_s": rate / 1e9,
                "least": flops / max(timed) / 1e9,
                "greatest": flops / min(timed) / 1e9,
                "of_mkl_fp64": rate / base if base else None,
                "of_peak": rate / peak if peak else None,
                "disturbed": int(seconds["disturbed"][0]),
            }
        )
    return rows


def peak_rates(seconds: dict[str, list[float]], threads: int) -> dict[str, float]:
    """Return the flops per second of each loop in registers."""
    timed = {job.split()[1]: statistics.median(each) for job, each in seconds.items() if job.startswith("peak ")}
    if not timed:
        return {}
    from mpsolve.kernels.register_peak import FLOPS, SUMS

    return {kind: threads * PEAK_ROUNDS * SUMS * FLOPS[kind] / each for kind, each in timed.items()}


def measure(settings) -> dict:
    """Time everything; see the module."""
    square, side, inner = (QUICK_SQUARE, QUICK_SIDE, QUICK_INNER) if settings.quick else (SQUARE, SIDE, INNER)
    shapes = [(n, n, n) for n in square] + [(side, k, side) for k in inner]
    found, summary = gemms(settings.threads)
    rows, peaks = [], peak_jobs(settings.threads)
    for shape in shapes:
        jobs = peaks | dict(product_jobs(found, shape, settings.threads))
        seconds = in_turn(jobs, 1 if settings.quick else settings.rounds)
        rows += rows_of(seconds, shape, settings.threads)
    for kind, rate in peak_rates(seconds, settings.threads).items():
        summary[f"peak_{kind}_GFLOP_per_s"] = rate / 1e9
    try:
        summary["mkl_version"] = version("mkl")
    except PackageNotFoundError:
        summary["mkl_version"] = "none"
    return {"rows": rows, "summary": summary}
