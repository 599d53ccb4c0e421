"""Measure this host and write it as a machine file, for projections onto it."""

import argparse
import json
import sys
from pathlib import Path

from mpsolve.commands.checks.mpi import INSTALL, find_launchers, run_limited
from mpsolve.errors import BackendUnavailable, FileError
from mpsolve.projection.catalogue import load_machine
from mpsolve.projection.machine_text import show_machine
from mpsolve.records.environment import usable_cores

FORMATS = ("fp64", "fp32", "tf32", "bf16", "fp16", "fp8_e4m3")

LIMIT_S = 300.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--out", type=Path, default=Path("host.toml"), metavar="FILE", help="the machine file (host.toml)"
    )
    parser.add_argument(
        "--products", default=",".join(FORMATS), metavar="NAMES", help=f"formats of products ({','.join(FORMATS)})"
    )


def run(arguments: argparse.Namespace) -> int:
    """Measure, write the file and show it."""
    # NumPy and the kernels are loaded here, because `mpsolve --help` must not wait for them.
    from mpsolve.precision import get_format
    from mpsolve.projection.calibration import calibrate, write_machine

    # The mistakes that a long measurement would end in are looked for before it.
    formats = [get_format(name).name for name in arguments.products.split(",")]
    if arguments.out.suffix != ".toml":
        raise FileError(f"--out {arguments.out} must end in .toml, by which --machine knows a machine file")
    if arguments.out.exists():
        raise FileError(f"{arguments.out} exists; delete it, or choose another file with --out")
    found = calibrate(formats, _rank_speeds())
    write_machine(arguments.out, found)
    print(show_machine(load_machine(str(arguments.out))))
    print(f"\nwritten to {arguments.out}: mpsolve project RUN --machine {arguments.out}")
    return 0


def _rank_speeds() -> dict[str, float]:
    """Measure memory and messages with a rank on each core, in other processes."""
    from mpsolve.projection.rank_speeds import MARK

    launchers = find_launchers()
    if not launchers:
        raise BackendUnavailable(f"no mpirun or mpiexec: {INSTALL}")
    command = [launchers[0], "-n", str(max(1, usable_cores())), sys.executable, "-m", "mpsolve.projection.rank_speeds"]
    status, output, error = run_limited(command, LIMIT_S)
    lines = [line for line in output.splitlines() if line.startswith(MARK)]
    if status or not lines:
        reason = (error.strip().splitlines() or ["no message"])[-1]
        raise BackendUnavailable(f"{' '.join(command[:3])} failed with status {status}: {reason}; see mpsolve doctor")
    return json.loads(lines[0].removeprefix(MARK))
