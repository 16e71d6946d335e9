"""The part of a report about gates: what each opened for at the end of training, and what it withheld."""

from __future__ import annotations

from typing import Any

from .page import explained, paragraph, section, table

Row = dict[str, Any]
ABOUT = (
    "A gated channel pays only where the levels above it reached their thresholds. A gate that is never open makes its "
    "task outcome-only: lower the threshold of the level above, or let it adapt."
)
COLUMNS = {
    "open": ("open", "share of episodes whose gate opened"),
    "withheld": ("withheld / s", "reward that was not paid, or not yet"),
    "held_share": ("lumps", "share of what was paid that came in one step at the end"),
    "time_to_open": ("opens after", "mean seconds; of gates that decide at the end, the length of open episodes"),
    "threshold": ("threshold", "what the channel itself must reach for lower levels to pay"),
}
LAST = 10
"""Iterations whose mean is shown."""


def gate_section(rows: list[Row]) -> str:
    """Return the section of a run's metrics, empty if nothing is gated."""
    recent = [row["Gate"] for row in rows[-LAST:] if row.get("Gate")]
    if not recent:
        return ""
    lines = [[explained(name, ""), *(_mean(recent, name, key) for key in COLUMNS)] for name in recent[-1]]
    heads = ["channel", *(title for title, _ in COLUMNS.values())]
    words = "; ".join(f"{title}: {text}" for title, text in COLUMNS.values())
    return section("Gates at the end of training", paragraph(f"{ABOUT} {words}."), table(heads, lines))


def gate_words(rows: list[Row]) -> list[str]:
    """Return a line on each gated channel of a run's metrics: how often it paid at the end of training."""
    recent = [row["Gate"] for row in rows[-LAST:] if row.get("Gate")]
    lines = []
    for name in recent[-1] if recent else ():
        shares = [gates[name]["open"] for gates in recent if "open" in gates.get(name, {})]
        if not shares:
            continue
        never = "; nothing of it is paid: lower the threshold of the level above, or let it adapt"
        share = sum(shares) / len(shares)
        lines.append(f"gate of {name}: open in {100 * share:.3g} % of the last episodes{'' if share > 0 else never}")
    return lines


def _mean(recent: list[Row], name: str, key: str) -> str:
    values = [gates[name][key] for gates in recent if key in gates.get(name, {})]
    if not values:
        return ""
    mean = sum(values) / len(values)
    return f"{100 * mean:.0f} %" if key in ("open", "held_share") else f"{mean:.3g}"
