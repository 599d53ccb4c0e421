"""The comparison table: what differs in the configuration, then what it cost and how accurate it is."""

import csv
import io
import json
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mpsolve.compare.align import RunSummary, differences
from mpsolve.compare.metrics import collect
from mpsolve.compare.repeats import spread
from mpsolve.errors import UnknownNameError
from mpsolve.records.plain import plain

FORMATS = ("table", "json", "csv", "md")

# What fits a terminal of the usual width; more runs continue in a block below.
WIDTH = 100
WIDEST_CELL = 28
GAP = "  "

Rows = list[list[str]]


def render(rows: Sequence[RunSummary], format: str = "table", *, baseline: int = 0) -> str:
    """Return the comparison of runs as text.

    Parameters
    ----------
    rows : sequence of RunSummary
        The runs, at least one, for instance from `mpsolve.compare.align.load`.
    format : str
        ``"table"`` (a column per run, for terminals), ``"md"`` (the same in Markdown), ``"json"`` or ``"csv"``
        (an object or line per run, for programs).
    baseline : int
        Index of the run that the speed-up is measured against.

    Returns
    -------
    str
        Without a line end at the end.

    Raises
    ------
    UnknownNameError
        If there is no such format.
    """
    writers = {"table": _plain_text, "json": _json, "csv": _csv, "md": _markdown}
    if format not in writers:
        raise UnknownNameError("table format", format, writers)
    return writers[format](rows, baseline).rstrip("\n")


def render_differences(rows: Sequence[RunSummary]) -> str:
    """Return only the configuration keys whose values differ, as an aligned table with the legend of runs."""
    found = difference_rows(rows)
    return legend(rows, None) + "\n" + (_aligned(found) if found else "no difference in the configuration\n")


def cell(value: Any) -> str:
    """Return a value for a table: three digits, ``-`` for None, yes and no for booleans.

    Examples
    --------
    >>> [cell(value) for value in (None, True, 812, 1.2345e-16, 0.5)]
    ['-', 'yes', '812', '1.23e-16', '0.5']
    """
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = f"{value:.3g}" if isinstance(value, float) else printable(str(value)) or "(empty)"
    return text if len(text) <= WIDEST_CELL else text[: WIDEST_CELL - 1] + "…"


def printable(text: str) -> str:
    r"""Return text on one line, without the control characters that a record from elsewhere could hold.

    Examples
    --------
    >>> printable("two\nlines")
    'two lines'
    """
    return "".join(letter if letter.isprintable() else " " for letter in text).strip()


def _plain_text(rows: Sequence[RunSummary], baseline: int) -> str:
    parts = [legend(rows, baseline)]
    if found := difference_rows(rows):
        parts.append(_aligned(found))
    table, notes = metric_rows(rows, baseline)
    parts.append(_aligned(table))
    parts.append("".join(textwrap.fill(note, WIDTH, subsequent_indent=GAP) + "\n" for note in notes))
    return "\n".join(part for part in parts if part)


def _markdown(rows: Sequence[RunSummary], baseline: int) -> str:
    parts = ["".join(f"- {line}\n" for line in legend(rows, baseline).splitlines())]
    if found := difference_rows(rows):
        parts.append(_markdown_table(found))
    table, notes = metric_rows(rows, baseline)
    parts.append(_markdown_table(table))
    parts.append("".join(f"- {_escaped(note)}\n" for note in notes))
    return "\n".join(part for part in parts if part)


def _json(rows: Sequence[RunSummary], baseline: int) -> str:
    values, reasons = collect(rows, baseline)
    runs = [
        _identity(run)
        | metrics
        | {"members": [member.name for member in run.members], "spread": _spreads(run, metrics, rows[baseline])}
        | {"results": run.results, "energy": run.energy, "reasons": run.reasons | why}
        for run, metrics, why in zip(rows, values, reasons, strict=True)
    ]
    content = {"baseline": rows[baseline].name, "differences": differences(rows), "runs": runs}
    return json.dumps(plain(content), indent=1, allow_nan=False)


def _csv(rows: Sequence[RunSummary], baseline: int) -> str:
    values, _ = collect(rows, baseline)
    lines = []
    for run, metrics in zip(rows, values, strict=True):
        lines.append(_identity(run) | metrics)
        for name, (least, most) in _spreads(run, metrics, rows[baseline]).items():
            lines[-1] |= {f"{name}_least": least, f"{name}_most": most}
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(name for line in lines for name in line)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def _identity(run: RunSummary) -> dict[str, Any]:
    named = {"run": run.name, "directory": str(run.directory), "app": run.app, "ranks": run.ranks}
    return named | {"repeats": len(run.members) or 1}


def _spreads(run: RunSummary, names: Iterable[str], baseline: RunSummary) -> dict[str, tuple[float, float]]:
    return {name: found for name in names if (found := spread(run, name, baseline)) is not None}


def legend(rows: Sequence[RunSummary], baseline: int | None) -> str:
    """Return a line for each run: its number, directory, app and ranks, and which one is the baseline.

    Of repeats it names all directories.
    """
    lines = []
    for index, run in enumerate(rows):
        ranks = f"{run.ranks} rank{'' if run.ranks == 1 else 's'}"
        first = ", baseline" if index == baseline and len(rows) > 1 else ""
        where = str(run.directory)
        if run.members:
            directories = ", ".join(str(member.directory) for member in run.members)
            where = f"median of {len(run.members)} repeats, {directories}"
        lines.append(f"run {index + 1}: {printable(f'{where} ({run.app}, {ranks}{first})')}\n")
    return "".join(lines)


def difference_rows(rows: Sequence[RunSummary]) -> Rows:
    """Return the keys of the configuration whose values differ, below a head; nothing if there are none."""
    found = differences(rows)
    if not found:
        return []
    return [_header("configuration", rows)] + [[printable(key), *map(cell, values)] for key, values in found.items()]


def metric_rows(rows: Sequence[RunSummary], baseline: int) -> tuple[Rows, list[str]]:
    """Return a row for each metric below a head, with the spread of repeats under it, and lines on what is missing."""
    values, reasons = collect(rows, baseline)
    table = [_header("run", rows)]
    for name in values[0]:
        missing = "unavailable" if name.startswith("energy") else "-"
        table.append([printable(name), *(missing if row[name] is None else cell(row[name]) for row in values)])
        spreads = [spread(run, name, rows[baseline]) for run in rows]
        if any(spreads):
            ends = ["" if found is None else " to ".join(map(cell, found)) for found in spreads]
            table.append([f"{printable(name)}, spread", *ends])
    return table, _notes(reasons)


def _notes(reasons: Sequence[Mapping[str, str]]) -> list[str]:
    """Gather the reasons of missing values: names with the same reason in the same runs share a line."""
    runs_by_gap: dict[tuple[str, str], list[str]] = {}
    for index, why in enumerate(reasons):
        for name, reason in why.items():
            runs_by_gap.setdefault((name, reason), []).append(str(index + 1))
    names_by_reason: dict[tuple[str, str], list[str]] = {}
    for (name, reason), runs in runs_by_gap.items():
        where = "" if len(runs) == len(reasons) else f" (run {', '.join(runs)})"
        names_by_reason.setdefault((reason, where), []).append(name)
    return [f"no {', '.join(names)}{where}: {printable(reason)}" for (reason, where), names in names_by_reason.items()]


def _header(title: str, rows: Sequence[RunSummary]) -> list[str]:
    return [title, *(str(index + 1) for index in range(len(rows)))]


def _aligned(table: Rows) -> str:
    """Columns of equal width, names left and values right, in blocks that fit the width."""
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    blocks: list[list[int]] = [[]]
    for column in range(1, len(widths)):
        used = widths[0] + sum(widths[known] + len(GAP) for known in blocks[-1])
        if blocks[-1] and used + len(GAP) + widths[column] > WIDTH:
            blocks.append([])
        blocks[-1].append(column)
    return "\n".join("".join(_line(row, block, widths) for row in table) for block in blocks)


def _line(row: Sequence[str], columns: Sequence[int], widths: Sequence[int]) -> str:
    cells = [row[0].ljust(widths[0]), *(row[column].rjust(widths[column]) for column in columns)]
    return GAP.join(cells).rstrip() + "\n"


def _markdown_table(table: Rows) -> str:
    rule = ["---", *("---:" for _ in table[0][1:])]
    lines = [table[0], rule, *table[1:]]
    return "".join(f"| {' | '.join(map(_escaped, line))} |\n" for line in lines)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")
