"""Solve your own dense system A x = b to FP64 accuracy: python -m mpsolve.apps.solve MATRIX."""

import sys
from collections.abc import Sequence

from mpsolve import config
from mpsolve.driver import entry
from mpsolve.parallel import launch

DESCRIPTION = (
    "Solve A x = b from a file (.npy, HDF5, Matrix Market), factored in the cheapest format that should do "
    "(--precision auto) and refined to FP64. The solution goes to fields.h5 in the run directory."
)
FLAGS = {"matrix": "system.matrix", "rhs": "system.rhs", "n": "system.n", "rtol": "solver.rtol"}


def main(arguments: Sequence[str]) -> int:
    """Run the app; return the exit status."""
    parser = config.argument_parser("mpsolve.apps.solve", DESCRIPTION)
    parser.add_argument("matrix", nargs="?", metavar="MATRIX", help="a file, or a name in models/matrices")
    parser.add_argument("--rhs", metavar="FILE", help="right-hand sides, (n,) or (n, k); default: sums of rows")
    parser.add_argument("--n", type=int, metavar="N", help="size of a matrix of models/matrices")
    parser.add_argument("--rtol", type=float, metavar="TOLERANCE", help="FP64 backward error to reach")
    return entry.main(parser, arguments, "mpsolve.driver.dense_options:SolveAppOptions", FLAGS)


if __name__ == "__main__":
    sys.exit(launch.run(main, sys.argv[1:]))
