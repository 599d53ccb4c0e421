"""Print a batch script for a machine of the catalogue: mpsolve job heat --machine isambard-ai > job.sbatch."""

import argparse
import sys
from pathlib import Path

from mpsolve import config
from mpsolve.batch.request import APPS, Request, seconds_of
from mpsolve.batch.script import placeholders, write
from mpsolve.projection import catalogue

#: Flags that go to the app as they are.
PASSED_ON = ("config", "precision", "sweep", "backend", "out")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("app", metavar="APP", help=", ".join(APPS))
    parser.add_argument("--machine", required=True, metavar="NAME", help="a machine, or the path of a machine file")
    parser.add_argument("--nodes", type=int, metavar="N", help="nodes (as many as the machine file's example)")
    parser.add_argument("--time", default="01:00", metavar="HH:MM", help="limit of the wall time (01:00)")
    parser.add_argument("--account", default="", metavar="NAME", help="project that pays; namespace for Kubernetes")
    parser.add_argument("--partition", default="", metavar="NAME", help="partition or queue")
    parser.add_argument("--image", default="", metavar="IMAGE", help="container image with mpsolve, for Kubernetes")
    parser.add_argument("--environment", default="", metavar="DIR", help="virtual environment ($HOME/mpsolve/.venv)")
    parser.add_argument("--name", default="", metavar="NAME", help="of the job")
    for flag in PASSED_ON:
        parser.add_argument(f"--{flag}", metavar=flag.upper(), help="passed on to the app")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="passed on to the app")


def run(arguments: argparse.Namespace) -> int:
    """Print the script, and on standard error what is to be replaced in it."""
    machine = catalogue.load_machine(arguments.machine)
    if arguments.config:
        config.located(Path(arguments.config))
    passed = [word for flag in PASSED_ON if (value := getattr(arguments, flag)) for word in (f"--{flag}", value)]
    passed += [word for value in arguments.set for word in ("--set", value)]
    request = Request(
        app=arguments.app,
        arguments=tuple(passed),
        nodes=machine.job.nodes if arguments.nodes is None else arguments.nodes,
        seconds=seconds_of(arguments.time),
        account=arguments.account,
        partition=arguments.partition,
        image=arguments.image,
        environment=arguments.environment,
        name=arguments.name,
    )
    print(write(request, machine), end="")
    for word in placeholders(request, machine):
        print(f"mpsolve: replace {word} in the script", file=sys.stderr)
    return 0
