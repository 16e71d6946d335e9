"""The compiler's errors as findings: their code, place, expected and got, read from the one message that there is."""

from __future__ import annotations

import re

from ...spec.errors import SpecError
from .finding import Finding

CODES: tuple[tuple[str, str], ...] = (
    ("E-NODE", r"is not part of the language"),
    ("E-SIGNAL", r"unknown signal|signals that are not provided"),
    (
        "E-LIMIT",
        r"expected (numbers of )?at most|expected 1 to 64 numbers|too deep|nested brackets|expected 1 to \d+, got",
    ),
    ("E-SYNTAX", r"not an expression|expected an expression|printable ASCII|not TOML|not JSON|an empty file"),
    ("E-RANGE", r"out of range"),
    ("E-POINT", r"\bpoints?\b.*\b(displacements?|point)\b|got both|two points"),
    ("E-FRAME", r"one frame|in the frame|the frame|matching frames"),
    ("E-UNIT", r"\bunits?\b|pure number|an angle in rad"),
    ("E-AXIS", r"reduce\)|no common shape|equal widths|one axis|subscript|over:|vector\[|a vector|scalars"),
    ("E-NAME", r"unknown|is the name of|is also a|defined by itself|is known to|given twice|could be"),
    ("E-RANGE", r"expected a value in|finite|above 0|low <= high|expected .*[<>]="),
    ("E-TYPE", r""),
)
"""Code and what its messages say, where the error itself has no code: those are limits. The first that fits."""
FIXES = {
    "E-NODE": "write it with the operations of the language: signals, numbers, + - * / % **, comparisons, calls",
    "E-SIGNAL": "use a signal that the robot has ('pyembody robot show'), or a robot that has this one",
    "E-LIMIT": "name parts of it in [let], or split it into terms",
    "E-POINT": "subtract another point first: a difference of points has a length and a direction",
    "E-FRAME": "turn one of them with rotate, rotate_inv or to_yaw",
    "E-UNIT": "number(x, 'unit') leaves units; a parameter may declare its own",
    "E-AXIS": "reduce it with sum, mean, norm, any or all, or pick one element with a subscript",
}
REMEDIES = (
    (r"expected an SI unit", "declare the SI unit in the brackets, and multiply the numbers by its factor"),
    (r": its \S+ (has the unit|is a pure)", "a number written there takes that unit; a parameter may declare it"),
    (r"^expected the control step", "dt = 0.02 in the file's first line: the seconds from one step to the next"),
    (r"^expected a channel that is a sum, got combine", 'combine = "sum", or a gate of the whole channel'),
    (r"^expected a channel that is a sum", 'set staging.channel to a channel with combine = "sum"'),
    (r"^expected another channel with a threshold", "give the gate of a channel of a lower level a threshold"),
    (r"\(number\(x, 'unit'\) leaves units\)", "or let a parameter in it declare the unit that it needs"),
    (r"\(num\(b\) gives 0 or 1\)", "or choose by it: where(b, x, y)"),
    (r"truth value", "compare numbers: x > 0.5; and, or, not join truth values"),
    (r"expected (a )?numbers?\b", "num(b) turns a truth value into a number"),
)
"""What to do about messages of one form, before what their code says; without what the message itself says."""
TABLES = (
    "channels|let|terminations|metrics|observations|params|stages|staging|terminal|schedules|templates|tables|learned"
)
PART = rf"(?:{TABLES})\.[\w.]+|machine\[\d+\][\w.]*|success|dt"
PATH = re.compile(rf"(?:^|: )((?:{PART})(?=:|$|,)|(?:{TABLES}|machine)(?=:))")
COLUMN = re.compile(r"column (\d+)")


def finding_of(error: SpecError, texts: dict[str, str]) -> Finding:
    """Return the finding of a compile error; `texts` are the task's expressions by path."""
    message = str(error)
    path = PATH.search(message)
    where = path[1] if path else "task"
    column = COLUMN.search(message)
    start = int(column[1]) - 1 if column else 0
    text = texts.get(where, "")
    rest = message[path.end() :] if path else message
    rest = re.sub(r"^(: )?(column \d+: )?", "", rest)
    expected = re.search(r"expected (.+?)(?:, got|$)", rest)
    got = re.search(r"\bgot (.+?)(?: \(|$)", rest) or re.search(r"unknown [\w ]+? '(.+?)'", rest)
    near = re.search(r"did you mean '(.+?)'", rest)
    code = "E-LIMIT" if error.code else next(code for code, pattern in CODES if re.search(pattern, rest))
    fix = f"write {near[1]}" if near else _remedy(code, rest)
    return Finding(
        code,
        "E",
        where,
        rest,
        (start, _end(text, start) if text else start),
        expected[1] if expected else "",
        got[1] if got else "",
        near[1] if near else "",
        fix,
    )


def _remedy(code: str, message: str) -> str:
    return next((fix for pattern, fix in REMEDIES if re.search(pattern, message)), FIXES.get(code, ""))


def _end(text: str, start: int) -> int:
    """The column after the word, or the one sign, that begins at `start`."""
    text = text.strip()
    word = re.compile(r"\w+").match(text, start)
    return word.end() if word else min(start + 1, len(text))
