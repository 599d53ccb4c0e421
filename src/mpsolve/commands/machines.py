"""List the machines of the catalogue, or show one with its sources and conflicts."""

import argparse

from mpsolve.projection import catalogue
from mpsolve.projection.machine_text import list_machines, show_machine


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="a machine, or the path of a machine file (all)")


def run(arguments: argparse.Namespace) -> int:
    """Print the list or the machine."""
    if arguments.name is None:
        print(list_machines([catalogue.load_machine(name) for name in catalogue.machine_names()]))
    else:
        print(show_machine(catalogue.load_machine(arguments.name)))
    return 0
