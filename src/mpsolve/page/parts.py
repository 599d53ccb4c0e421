"""Parts of an HTML page: everything from a record is escaped, and nothing is fetched from anywhere."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from mpsolve.compare import colours

STYLE = """
:root { color-scheme: light; --ink: #1c2330; --faint: #5a6272; --line: #d8dce3; }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); margin: 0 auto; max-width: 72rem; padding: 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.4rem 0 .4rem; }
table { border-collapse: separate; border-spacing: 0; font-variant-numeric: tabular-nums; margin: .4rem 0; }
th, td { padding: .25rem .7rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: #fff; white-space: normal; }
td:first-child { min-width: 8rem; max-width: 18rem; overflow-wrap: break-word; }
.wide { overflow-x: auto; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 26rem), 1fr)); gap: 1.2rem; }
figure { margin: 0; } img { width: 100%; height: auto; }
figcaption, .note { color: var(--faint); font-size: .9rem; margin: .4rem 0; overflow-wrap: anywhere; }
.stack { display: grid; grid-template-columns: minmax(4rem, max-content) 1fr; gap: .25rem .7rem; align-items: center; }
.stack .bar { display: flex; align-items: center; gap: .5rem; font-size: .9rem; white-space: nowrap; }
.stack .parts { display: flex; height: 1rem; min-width: 2px; border-radius: 2px; overflow: hidden; flex: none; }
.key { display: inline-block; margin-right: 1rem; white-space: nowrap; }
.key i { display: inline-block; width: .8rem; height: .8rem; border-radius: 2px; margin-right: .35rem; }
@media (max-width: 40rem) {
  body { padding: .6rem; } th, td { padding: .2rem .4rem; font-size: .85rem; }
  td:first-child { min-width: 5.5rem; max-width: 9.5rem; } .stack { font-size: .85rem; gap: .25rem .4rem; }
}
"""

# Room beside the longest bar for its number.
NUMBER = "6.5rem"


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
        f"<tr><{kind}>{_breakable(row[0])}</{kind}>"
        + "".join(f"<{kind}>{escape(cell)}</{kind}>" for cell in row[1:])
        + "</tr>"
        for row, kind in zip(rows, ["th", *["td"] * (len(rows) - 1)], strict=True)
    )
    return f'<div class="wide"><table>\n<thead>{head}</thead>\n<tbody>{"".join(body)}</tbody>\n</table></div>'


def _breakable(name: str) -> str:
    """Return a name that a narrow column may break behind its underscores and dots."""
    return escape(name).replace("_", "_<wbr>").replace(".", ".<wbr>")


def notes(lines: Sequence[str]) -> str:
    """Return lines of small print."""
    return "\n".join(f'<p class="note">{escape(line)}</p>' for line in lines)


def heading(text: str) -> str:
    """Return a heading within a section."""
    return f"<h3>{escape(text)}</h3>"


def stacked(rows: Sequence[tuple[str, Mapping[str, float]]], unit: str) -> str:
    """Return a bar for each row, all on one scale, in parts of different colours with a key below.

    Parameters
    ----------
    rows : sequence
        Label of each bar, and its parts; those that are not positive are left out, and rows without any too.
    unit : str
        Of the sum that stands beside a bar.
    """
    shown = [(label, {name: value for name, value in found.items() if value > 0}) for label, found in rows]
    shown = [(label, found) for label, found in shown if found]
    names = list(dict.fromkeys(name for _, found in shown for name in found))
    tints = {name: colours.CYCLE[place % len(colours.CYCLE)] for place, name in enumerate(names)}
    top = max((sum(found.values()) for _, found in shown), default=0.0)
    bars = [f"<span>{escape(label)}</span>{_bar(found, tints, top, unit)}" for label, found in shown]
    keys = [f'<span class="key"><i style="background:{tints[name]}"></i>{escape(name)}</span>' for name in names]
    return f'<div class="stack">{"".join(bars)}</div>\n<p class="note">{"".join(keys)}</p>' if bars else ""


def _bar(found: Mapping[str, float], tints: Mapping[str, str], top: float, unit: str) -> str:
    whole = sum(found.values())
    parts = "".join(
        f'<span style="width:{100 * value / whole:.3f}%;background:{tints[name]}" '
        f'title="{escape(f"{name}: {value:.3g} {unit}", quote=True)}"></span>'
        for name, value in found.items()
    )
    width = f"calc((100% - {NUMBER}) * {whole / top:.4f})"
    return (
        f'<span class="bar"><span class="parts" style="width:{width}">{parts}</span>{whole:.3g} {escape(unit)}</span>'
    )


def pictures(paths: Sequence[tuple[Path, str]]) -> str:
    """Return PNG files as part of the page, each with what it shows."""
    figures = []
    for path, caption in paths:
        data = base64.b64encode(path.read_bytes()).decode("ascii")
        image = f'<img alt="{escape(caption, quote=True)}" src="data:image/png;base64,{data}">'
        figures.append(f"<figure>{image}<figcaption>{escape(caption)}</figcaption></figure>")
    return f'<div class="pictures">{"".join(figures)}</div>' if figures else ""
