"""The parts of an HTML page: escaped text, tables, figures, and one style sheet for light
and dark.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

from .plots import INK

CSS = """
:root { color-scheme: light dark; --paper: #f6f7f9; --card: #ffffff; --ink: #1b2430; --faint: #66748a; --line: #e1e6ee;
  --accent: #2f7de1; --good: #1f9465; --shade: #eef2f8; }
@media (prefers-color-scheme: dark) { :root { --paper: #0f141b; --card: #171e28; --ink: #e4e9f1; --faint: #94a3b8;
  --line: #283342; --accent: #6aa8f7; --good: #4fcf9b; --shade: #1e2835; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 40px 24px 64px; }
header h1 { font-size: 30px; line-height: 1.2; margin: 0 0 6px; letter-spacing: -0.02em; }
header p { margin: 0; color: var(--faint); }
blockquote { margin: 18px 0 0; padding: 2px 0 2px 16px; border-left: 3px solid var(--accent); font-size: 18px; }
h2 { font-size: 19px; margin: 0 0 12px; letter-spacing: -0.01em; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 22px 24px; margin-top: 20px; }
section > p:first-of-type { margin-top: 0; color: var(--faint); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(190px, 1fr)); gap: 14px; margin-top: 24px; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 16px 18px; }
.card b { display: block; font-size: 27px; line-height: 1.25; letter-spacing: -0.02em; font-variant-numeric: tabular-nums; }
.card span { color: var(--faint); font-size: 13px; } .card i { display: block; font-style: normal; font-size: 13px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { text-align: right; font-weight: 600; color: var(--faint); font-size: 13px; padding: 6px 10px; white-space: nowrap; }
td { text-align: right; padding: 6px 10px; border-top: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
td small { color: var(--faint); display: block; line-height: 1.2; }
.bar { display: inline-block; width: 110px; height: 8px; border-radius: 4px; background: var(--shade); margin-left: 10px; }
.bar u { display: block; height: 8px; border-radius: 4px; background: var(--accent); }
video { width: 100%; border-radius: 10px; display: block; background: #000; }
svg { width: 100%; height: auto; display: block; } svg text { font-family: inherit !important; }
figure { margin: 0 0 18px; } figure:last-child { margin-bottom: 0; }
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


def section(title: str, *parts: str) -> str:
    """Return a titled box around HTML parts; nothing if there are none."""
    content = "\n".join(part for part in parts if part)
    return f"<section>\n<h2>{escape(title)}</h2>\n{content}\n</section>" if content else ""


def paragraph(text: str, command: str = "") -> str:
    """Return a paragraph of plain text, a command after it."""
    code = f" <code>{escape(command)}</code>" if command else ""
    return f"<p>{escape(text)}{code}</p>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; `head` is plain text, the cells of `rows` are HTML."""
    top = "".join(f"<th>{escape(h)}</th>" for h in head)
    body = "\n".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    inside = f"<thead><tr>{top}</tr></thead>\n<tbody>\n{body}\n</tbody>"
    return f'<div class="scroll"><table>\n{inside}\n</table></div>'


def card(label: str, value: str, note: str) -> str:
    """Return a box with one large figure; all three are plain text."""
    inside = f"<span>{escape(label)}</span><b>{escape(value)}</b><i>{escape(note)}</i>"
    return f'<div class="card">{inside}</div>'


def bar(share: float) -> str:
    """Return a bar that is `share` full, from 0 to 1."""
    return f'<span class="bar"><u style="width:{100 * min(max(share, 0.0), 1.0):.1f}%"></u></span>'


def figure(svg: str) -> str:
    """Return an SVG text as a part of the page, in the colour of the page's text and as wide as the
    page.
    """
    start = svg.find("<svg")
    svg = svg[start:].replace(INK, "currentColor")
    head, _, rest = svg.partition(">")
    head = re.sub(r'\s(width|height)="[^"]*"', "", head)
    return f"<figure>{head}>{rest}</figure>"


def details(title: str, text: str) -> str:
    """Return plain text that opens on a click."""
    return f"<details><summary>{escape(title)}</summary><pre>{escape(text)}</pre></details>"
