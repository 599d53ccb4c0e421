"""Rotating shallow water in the precision that you choose: python -m mpsolve.apps.climate."""

import sys
from collections.abc import Sequence

from mpsolve import config
from mpsolve.driver import entry
from mpsolve.parallel import launch

DESCRIPTION = (
    "A shallow-water climate core on the sphere or on a plane. The table tells truncation, which the grid costs, from "
    "rounding, which the precision costs."
)
FLAGS = {"mpi_gpu": "run.mpi_gpu"}


def main(arguments: Sequence[str]) -> int:
    """Run the app; return the exit status."""
    parser = config.argument_parser("mpsolve.apps.climate", DESCRIPTION)
    parser.add_argument("--mpi-gpu", metavar="HOW", help="send halos from the memory of the card: off, on, or auto")
    return entry.main(parser, arguments, "mpsolve.driver.climate_options:ClimateAppOptions", FLAGS)


if __name__ == "__main__":
    sys.exit(launch.run(main, sys.argv[1:]))
