"""The runs that a command was given: found, read, and the damaged ones named on standard error."""

import argparse
import sys
from collections.abc import Sequence

from mpsolve.compare.align import RunSummary, load_all, resolve
from mpsolve.errors import FileError
from mpsolve.records.steps import FILE_NAME as STEPS_NAME
from mpsolve.records.steps import torn


def add_runs(parser: argparse.ArgumentParser) -> None:
    """Add the argument ``RUN...``."""
    parser.add_argument(
        "names",
        nargs="+",
        metavar="RUN",
        help="run directory, the beginning of its name below ./runs, or a directory of runs (all of them)",
    )


def select(names: Sequence[str]) -> tuple[list[RunSummary], list[str]]:
    """Read the named runs; see `mpsolve.compare.align.load_all`.

    Raises
    ------
    FileError, UnknownNameError
        If a name means no run, or none of the runs can be read.
    """
    directories = [directory for name in names for directory in resolve(name)]
    runs, problems = load_all(list(dict.fromkeys(directories)))
    if not runs:
        raise FileError("; ".join(problems))
    for problem in problems:
        print(f"mpsolve: error: {problem}", file=sys.stderr)
    for run in runs:
        if note := torn(run.directory / STEPS_NAME):
            print(f"mpsolve: note: {run.name}: {note}", file=sys.stderr)
    return runs, problems
