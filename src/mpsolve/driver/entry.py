"""The main function that all apps share: parse, validate on rank 0, run."""

from __future__ import annotations

import importlib
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence

from mpsolve.parallel import launch


def main(parser: ArgumentParser, arguments: Sequence[str], options: str, flags: Mapping[str, str] | None = None) -> int:
    """Run an app; return the exit status.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        With the flags of all apps, and those of this one.
    arguments : sequence of str
        The command line.
    options : str
        Module and class of the app's options, for instance ``"mpsolve.driver.options:HeatAppOptions"``; imported only
        after ``--help`` was answered, since it needs more modules than that does.
    flags : mapping, optional
        Flags of this app and the dotted keys that they set.
    """
    if "-h" in arguments or "--help" in arguments:
        if launch.launched().rank == 0:
            parser.print_help()
        return 0
    from mpsolve import config
    from mpsolve.driver.command import variants_of

    module, _, name = options.partition(":")
    kind = getattr(importlib.import_module(module), name)
    parsed = parser.parse_args(list(arguments))
    given = {key: getattr(parsed, flag) for flag, key in (flags or {}).items()}
    if parsed.print_config:
        if launch.launched().rank == 0:
            print(config.to_toml(variants_of(parsed, kind, given)[0].options), end="")
        return 0
    from mpsolve.driver.sweep import run_all

    comm = launch.start()
    variants = launch.agree(comm, lambda: variants_of(parsed, kind, given))
    return run_all(comm, variants, parsed.out, [parser.prog, *arguments], parsed.restart)
