"""The command `mpsolve`: look at finished runs and at this machine; never starts MPI in its own process."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from mpsolve.errors import MpsolveError

# In the order of use, which `--help` keeps; each is a module of `mpsolve.commands`.
COMMANDS = ("ls", "show", "compare", "plot", "machines", "project", "job", "calibrate", "doctor")

BAD_INPUT = 2
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments without the program name; those of the process if left out.

    Returns
    -------
    int
        Exit status: 0 done, 1 the command found something wrong, 2 bad input (one line on standard error).
    """
    arguments = build_parser().parse_args(argv)
    try:
        return _flushed(arguments.run(arguments))
    except MpsolveError as error:
        print(f"mpsolve: error: {' '.join(str(error).split())}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has seen enough; Python must not complain when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def build_parser() -> argparse.ArgumentParser:
    """Return the parser with all commands; imports no numerical library."""
    parser = _Parser(
        prog="mpsolve",
        description="Look at finished runs, at machines, and at this one.",
        formatter_class=_formatter,
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name in COMMANDS:
        module = importlib.import_module(f"mpsolve.commands.{name}")
        summary = (module.__doc__ or name).strip().splitlines()[0]
        command = commands.add_parser(name, help=summary, description=module.__doc__)
        module.configure(command)
        command.set_defaults(run=module.run)
    return parser


def _formatter(prog: str) -> argparse.HelpFormatter:
    """Return a formatter with room for the longest command: argparse forgets their second level of indent."""
    formatter = argparse.HelpFormatter(prog)
    formatter._action_max_length = max(map(len, COMMANDS)) + 4
    return formatter


class _Parser(argparse.ArgumentParser):
    """Reports a wrong argument in one line, without the usage; its commands are parsers of the same class."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"{self.prog}: error: {message}; see {self.prog} --help\n")


def _flushed(status: int) -> int:
    sys.stdout.flush()
    return status


if __name__ == "__main__":
    sys.exit(main())
