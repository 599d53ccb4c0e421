"""Run the benchmarks: ``python benchmarks/run.py [--out benchmarks/results] [--only NAME] [--devito PYTHON]``.

Every other file of this folder is a benchmark: it defines ``measure(settings)``, which returns a dict with ``rows`` (a
list of flat dicts), and what else is worth keeping. What the ratios compare is measured in alternation, in one run.
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
    """

    threads: int
    rounds: int
    quick: bool = False
    devito: str | None = None


def in_turn(jobs: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Time the jobs one after the other, for several rounds after one untimed; return the seconds of each."""
    seconds = {name: [] for name in jobs}
    for turn in range(rounds + 1):
        for name, job in jobs.items():
            start = perf_counter()
            job()
            if turn:
                seconds[name].append(perf_counter() - start)
    return seconds


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
    parser.add_argument("--threads", type=int, default=min(2, len(os.sched_getaffinity(0))))
    parser.add_argument("--rounds", type=int, default=7, help="timings of each case; the median counts")
    parser.add_argument("--quick", action="store_true", help="small arrays: shows that it runs, not how fast")
    return parser.parse_args(arguments)


def main() -> None:
    """Run the benchmarks that were asked for, print their tables and keep their results."""
    asked = options()
    settings = Settings(asked.threads, asked.rounds, asked.quick, asked.devito)
    asked.out.mkdir(parents=True, exist_ok=True)
    for name in [asked.only] if asked.only else benchmarks():
        kept = context(settings)
        kept |= load(name).measure(settings)
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
