"""Run the HPL-MxP benchmark, or another dense problem in its manner: python -m mpsolve.apps.mxp."""

import sys
from collections.abc import Sequence

from mpsolve import config
from mpsolve.driver import entry
from mpsolve.parallel import launch

DESCRIPTION = (
    "HPL-MxP by its rules: LU of a random, diagonally dominant matrix in low precision over a grid of ranks, refined "
    "to FP64 accuracy. The FP64 matrix is never stored. --set mxp.problem=fasi_higham takes a harder one."
)
FLAGS = {"n": "mxp.n", "block": "grid.block", "problem": "mxp.problem"}


def main(arguments: Sequence[str]) -> int:
    """Run the app; return the exit status."""
    parser = config.argument_parser("mpsolve.apps.mxp", DESCRIPTION)
    parser.add_argument("--n", type=int, metavar="N", help="rows and columns of the matrix")
    parser.add_argument("--block", type=int, metavar="NB", help="rows and columns of a block; 0: chosen by measurement")
    parser.add_argument("--problem", metavar="NAME", help="a file in models/matrices, such as fasi_higham")
    return entry.main(parser, arguments, "mpsolve.driver.dense_options:MxpAppOptions", FLAGS)


if __name__ == "__main__":
    sys.exit(launch.run(main, sys.argv[1:]))
