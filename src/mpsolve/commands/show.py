"""Show one run: configuration, environment, results and energy."""

import argparse
import sys
from pathlib import Path
from typing import Any

from mpsolve.compare.align import flatten, resolve
from mpsolve.compare.metrics import number
from mpsolve.compare.phases import SECONDS, spent
from mpsolve.compare.table import cell, printable
from mpsolve.errors import FileError
from mpsolve.records import run as run_file
from mpsolve.records import steps as steps_file

# Counts from here on are shown with three digits.
LONG_COUNT = 1e5


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("name", metavar="RUN", help="run directory, or the beginning of its name below ./runs")


def run(arguments: argparse.Namespace) -> int:
    """Print the record; 2 if its steps are damaged, which are named then and the rest shown."""
    directories = resolve(arguments.name)
    if len(directories) > 1:
        names = ", ".join(directory.name for directory in directories)
        raise FileError(f"{arguments.name} holds {len(directories)} runs ({names}); show takes one")
    steps, problem = _steps(directories[0] / steps_file.FILE_NAME)
    print("\n\n".join([*_sections(directories[0]), *([_block("steps", steps)] if steps else [])]))
    if problem:
        print(f"mpsolve: error: {problem}", file=sys.stderr)
    return 2 if problem else 0


def _sections(directory: Path) -> list[str]:
    record = run_file.read_run(directory)
    environment = dict(record["environment"])
    head = {"directory": directory, "app": record["app"], "status": record["status"]}
    head |= {"command": " ".join(map(str, record["argv"])), "files": _files(directory)}
    ranks = environment.pop("ranks", None) or []
    hosts = environment.pop("hosts", None) or {}
    readings = [reading for reading in record["energy"] if isinstance(reading, dict)]
    parts = {
        "": head,
        "configuration": flatten(record["config"]),
        "precision": flatten(record["precision"]),
        "environment": flatten(environment) | {"ranks": len(ranks), "hosts": ", ".join(hosts) or None},
        "results": _results(record["results"], record["reasons"]),
        "energy": _energy(readings),
    }
    blocks = [_block(title, values) for title, values in parts.items() if values]
    phases, work = _phases(record["results"], readings), _work(record["ledger"])
    blocks += [f"phases, seconds of rank 0\n{_table(phases, 1)}"] if phases else []
    return blocks + ([f"work\n{_table(work, 2)}"] if work else [])


def _block(title: str, values: dict[str, Any]) -> str:
    width = max(map(len, values))
    lines = [f"{'  ' if title else ''}{printable(name):<{width}}  {_text(value)}" for name, value in values.items()]
    return "\n".join([title, *lines] if title else lines)


def _text(value: Any) -> str:
    """Values in full: `cell` shortens for tables."""
    return cell(value) if value is None or isinstance(value, (bool, int, float)) else printable(str(value)) or "(empty)"


def _results(results: dict[str, Any], reasons: dict[str, Any]) -> dict[str, Any]:
    """Return the results with the reasons of those that are missing; times by phase have a table of their own."""
    shown = flatten({name: value for name, value in results.items() if name != SECONDS})
    return {name: _with_reason(value, reasons.get(name)) for name, value in shown.items()}


def _with_reason(value: Any, reason: str | None) -> str:
    return f"-  ({reason})" if value is None and reason else _text(value)


def _energy(readings: list[dict[str, Any]]) -> dict[str, str]:
    lines = {}
    for index, reading in enumerate(readings):
        joules, about = reading.get("joules"), "~" if reading.get("kind") == "modelled" else ""
        value = f"unavailable: {reading.get('reason')}" if joules is None else f"{about}{_text(joules)} J"
        lines[f"{index + 1} {reading.get('scope')}"] = f"{value}  [{reading.get('kind')}, {reading.get('source')}]"
    return lines


def _phases(results: dict[str, Any], readings: list[dict[str, Any]]) -> list[list[str]]:
    """Return a row for each phase, longest first, and their sum: seconds, their part, and joules by scope."""
    found = spent(results, readings)
    whole = sum(found.seconds.values())
    columns = {"seconds": found.seconds, "part": {}, **found.joules}
    rows = [["phase", *columns]]
    for phase in found.phases:
        rows.append([phase, *(cell(parts.get(phase)) for parts in columns.values())])
        rows[-1][2] = f"{found.seconds[phase] / whole:.1%}" if phase in found.seconds and whole else "-"
    sums = [cell(sum(parts.values())) if parts else "-" for parts in columns.values()]
    return [*rows, ["sum", sums[0], "", *sums[2:]]] if found.phases else []


def _work(ledger: dict[str, Any]) -> list[list[str]]:
    """Return a row for each phase and format; what was not counted is left out."""
    flat = {name: counts for name, counts in _counts(ledger).items() if any(counts.values())}
    kinds = dict.fromkeys(kind for counts in flat.values() for kind, count in counts.items() if count)
    lines = [
        [printable(phase), printable(format), *(_count(counts.get(kind)) for kind in kinds)]
        for (phase, format), counts in flat.items()
    ]
    return [["phase", "format", *kinds], *lines] if lines else []


def _count(count: float | None) -> str:
    """Return a count: in full as long as it is short, and a dash for none."""
    return cell(int(count) if count and count < LONG_COUNT else count or None)


def _counts(ledger: dict[str, Any]) -> dict[tuple[str, str], dict[str, float]]:
    formats = {phase: found for phase, found in ledger.items() if isinstance(found, dict)}
    return {
        (phase, format): {kind: count for kind, given in counts.items() if (count := number(given)) is not None}
        for phase, found in formats.items()
        for format, counts in found.items()
        if isinstance(counts, dict)
    }


def _table(rows: list[list[str]], names: int) -> str:
    """Return aligned columns, the first ones of names to the left and numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        [value.ljust(width) for value, width in zip(row[:names], widths, strict=False)]
        + [value.rjust(width) for value, width in zip(row[names:], widths[names:], strict=True)]
        for row in rows
    ]
    return "\n".join(f"  {'  '.join(line)}".rstrip() for line in lines)


def _steps(path: Path) -> tuple[dict[str, Any], str]:
    """Return the number of rows and the last one, and what is damaged."""
    try:
        rows, note = steps_file.read_steps(path), steps_file.torn(path)
    except FileError as problem:
        return {}, str(problem)
    last = rows[-1] if rows else {}
    shown = {f"last {name}": value for name, value in last.items() if value is not None and name != "kind"}
    return ({"rows": len(rows), **shown} if rows else {}) | ({"note": note} if note else {}), ""


def _files(directory: Path) -> str:
    names = (run_file.FILE_NAME, steps_file.FILE_NAME, run_file.FIELDS_NAME)
    return ", ".join(name for name in names if (directory / name).is_file())
