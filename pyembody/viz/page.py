"""The parts of an HTML page: escaped text, tables, figures, and one style sheet for light
and dark.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from .plots import INK

NOTHING, MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"
CSS = """
:root { color-scheme: light dark; --paper: #f6f7f9; --card: #ffffff; --ink: #1b2430; --faint: #66748a; --line: #e1e6ee;
  --accent: #2f7de1; --penalty: #d6584a; --shade: #eef2f8; }
@media (prefers-color-scheme: dark) { :root { --paper: #0f141b; --card: #171e28; --ink: #e4e9f1; --faint: #94a3b8;
  --line: #283342; --accent: #6aa8f7; --penalty: #f08a7c; --shade: #1e2835; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 40px 24px 64px; }
header h1 { font-size: 30px; line-height: 1.2; margin: 0 0 6px; letter-spacing: -0.02em; }
header p { margin: 0; color: var(--faint); }
blockquote { margin: 18px 0 0; padding: 2px 0 2px 16px; border-left: 3px solid var(--accent); font-size: 18px; }
h2 { font-size: 19px; margin: 0 0 12px; letter-spacing: -0.01em; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 22px 24px; margin-top: 20px; }
section > p:first-of-type { margin-top: 0; color: var(--faint); max-width: 78ch; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(220px, 1fr)); gap: 14px; margin-top: 24px; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 16px 18px; }
.card b { display: block; font-size: 28px; line-height: 1.3; letter-spacing: -0.02em; font-variant-numeric: tabular-nums; }
.card span { font-weight: 600; } .card i { display: block; font-style: normal; font-size: 13px; }
.card small { display: block; color: var(--faint); font-size: 12.5px; line-height: 1.4; margin-top: 6px; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { text-align: right; font-weight: 600; color: var(--faint); font-size: 13px; padding: 6px 10px; white-space: nowrap; }
td { text-align: right; padding: 7px 10px; border-top: 1px solid var(--line); white-space: nowrap; vertical-align: top; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
td:first-child { white-space: normal; min-width: 230px; }
td small { color: var(--faint); display: block; font-size: 12.5px; line-height: 1.35; overflow-wrap: anywhere; }
tr.group td { border-top: 2px solid var(--line); padding-top: 14px; font-weight: 600; }
tr.group small { font-weight: 400; }
.bar { display: inline-block; position: relative; width: 150px; height: 10px; border-radius: 5px; background: var(--shade);
  margin-left: 10px; vertical-align: middle; }
.bar::after { content: ""; position: absolute; left: 50%; top: -2px; bottom: -2px; width: 1px; background: var(--faint); }
.bar u { position: absolute; top: 0; bottom: 0; } .bar .pays { left: 50%; background: var(--accent); border-radius: 0 5px 5px 0; }
.bar .takes { right: 50%; background: var(--penalty); border-radius: 5px 0 0 5px; }
video { width: 100%; border-radius: 10px; display: block; background: #000; }
svg { width: 100%; height: auto; display: block; } svg text { font-family: inherit !important; }
figure { margin: 0 0 22px; } figure:last-child { margin-bottom: 0; }
figcaption { color: var(--faint); font-size: 13px; line-height: 1.45; margin-top: 8px; max-width: 88ch; }
code, pre { font: 13.5px/1.6 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
pre { background: var(--shade); border-radius: 10px; padding: 14px 16px; overflow-x: auto; margin: 0; }
p code { background: var(--shade); border-radius: 5px; padding: 1px 6px; }
details { border-top: 1px solid var(--line); padding: 10px 0; } summary { cursor: pointer; font-weight: 600; }
details pre { margin-top: 10px; max-height: 420px; overflow: auto; }
"""  # noqa: E501


def document(title: str, body: Iterable[str]) -> str:
    """Return a whole page around `body`, which is HTML already."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{CSS}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in body if part)
        + "\n</main>\n</body>\n</html>\n"
    )


def _prose(text: str) -> str:
    """Plain text as HTML; a number stays with its percent sign."""
    return escape(text).replace(" %", "&nbsp;%")


def section(title: str, *parts: str) -> str:
    """Return a titled box around HTML parts; nothing if there are none."""
    content = "\n".join(part for part in parts if part)
    return f"<section>\n<h2>{escape(title)}</h2>\n{content}\n</section>" if content else ""


def paragraph(text: str, command: str = "") -> str:
    """Return a paragraph of plain text, a command after it."""
    code = f" <code>{escape(command)}</code>" if command else ""
    return f"<p>{_prose(text)}{code}</p>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; `head` is plain text, the cells of `rows` are HTML. A row of one cell heads a group."""
    top = "".join(f"<th>{escape(h)}</th>" for h in head)
    body = "\n".join(_row(row, len(head)) for row in rows)
    inside = f"<thead><tr>{top}</tr></thead>\n<tbody>\n{body}\n</tbody>"
    return f'<div class="scroll"><table>\n{inside}\n</table></div>'


def _row(row: Sequence[str], columns: int) -> str:
    if len(row) == 1 < columns:
        return f'<tr class="group"><td colspan="{columns}">{row[0]}</td></tr>'
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>"


def explained(label: str, text: str) -> str:
    """Return a cell with a name and, below it, what it is; both are plain text."""
    return escape(label) + (f"<small>{_prose(text)}</small>" if text else "")


def card(label: str, value: str, note: str, text: str) -> str:
    """Return a box with one large figure, a note on it, and what it is; all are plain text."""
    inside = f"<span>{escape(label)}</span><b>{escape(value)}</b><i>{escape(note)}</i><small>{_prose(text)}</small>"
    return f'<div class="card">{inside}</div>'


def signed_bar(share: float) -> str:
    """Return a bar from the middle: to the right for a share above 0, to the left below; full at 1 and -1."""
    width = 50 * min(abs(share), 1.0)
    return f'<span class="bar"><u class="{"pays" if share >= 0 else "takes"}" style="width:{width:.1f}%"></u></span>'


def figure(svg: str, caption: str) -> str:
    """Return an SVG text as a part of the page, in the colour of the page's text and as wide as the
    page, with a caption of plain text.
    """
    start = svg.find("<svg")
    svg = svg[start:].replace(INK, "currentColor")
    head, _, rest = svg.partition(">")
    head = re.sub(r'\s(width|height)="[^"]*"', "", head)
    return f"<figure>{head}>{rest}<figcaption>{_prose(caption)}</figcaption></figure>"


def details(title: str, text: str) -> str:
    """Return plain text that opens on a click."""
    return f"<details><summary>{escape(title)}</summary><pre>{escape(text)}</pre></details>"


def percent(value: Any) -> str:
    """Return a share as text, a dash for None."""
    return NOTHING if value is None else f"{100 * float(value):.1f} %"


def number(value: Any) -> str:
    """Return a number as text with three digits, a dash for None, anything else as it is."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return NOTHING if value is None else str(value)
    return (f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}").replace("-", MINUS)
