"""Show one run: configuration, environment, results and energy."""

import argparse
from pathlib import Path
from typing import Any

from mpsolve.compare.align import flatten, resolve
from mpsolve.compare.table import cell, printable
from mpsolve.errors import FileError
from mpsolve.records import run as run_file
from mpsolve.records import steps as steps_file


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("name", metavar="RUN", help="run directory, or the beginning of its name below ./runs")


def run(arguments: argparse.Namespace) -> int:
    """Print the record."""
    directories = resolve(arguments.name)
    if len(directories) > 1:
        names = ", ".join(directory.name for directory in directories)
        raise FileError(f"{arguments.name} holds {len(directories)} runs ({names}); show takes one")
    print("\n\n".join(_sections(directories[0])))
    return 0


def _sections(directory: Path) -> list[str]:
    record = run_file.read_run(directory)
    environment = dict(record["environment"])
    head = {"directory": directory, "app": record["app"], "status": record["status"]}
    head |= {"command": " ".join(map(str, record["argv"])), "files": _files(directory)}
    ranks = environment.pop("ranks", None) or []
    hosts = environment.pop("hosts", None) or {}
    parts = {
        "": head,
        "configuration": flatten(record["config"]),
        "precision": flatten(record["precision"]),
        "environment": flatten(environment) | {"ranks": len(ranks), "hosts": ", ".join(hosts) or None},
        "results": {
            name: _with_reason(value, record["reasons"].get(name)) for name, value in record["results"].items()
        },
        "energy": _energy(record["energy"]),
        "work": flatten(record["ledger"]),
        "steps": _steps(directory / steps_file.FILE_NAME),
    }
    return [_block(title, values) for title, values in parts.items() if values]


def _block(title: str, values: dict[str, Any]) -> str:
    width = max(map(len, values))
    lines = [f"{'  ' if title else ''}{printable(name):<{width}}  {_text(value)}" for name, value in values.items()]
    return "\n".join([title, *lines] if title else lines)


def _text(value: Any) -> str:
    """Values in full: `cell` shortens for tables."""
    return cell(value) if value is None or isinstance(value, (bool, int, float)) else printable(str(value)) or "(empty)"


def _with_reason(value: Any, reason: str | None) -> str:
    return f"-  ({reason})" if value is None and reason else _text(value)


def _energy(readings: list[Any]) -> dict[str, str]:
    lines = {}
    for index, reading in enumerate(reading for reading in readings if isinstance(reading, dict)):
        name = f"{index + 1} {reading.get('scope')}"
        joules, about = reading.get("joules"), "~" if reading.get("kind") == "modelled" else ""
        value = f"unavailable: {reading.get('reason')}" if joules is None else f"{about}{_text(joules)} J"
        lines[name] = f"{value}  [{reading.get('kind')}, {reading.get('source')}]"
        phases = reading.get("phases")
        for phase, part in phases.items() if isinstance(phases, dict) else ():
            lines[f"{name}, {phase}"] = f"{about}{_text(part)} J"
    return lines


def _steps(path: Path) -> dict[str, Any]:
    rows = steps_file.read_steps(path)
    if not rows:
        return {}
    last = {f"last {name}": value for name, value in rows[-1].items() if value is not None and name != "kind"}
    return {"rows": len(rows), **last}


def _files(directory: Path) -> str:
    names = (run_file.FILE_NAME, steps_file.FILE_NAME, run_file.FIELDS_NAME)
    return ", ".join(name for name in names if (directory / name).is_file())
