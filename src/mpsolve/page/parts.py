"""Parts of an HTML page: everything from a record is escaped, and nothing is fetched from anywhere."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

STYLE = """
:root { color-scheme: light; --ink: #1c2330; --faint: #667; --line: #d8dce3; --accent: #1f6f8b; }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); margin: 0 auto; max-width: 68rem; padding: 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; border-bottom: 1px solid var(--line); }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .7rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: #fff; }
.wide { overflow-x: auto; } .pictures { display: flex; flex-wrap: wrap; gap: 1rem; }
figure { margin: 0; flex: 1 1 22rem; max-width: 100%; } img { max-width: 100%; height: auto; }
figcaption, .note { color: var(--faint); font-size: .9rem; }
.bars { display: grid; grid-template-columns: max-content 1fr max-content; gap: .2rem .6rem; align-items: center; }
.bar { height: .9rem; background: var(--accent); border-radius: 2px; min-width: 1px; }
@media (max-width: 40rem) { body { padding: .6rem; } th, td { padding: .2rem .4rem; font-size: .9rem; } }
"""


def page(title: str, sections: Sequence[str]) -> str:
    """Return the whole page."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        # Nothing may be loaded or run, whatever a record holds.
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'\">\n"
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n" + "\n".join(part for part in sections if part) + "\n</body>\n</html>\n"
    )


def section(heading: str, *parts: str) -> str:
    """Return a section with a heading; nothing if it has no parts."""
    content = "\n".join(part for part in parts if part)
    return f"<h2>{escape(heading)}</h2>\n{content}" if content else ""


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return a table whose first row is its head; nothing if it has no other."""
    if len(rows) < 2:
        return ""
    head, *body = (
        "<tr>" + "".join(f"<{kind}>{escape(cell)}</{kind}>" for cell in row) + "</tr>"
        for row, kind in zip(rows, ["th", *["td"] * (len(rows) - 1)], strict=True)
    )
    return f'<div class="wide"><table>\n<thead>{head}</thead>\n<tbody>{"".join(body)}</tbody>\n</table></div>'


def notes(lines: Sequence[str]) -> str:
    """Return lines of small print."""
    return "\n".join(f'<p class="note">{escape(line)}</p>' for line in lines)


def bars(title: str, values: Mapping[str, float], unit: str) -> str:
    """Return a bar for each positive value, with its number."""
    shown = {name: value for name, value in values.items() if value > 0}
    if not shown:
        return ""
    top = max(shown.values())
    lines = [
        f'<span>{escape(name)}</span><span class="bar" style="width:{100 * value / top:.2f}%"></span>'
        f"<span>{value:.3g} {escape(unit)}</span>"
        for name, value in shown.items()
    ]
    return f'<p class="note">{escape(title)}</p>\n<div class="bars">{"".join(lines)}</div>'


def pictures(paths: Sequence[tuple[Path, str]]) -> str:
    """Return PNG files as part of the page, each with what it shows."""
    figures = []
    for path, caption in paths:
        data = base64.b64encode(path.read_bytes()).decode("ascii")
        image = f'<img alt="{escape(caption, quote=True)}" src="data:image/png;base64,{data}">'
        figures.append(f"<figure>{image}<figcaption>{escape(caption)}</figcaption></figure>")
    return f'<div class="pictures">{"".join(figures)}</div>' if figures else ""
