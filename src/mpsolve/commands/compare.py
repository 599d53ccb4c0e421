"""Compare runs: what differs in the configuration, accuracy, time and energy."""

import argparse
import sys

from mpsolve.commands.selection import add_runs, select
from mpsolve.compare import table
from mpsolve.compare.align import RunSummary, resolve
from mpsolve.compare.conditions import parsed
from mpsolve.compare.metrics import collect
from mpsolve.compare.problem import check_same_problem
from mpsolve.compare.repeats import configuration, grouped
from mpsolve.errors import ConfigError


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_runs(parser)
    parser.add_argument("--format", choices=(*table.FORMATS, "html"), default="table", help="how to print it (table)")
    parser.add_argument(
        "--fail-if", action="append", default=[], metavar="CONDITION", help="end with status 1, such as 'time_s>+5%%'"
    )
    parser.add_argument(
        "--baseline",
        metavar="RUN",
        help="what the others are measured against (the first run): a run, a precision, or a directory of repeats",
    )
    parser.add_argument(
        "--each",
        action="store_true",
        help="a column for every run; without it runs of one configuration are repeats, shown as median and spread",
    )
    parser.add_argument("--force", action="store_true", help="compare runs of different problems nevertheless")


def run(arguments: argparse.Namespace) -> int:
    """Print the comparison; 2 if some record is damaged, 1 if a condition fails."""
    found, problems = select(arguments.names)
    runs, baseline = _columns(found, arguments)
    relative = [text for text in arguments.fail_if if text.rstrip().endswith("%")]
    if relative and len(runs) == 1:
        raise ConfigError(
            f"--fail-if {relative[0]!r} needs a run beside the baseline, and all {len(found)} are repeats of one; "
            "name the baseline with --baseline, or compare them one by one with --each"
        )
    if not arguments.force:
        try:
            check_same_problem(runs)
        except ConfigError:
            # The reader sees in full what differs before the refusal.
            print(table.render_differences(runs), end="", file=sys.stderr)
            raise
    if arguments.format == "html":
        # The page draws pictures, which the other formats do without.
        from mpsolve.page import comparison

        print(comparison.render(runs, baseline), end="")
    else:
        print(table.render(runs, arguments.format, baseline=baseline))
    failing = [line for condition in arguments.fail_if for line in _failing(runs, condition, baseline)]
    for line in failing:
        print(f"mpsolve: fails: {line}", file=sys.stderr)
    return 2 if problems else int(bool(failing))


def _columns(found: list[RunSummary], arguments: argparse.Namespace) -> tuple[list[RunSummary], int]:
    """Return the runs to show, repeats as one, and the index of the baseline.

    Repeats stay apart where nothing else is compared: then every name that was given is a column.
    """
    named = _baseline(found, arguments.baseline) if arguments.baseline else []
    if arguments.each and len(named) > 1:
        raise ConfigError(f"--baseline {arguments.baseline} means {len(named)} runs, which --each keeps apart")
    apart = {run.directory for run in named}
    runs = found
    if not arguments.each:
        origin = {directory: name for name in reversed(arguments.names) for directory in resolve(name)}
        alone = not named and len(arguments.names) > 1 and len(set(map(configuration, found))) == 1
        runs = grouped(found, lambda run: (run.directory in apart, origin[run.directory] if alone else ""))
    return runs, next((place for place, run in enumerate(runs) if run.directory in apart), 0)


def _failing(runs: list[RunSummary], condition: str, baseline: int) -> list[str]:
    values, reasons = collect(runs, baseline)
    return parsed(condition, list(values[0])).failing(runs, values, reasons, baseline)


def _baseline(runs: list[RunSummary], name: str) -> list[RunSummary]:
    """Find the baseline among the runs, by precision, name or the beginning of one, else by directory.

    Raises
    ------
    ConfigError
        If it means none of them, or several that are no repeats of each other.
    """
    known = [run for run in runs if name in (run.precision, run.name, str(run.directory))]
    known = known or [run for run in runs if run.name.startswith(name)]
    if not known:
        wanted = {directory.resolve() for directory in resolve(name)}
        known = [run for run in runs if run.directory.resolve() in wanted]
    if len({configuration(run) for run in known}) != 1:
        names = ", ".join(run.name for run in runs)
        raise ConfigError(f"--baseline {name} means {len(known)} of the compared runs ({names}); name one of them")
    return known
