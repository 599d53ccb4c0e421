"""Solve the heat equation, in a box or on the Earth, in the precision that you choose: python -m mpsolve.apps.heat."""

import sys
from collections.abc import Sequence

from mpsolve import config
from mpsolve.parallel import launch

DESCRIPTION = (
    "Heat conduction in a box with a known answer (the default), or the Earth's temperature over the year "
    "(--config earth). FP64 accuracy, with the bulk of the work in the precision that you choose."
)


def main(arguments: Sequence[str]) -> int:
    """Parse, validate on rank 0, run; return the exit status."""
    parser = config.argument_parser("mpsolve.apps.heat", DESCRIPTION)
    if "-h" in arguments or "--help" in arguments:
        if launch.launched().rank == 0:
            parser.print_help()
        return 0
    from mpsolve.driver.command import variants_of

    parsed = parser.parse_args(list(arguments))
    if parsed.print_config:
        if launch.launched().rank == 0:
            print(config.to_toml(variants_of(parsed)[0].options), end="")
        return 0
    from mpsolve.driver.sweep import run_all

    comm = launch.start()
    variants = launch.agree(comm, lambda: variants_of(parsed))
    return run_all(comm, variants, parsed.out, [parser.prog, *arguments])


if __name__ == "__main__":
    sys.exit(launch.run(main, sys.argv[1:]))
