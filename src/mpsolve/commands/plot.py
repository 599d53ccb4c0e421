"""Draw runs as PNG: accuracy against time, residual per iteration, the field."""

import argparse
import sys
from pathlib import Path

from mpsolve.commands.selection import add_runs, select
from mpsolve.compare.repeats import grouped


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_runs(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the pictures go (the first run's directory)")


def run(arguments: argparse.Namespace) -> int:
    """Write the pictures and print their paths; 1 if there is none, 2 if some record is damaged."""
    from mpsolve.compare import plot

    found, problems = select(arguments.names)
    runs = grouped(found)
    written, missing = plot.draw(runs, arguments.out or runs[0].directory)
    for path in written:
        print(path)
    for reason in missing:
        print(f"mpsolve: {reason}", file=sys.stderr)
    return 2 if problems else 0 if written else 1
