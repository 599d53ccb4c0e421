"""List runs, one line each."""

import argparse
import sys
from pathlib import Path

from mpsolve.compare.align import RUNS, RunSummary, in_order, load_all, runs_below
from mpsolve.compare.table import cell

HEADER = ("run", "app", "status", "precision", "ranks", "time_s", "backward_error")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("folder", nargs="?", type=Path, default=RUNS, metavar="DIR", help="directory of runs (runs)")


def run(arguments: argparse.Namespace) -> int:
    """Print the list; 2 if some record is damaged."""
    runs, problems = load_all(in_order(runs_below(arguments.folder)))
    if not runs and not problems:
        print(f"no runs in {arguments.folder}")
    if runs:
        lines = [HEADER, *map(_line, runs)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for line in lines:
            print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())
    for problem in problems:
        print(f"mpsolve: error: {problem}", file=sys.stderr)
    return 2 if problems else 0


def _line(run: RunSummary) -> tuple[str, ...]:
    results = (cell(run.results.get(name)) for name in HEADER[-2:])
    return run.name, cell(run.app), cell(run.status), cell(run.precision), str(run.ranks), *results
