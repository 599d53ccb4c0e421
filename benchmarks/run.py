"""Run the benchmarks: ``python benchmarks/run.py [--out benchmarks/results] [--only NAME] [--devito PYTHON]
[--petsc COMMAND]``.

Every other file of this folder is a benchmark: it defines ``measure(settings)``, which returns a dict with ``rows`` (a
list of flat dicts), and what else is worth keeping. What the ratios compare is measured in alternation, in one run.
Timings that other processes disturb are repeated; the JSON says how many were kept although disturbed.
"""

import argparse
import importlib.util
import json
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter

FOLDER = Path(__file__).resolve().parent
#: Part of all cores that other processes may take during a timing.
DISTURBED = 0.03
#: Least length of a timing: what others take is known in ticks of 10 ms.
TIMING_S = 0.4


@dataclass(frozen=True)
class Settings:
    """What a benchmark is asked for.

    Attributes
    ----------
    threads : int
        Cores to use, as threads of one process or as ranks of one thread.
    rounds : int
        How often everything is timed, in turn.
    quick : bool
        Whether to use small arrays, only to see that everything runs.
    devito : str or None
        A Python interpreter that has Devito.
    petsc : str or None
        A command that runs Python with petsc4py on as many ranks.
    """

    threads: int
    rounds: int
    quick: bool = False
    devito: str | None = None
    petsc: str | None = None


def _ticks(pids: list[int]) -> tuple[int, int, int]:
    """Return the processor time that these processes, all processes, and all cores have spent since the start."""
    own = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        own += int(fields[11]) + int(fields[12])
    user, nice, system, idle, wait, *rest = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9])
    busy = user + nice + system + sum(rest)
    return own, busy, busy + idle + wait


def others_share(before: tuple[int, int, int], after: tuple[int, int, int]) -> float:
    """Return which part of all cores other processes took, less two ticks of 10 ms that the counters may be late."""
    own, busy, total = (b - a for a, b in zip(before, after, strict=True))
    return max(busy - own - 2, 0) / max(total, 1)


def _calls(job: Callable[[], object]) -> int:
    """Call a job twice and return how many calls take `TIMING_S`."""
    job()
    start = perf_counter()
    job()
    return int(TIMING_S / (perf_counter() - start)) + 1


def in_turn(
    jobs: dict[str, Callable[[], object]],
    rounds: int,
    *,
    pids: list[int] | None = None,
    patience_s: float = 240.0,
    agree: Callable[[int], int] = lambda verdict: verdict,
) -> dict[str, list[float]]:
    """Time the jobs one after the other, round after round, after two untimed calls; return the seconds of a call.

    A timing is the mean of as many calls as take `TIMING_S`. One during which other processes took more than
    `DISTURBED` of the cores is repeated in a later round, as long as the patience lasts. What is still missing then is
    filled with the fastest disturbed timings; their number is listed under "disturbed".

    Parameters
    ----------
    jobs : dict
        What to call, by name.
    rounds : int
        Timings wanted of each job.
    pids : list of int, optional
        The processes that do the work; by default this one.
    patience_s : float
        When to stop repeating.
    agree : callable
        Makes a verdict of rank 0 the verdict of all ranks.
    """
    calls = {name: agree(_calls(job)) for name, job in jobs.items()}
    pids, start = pids or [os.getpid()], perf_counter()
    clean: dict[str, list[float]] = {name: [] for name in jobs}
    spoilt: dict[str, list[float]] = {name: [] for name in jobs}
    while agree(any(len(kept) < rounds for kept in clean.values()) and perf_counter() - start < patience_s):
        for name, job in jobs.items():
            if agree(len(clean[name]) >= rounds):
                continue
            before, begin = _ticks(pids), perf_counter()
            for _ in range(calls[name]):
                job()
            seconds, after = (perf_counter() - begin) / calls[name], _ticks(pids)
            (clean if agree(others_share(before, after) <= DISTURBED) else spoilt)[name].append(seconds)
    missing = {name: rounds - len(kept) for name, kept in clean.items()}
    for name, count in missing.items():
        clean[name] += sorted(spoilt[name])[: max(count, 0)]
    clean["disturbed"] = [float(sum(max(count, 0) for count in missing.values()))]
    return clean


def processor() -> str:
    """Return the name of the processor."""
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else ():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def versions() -> dict[str, str]:
    """Return the versions of what decides the speed."""
    found = {"python": platform.python_version()}
    for name in ("numpy", "numba", "llvmlite", "mpi4py", "mpich"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def benchmarks() -> list[str]:
    """List the benchmark files."""
    return sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "run")


def load(name: str):
    """Import a benchmark file by its name."""
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def show(rows: list[dict]) -> str:
    """Return rows as a table with a column for each key."""
    keys = list(dict.fromkeys(key for row in rows for key in row))
    cells = [keys] + [[shown(row.get(key, "")) for key in keys] for row in rows]
    widths = [max(len(line[column]) for line in cells) for column in range(len(keys))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in cells)


def shown(value) -> str:
    """Return a value as text, numbers with three digits."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def context(settings: Settings) -> dict:
    """Return date, machine, versions, command and load of the machine when the run starts."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join(["python", *sys.argv]),
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "threads": settings.threads,
        "rounds": settings.rounds,
        "load_before": os.getloadavg()[0],
        "versions": versions(),
    }


def options(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=FOLDER / "results", help="folder of the JSON files")
    parser.add_argument("--only", choices=benchmarks(), help="run one benchmark")
    parser.add_argument("--devito", metavar="PYTHON", help="interpreter that has Devito, timed beside ours")
    parser.add_argument(
        "--petsc", metavar="COMMAND", help="runs Python with petsc4py on as many ranks, timed beside ours"
    )
    parser.add_argument("--threads", type=int, default=min(2, len(os.sched_getaffinity(0))))
    parser.add_argument("--rounds", type=int, default=7, help="timings of each case; the median counts")
    parser.add_argument("--quick", action="store_true", help="small arrays: shows that it runs, not how fast")
    return parser.parse_args(arguments)


def main() -> None:
    """Run the benchmarks that were asked for, print their tables and keep their results."""
    asked = options()
    settings = Settings(asked.threads, asked.rounds, asked.quick, asked.devito, asked.petsc)
    asked.out.mkdir(parents=True, exist_ok=True)
    for name in [asked.only] if asked.only else benchmarks():
        kept = context(settings)
        kept |= load(name).measure(settings)
        kept["load_after"] = os.getloadavg()[0]
        path = asked.out / f"{name}.json"
        path.write_text(json.dumps(kept, indent=1) + "\n")
        print(f"{name} on {kept['processor']}\n{show(kept['rows'])}")
        for key, value in kept.get("summary", {}).items():
            print(f"{key}: {shown(value)}")
        print(f"-> {path}\n")


if __name__ == "__main__":
    # The benchmark files import this module by its name.
    sys.modules["run"] = sys.modules["__main__"]
    main()
