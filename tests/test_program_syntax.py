"""What is not part of the language is refused before anything is evaluated."""

from __future__ import annotations

import contextlib
import random
import string

import pytest

from pyembody.program import compile_expression
from pyembody.program.syntax import parse
from pyembody.spec import Signal, SpecError

SIGNALS = {"x": Signal("x", source="s"), "v": Signal("v", "vector", 3, source="s")}
REFUSED = {
    "x.real": "an attribute is not part of the language (Attribute)",
    "(lambda: x)()": "Lambda",
    "[y for y in v]": "ListComp",
    "f'{x}'": "JoinedStr",
    "(y := x)": "NamedExpr",
    "x @ x": "MatMult",
    "x // 2": "FloorDiv",
    "x << 2": "LShift",
    "x & x": "BitAnd",
    "~x": "Invert",
    "x is x": "Is",
    "x in v": "In",
    "{1: x}": "Dict",
    "{x}": "Set",
    "norm(*v)": "Starred",
    "norm(**v)": "keyword",
    "None": "expected a number, got None",
    "1j": "expected a number",
    "b'a'": "expected a number",
    "...": "expected a number",
    "x +": "not an expression",
    "x = 1": "not an expression",
    "import os": "not an expression",
    "__import__('os')": "unknown operation '__import__'",
    "norm(v)(x)": "name of an operation",
    "x # comment": "printable ASCII but not #",
    "x + \u00e9": "printable ASCII",
    "": "expected an expression",
    "'word'": "constant number",
    "1" * 41: "at most 40 digits",
    "(" * 33 + "x" + ")" * 33: "at most 32 nested brackets",
    "-" * 40 + "x": "at most 32 levels",
    "not " * 400 + "x": "at most 32 levels",
    "x" + " + x" * 200: "levels",
    "max(x" + ", x" * 600 + ")": "at most 512 parts",
    "x" * 5000: "at most 4096 characters",
}


@pytest.mark.parametrize("text", REFUSED, ids=range(len(REFUSED)))
def test_refused_by_name(text: str) -> None:
    with pytest.raises(SpecError) as caught:
        compile_expression(text, SIGNALS)
    assert REFUSED[text] in str(caught.value)


def test_column_points_at_the_part() -> None:
    with pytest.raises(SpecError, match="column 5: an attribute"):
        parse("x + x.y", "here")


def test_random_text_never_does_worse_than_a_spec_error() -> None:
    rng = random.Random(0)
    pieces = [
        *string.printable[:95],
        "x",
        "v",
        "norm(",
        "prev(",
        "[",
        "]",
        ")",
        " and ",
        " if ",
        " else ",
        "1e9",
        "**",
    ]
    for _ in range(3000):
        text = "".join(rng.choice(pieces) for _ in range(rng.randint(1, 24)))
        with contextlib.suppress(SpecError):
            compile_expression(text, SIGNALS)
