"""The critic's findings on the command line: a table, and the refusal to train what has open ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .failure import CommandError
from .tables import make_table

if TYPE_CHECKING:
    from rich.table import Table

    from ..program.critic import Finding
    from ..spec import Robot, Task


def findings_table(findings: Sequence[Finding], allow: tuple[str, ...]) -> Table:
    """Return a table of findings: code, place, what is wrong and what to do about it."""
    from rich.markup import escape

    table = make_table("findings", ["code"], [], "place", "what, and what to do")
    for f in findings:
        style = {"E": "red", "W": "yellow", "N": "dim"}[f.severity]
        column = f", column {f.span[0] + 1}" if f.span[1] else ""
        note = " (allowed)" if f.severity == "W" and f.code in allow else ""
        note = " (note)" if f.severity == "N" and f.code[0] != "N" else note
        fix = f"\n[dim]{escape(f.fix)}[/]" if f.fix else ""
        table.add_row(f"[{style}]{f.code}[/]", f"{escape(f.path)}{column}", f"{escape(f.message)}{note}{fix}")
    return table


def check_codes(allow: tuple[str, ...]) -> None:
    """Raise CommandError for a code that is no warning's."""
    for code in allow:
        if not code.startswith("W-"):
            raise CommandError(f"--allow: expected the code of a warning such as W-IDLE, got '{code}'")


def refuse(findings: Sequence[Finding], allow: tuple[str, ...]) -> None:
    """Raise CommandError naming the first of the findings that forbid training: errors, and warnings not allowed."""
    from ..program.critic import refused

    open_ = refused(list(findings), allow)
    if not open_:
        return
    more = f" (and {len(open_) - 1} more: pyembody reward check)" if len(open_) > 1 else ""
    hint = "" if open_[0].severity == "E" else f"; --allow {open_[0].code} lets it pass"
    raise CommandError(f"{open_[0]}{hint}{more}", 2 if open_[0].severity == "E" else 1)


def refuse_told(findings: Sequence[Finding], allow: tuple[str, ...]) -> None:
    """Raise CommandError as `refuse` does, for findings that were just shown: it only counts them."""
    from ..program.critic import refused

    open_ = refused(list(findings), allow)
    errors = sum(f.severity == "E" for f in open_)
    warned = list(dict.fromkeys(f.code for f in open_ if f.severity == "W"))
    if errors:
        raise CommandError(f"{errors} error{'s' * (errors > 1)}, as told above")
    if open_:
        lets = f"--allow {' '.join(warned)} lets {'it' if len(open_) == 1 else 'them'} pass"
        raise CommandError(f"{len(open_)} warning{'s' * (len(open_) > 1)}, as told above; {lets}", 1)


def refuse_faulty(task: Task, robot: Robot, allow: tuple[str, ...]) -> None:
    """Raise CommandError if the critic finds something in a task that forbids training it; nothing is simulated."""
    from ..envs.critique import critique

    check_codes(allow)
    refuse(critique(task, robot), allow)
