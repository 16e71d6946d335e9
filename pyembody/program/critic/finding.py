"""What the critic says: one finding a fault, with its place, its evidence and a remedy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["E", "W", "N"]
ORDER = {"E": 0, "W": 1, "N": 2}


@dataclass(frozen=True)
class Finding:
    """One fault of a program. E refuses it, W needs leave to be trained (`--allow CODE`), N informs.

    `path` is where it is in the task (`channels.task.terms.track.expr`), `span` the columns (from 0, end excluded) of
    the text there, `fix` what to do about it; `expected`, `got` and `nearest` are empty where they say nothing.
    """

    code: str
    severity: Severity
    path: str
    message: str
    span: tuple[int, int] = (0, 0)
    expected: str = ""
    got: str = ""
    nearest: str = ""
    fix: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the fields by name."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def __str__(self) -> str:
        column = f": column {self.span[0] + 1}" if self.span[1] else ""
        return f"{self.code} {self.path}{column}: {self.message}"


def ordered(findings: list[Finding]) -> list[Finding]:
    """Return findings without repetitions: errors first, then by place in the file's order of reading."""
    once = {(f.code, f.path, f.span, f.message): f for f in findings}
    return sorted(once.values(), key=lambda f: (ORDER[f.severity], f.path, f.span, f.code, f.message))


def refused(findings: list[Finding], allow: tuple[str, ...] = ()) -> list[Finding]:
    """Return the findings that forbid training: errors, and warnings whose code is not in `allow`."""
    return [f for f in findings if f.severity == "E" or (f.severity == "W" and f.code not in allow)]
