"""Project a measured run onto another machine, or check the model against published results."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mpsolve.compare.align import resolve
from mpsolve.errors import ConfigError, FileError
from mpsolve.projection import catalogue
from mpsolve.projection.machine import Machine
from mpsolve.projection.work import SIZES, Work, read_work
from mpsolve.records.plain import plain

if TYPE_CHECKING:
    from mpsolve.projection.project import Projection

    Found = tuple[Machine, list[Projection]]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "name", nargs="?", metavar="RUN", help="run directory, or the beginning of its name below ./runs"
    )
    parser.add_argument("--machine", metavar="NAME", help="a machine (mpsolve machines), a machine file, or all")
    parser.add_argument("--nodes", default="all", metavar="N", help="nodes: 4, all, 1..64, 1..all (all)")
    parser.add_argument(
        "--size",
        choices=SIZES,
        default="run",
        help="the problem: as it was run, or filling the memory of the nodes (run)",
    )
    parser.add_argument("--format", choices=("table", "json"), default="table", help="how to print it (table)")
    parser.add_argument("--strong", action="store_true", help="draw the same problem on 1 node to the whole machine")
    parser.add_argument(
        "--weak", action="store_true", help="draw memory-filling problems on 1 node to the whole machine"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="where pictures go (the run's directory)")
    parser.add_argument("--validate", action="store_true", help="check the model against published results")


def run(arguments: argparse.Namespace) -> int:
    """Print the projections or the check; 2 if one of several machines cannot take the run."""
    if arguments.validate:
        return _validate(arguments)
    if arguments.name is None or arguments.machine is None:
        raise ConfigError("project takes a RUN and --machine NAME, or --validate alone; mpsolve machines lists names")
    directories = resolve(arguments.name)
    if len(directories) > 1:
        names = ", ".join(directory.name for directory in directories)
        raise FileError(f"{arguments.name} holds {len(directories)} runs ({names}); project takes one")
    work = read_work(directories[0])
    found, problems = _project_all(work, arguments)
    _print(work, found, arguments.format)
    for machine, _ in found:
        _draw(work, machine, arguments, directories[0])
    for problem in problems:
        print(f"mpsolve: error: {problem}", file=sys.stderr)
    return 2 if problems else 0


def _validate(arguments: argparse.Namespace) -> int:
    # The model takes NumPy, which `mpsolve --help` must not wait for.
    from mpsolve.projection import check_text

    if arguments.name is not None or arguments.machine is not None:
        raise ConfigError("--validate checks the model on published results; leave RUN and --machine out")
    as_json = arguments.format == "json"
    print(json.dumps(plain(check_text.records()), indent=1) if as_json else check_text.render())
    return 0


def _project_all(work: Work, arguments: argparse.Namespace) -> "tuple[list[Found], list[str]]":
    """Project onto the machines; of several, those that cannot take the run are named and the others shown."""
    if arguments.machine != "all":
        machine = catalogue.load_machine(arguments.machine)
        return [(machine, _projections(work, machine, arguments.nodes, arguments.size))], []
    found, problems = [], []
    for machine in map(catalogue.load_machine, catalogue.machine_names()):
        try:
            found.append((machine, _projections(work, machine, arguments.nodes, arguments.size)))
        except ConfigError as problem:
            problems.append(str(problem))
    return found, problems


def _print(work: Work, found: "list[Found]", format: str) -> None:
    from mpsolve.projection import project_text

    if format == "json":
        print(json.dumps(plain([one for _, projections in found for one in projections]), indent=1))
    else:
        print("\n\n".join(project_text.render(work, machine, projections) for machine, projections in found))


def _projections(work: Work, machine: Machine, nodes: str, size: str) -> "list[Projection]":
    from mpsolve.projection.project import grown, node_counts, project

    counts = node_counts(machine, nodes)
    return [project(grown(work, machine, count, size), machine, count) for count in counts]


def _draw(work: Work, machine: Machine, arguments: argparse.Namespace, directory: Path) -> None:
    from mpsolve.projection import picture
    from mpsolve.projection.grid_work import most_nodes
    from mpsolve.projection.project import grown, node_counts, project

    out = arguments.out or directory
    kinds = [kind for kind in ("strong", "weak") if getattr(arguments, kind)]
    if kinds:
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise FileError(f"cannot make {out}: {problem.strerror}; choose another directory with --out") from None
    for kind in kinds:
        path = out / f"{kind}_{machine.key}.png"
        size = "memory" if kind == "weak" else arguments.size
        first = work if kind == "weak" else grown(work, machine, 1, size)
        # A run whose rows stay whole is not divided among more devices than it has rows for.
        most = machine.nodes if kind == "weak" else most_nodes(first, machine)
        counts = node_counts(machine, "1..all" if most >= machine.nodes else f"1..{max(most, 1)}")
        works = [grown(work, machine, count, size) if kind == "weak" else first for count in counts]
        projections = [project(one, machine, count) for one, count in zip(works, counts, strict=True)]
        picture.draw_scaling(f"{work.app} {work.format} on {machine.name}", kind, projections, path)
        print(path)
