"""From text to Python's own syntax tree, with everything that the language does not have refused
first.
"""

from __future__ import annotations

import ast
import re
import warnings
from functools import lru_cache

from ..spec.errors import SpecError

MAX_LENGTH = 4096
MAX_BRACKETS = 32
MAX_DIGITS = 40
MAX_NODES = 512
MAX_WRITTEN = 4096
MAX_DEPTH = 32

ALLOWED: tuple[type[ast.AST], ...] = (
    ast.Expression,
    ast.BoolOp,
    ast.And,
    ast.Or,
    ast.UnaryOp,
    ast.Not,
    ast.USub,
    ast.UAdd,
    ast.BinOp,
    ast.Add,
    ast.Sub,
    ast.Mult,
    ast.Div,
    ast.Mod,
    ast.Pow,
    ast.Compare,
    ast.Lt,
    ast.LtE,
    ast.Gt,
    ast.GtE,
    ast.Eq,
    ast.NotEq,
    ast.IfExp,
    ast.Call,
    ast.keyword,
    ast.Name,
    ast.Load,
    ast.Constant,
    ast.Subscript,
    ast.Slice,
    ast.Tuple,
    ast.List,
)
WORDS = {
    "Attribute": "an attribute",
    "Lambda": "a lambda",
    "JoinedStr": "an f-string",
    "NamedExpr": "an assignment (:=)",
    "ListComp": "a comprehension",
    "GeneratorExp": "a comprehension",
    "SetComp": "a comprehension",
    "DictComp": "a comprehension",
    "Await": "await",
    "Starred": "a star",
    "Dict": "a dictionary",
    "Set": "a set",
    "MatMult": "the operator @",
    "FloorDiv": "the operator // (use floor(a / b))",
    "BitAnd": "the operator &",
    "BitOr": "the operator |",
    "BitXor": "the operator ^ (powers are written **)",
    "LShift": "the operator <<",
    "RShift": "the operator >>",
    "Invert": "the operator ~",
    "Is": "'is'",
    "IsNot": "'is not'",
    "In": "'in'",
    "NotIn": "'not in'",
    "Yield": "yield",
    "YieldFrom": "yield",
}


def parse(text: str, place: str) -> ast.expr:
    """Return the tree of an expression. Raises SpecError with place and column for anything outside
    the language.
    """
    try:
        return _parsed(text)
    except _RefusedError as refused:
        raise SpecError(f"{place}: {refused}", refused.code) from None


class _RefusedError(Exception):
    """What is wrong with a text, wherever it stands."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


@lru_cache(maxsize=4096)
def _parsed(text: str) -> ast.expr:
    """Texts are parsed again and again: definitions at every use, tasks at every edit. Nobody changes a tree."""
    _check_text(text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text.strip().replace("\n", " "), mode="eval")
    except SyntaxError as error:
        column = max(error.offset or 1, 1)
        raise _RefusedError(f"column {column}: not an expression: {error.msg}") from None
    except (RecursionError, MemoryError, ValueError) as error:
        message = f"too deep or not an expression: {error}"
        raise _RefusedError(message, "limit_parser") from None
    _check_tree(tree)
    return tree.body


@lru_cache(maxsize=4096)
def names(tree: ast.expr) -> tuple[tuple[str, int], ...]:
    """Return the names of values in a tree (called names left out) with their columns, in order."""
    found: list[tuple[int, str]] = []
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Name):
            found.append((node.col_offset + 1, node.id))
        parts = _parts(node)
        stack += [n for n in parts if n is not node.func] if isinstance(node, ast.Call) else parts
    return tuple((name, column) for column, name in sorted(found))


def _parts(node: ast.AST) -> list[ast.AST]:
    """The nodes right below a node, without the word that says whether a name is read or written."""
    parts: list[ast.AST] = []
    for field in node._fields:
        value = getattr(node, field, None)
        if isinstance(value, list):
            parts += [item for item in value if isinstance(item, ast.AST)]
        elif isinstance(value, ast.AST) and field != "ctx":
            parts.append(value)
    return parts


def _check_text(text: str) -> None:
    if len(text) > MAX_LENGTH:
        raise _RefusedError(
            f"expected at most {MAX_LENGTH} characters, got {len(text)}", "limit_length"
        )
    if not text.strip():
        raise _RefusedError("expected an expression, got nothing")
    odd = re.search(r"[^ -~\n]|#", text)
    if odd:
        here = f"column {odd.start() + 1}"
        raise _RefusedError(f"{here}: expected printable ASCII but not #, got {odd[0]!r}", "not_ascii")
    digits = re.search(rf"\d{{{MAX_DIGITS + 1}}}", text)
    if digits:
        raise _RefusedError(
            f"column {digits.start() + 1}: expected numbers of at most {MAX_DIGITS} digits",
            "limit_digits",
        )
    depth = 0
    for bracket in re.finditer(r"[\[({\])}]", text):
        depth += 1 if bracket[0] in "([{" else -1
        if depth > MAX_BRACKETS:
            here = f"column {bracket.start() + 1}"
            raise _RefusedError(
                f"{here}: expected at most {MAX_BRACKETS} nested brackets", "limit_brackets"
            )


def _check_tree(tree: ast.Expression) -> None:
    stack: list[tuple[ast.AST, int, int]] = [(tree, 0, 1)]
    count = 0
    while stack:
        node, depth, column = stack.pop()
        column = getattr(node, "col_offset", column - 1) + 1
        if not isinstance(node, ALLOWED):
            kind = type(node).__name__
            words = WORDS.get(kind, kind)
            here = f"column {column}"
            raise _RefusedError(f"{here}: {words} is not part of the language ({kind})")
        if isinstance(node, ast.Constant) and not isinstance(node.value, int | float | str):
            raise _RefusedError(
                f"column {column}: expected a number, got {node.value!r} (Constant)"
            )
        if isinstance(node, ast.keyword) and node.arg is None:
            raise _RefusedError(f"column {column}: ** is not part of the language (keyword)")
        if isinstance(node, ast.expr):
            count, depth = count + 1, depth + 1
        if depth > MAX_DEPTH:
            raise _RefusedError(
                f"column {column}: expected at most {MAX_DEPTH} levels", "limit_depth"
            )
        if count > MAX_NODES:
            raise _RefusedError(f"expected at most {MAX_NODES} parts", "limit_nodes")
        stack += [(child, depth, column) for child in _parts(node)]
