"""Compare runs: what differs in the configuration, accuracy, time and energy."""

import argparse
import sys

from mpsolve.commands.selection import add_runs, select
from mpsolve.compare import table
from mpsolve.compare.align import RunSummary, check_same_problem, resolve
from mpsolve.compare.conditions import parsed
from mpsolve.compare.metrics import collect
from mpsolve.errors import ConfigError


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_runs(parser)
    parser.add_argument("--format", choices=(*table.FORMATS, "html"), default="table", help="how to print it (table)")
    parser.add_argument(
        "--fail-if", action="append", default=[], metavar="CONDITION", help="end with status 1, such as 'time_s>+5%%'"
    )
    parser.add_argument("--baseline", metavar="RUN", help="what the speed-up is measured against (the first run)")
    parser.add_argument("--force", action="store_true", help="compare runs of different apps or grids nevertheless")


def run(arguments: argparse.Namespace) -> int:
    """Print the comparison; 2 if some record is damaged, 1 if a condition fails."""
    runs, problems = select(arguments.names)
    baseline = 0 if arguments.baseline is None else _index(runs, arguments.baseline)
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


def _failing(runs: list[RunSummary], condition: str, baseline: int) -> list[str]:
    values, reasons = collect(runs, baseline)
    return parsed(condition, list(values[0])).failing(runs, values, reasons, baseline)


def _index(runs: list[RunSummary], name: str) -> int:
    """Find the baseline among the runs: by label or the beginning of its name, else by directory."""
    known = [index for index, run in enumerate(runs) if name in (run.precision, run.name, str(run.directory))]
    known = known or [index for index, run in enumerate(runs) if run.name.startswith(name)]
    if not known:
        wanted = resolve(name)[0].resolve()
        known = [index for index, run in enumerate(runs) if run.directory.resolve() == wanted]
    if len(known) != 1:
        names = ", ".join(run.name for run in runs)
        raise ConfigError(f"--baseline {name} means {len(known)} of the compared runs ({names}); name one of them")
    return known[0]
