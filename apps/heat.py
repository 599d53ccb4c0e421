"""Solve the heat equation, in a box or on the Earth, in the precision that you choose: python -m mpsolve.apps.heat."""

import sys
from collections.abc import Sequence

from mpsolve import config
from mpsolve.driver import entry
from mpsolve.parallel import launch

DESCRIPTION = (
    "Heat conduction in a box with a known answer (the default), or the Earth's temperature over the year "
    "(--config earth). FP64 accuracy, with the bulk of the work in the precision that you choose."
)
FLAGS = {"mpi_gpu": "run.mpi_gpu"}


def main(arguments: Sequence[str]) -> int:
    """Run the app; return the exit status."""
    parser = config.argument_parser("mpsolve.apps.heat", DESCRIPTION)
    parser.add_argument("--mpi-gpu", metavar="HOW", help="send halos from the memory of the card: off, on, or auto")
    return entry.main(parser, arguments, "mpsolve.driver.options:HeatAppOptions", FLAGS)


if __name__ == "__main__":
    sys.exit(launch.run(main, sys.argv[1:]))
