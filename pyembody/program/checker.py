"""From Python's tree to the typed tree: names, subscripts, operators, calls."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Protocol

from ..spec.errors import SpecError, unknown
from .binding import Binder
from .call import Call
from .operations import OPERATIONS, Operation
from .operations.leaves import literal
from .outside import Outside
from .subscript import select
from .syntax import MAX_DEPTH, MAX_NODES, MAX_WRITTEN, parse
from .types import Node, Place, Type, distinct_parts, replace
from .units import ONE, UnitError, UnitSolver

BINARY = {"Add": "add", "Sub": "sub", "Mult": "mul", "Div": "div", "Mod": "mod", "Pow": "pow"}
COMPARE = {"Lt": "lt", "LtE": "le", "Gt": "gt", "GtE": "ge", "Eq": "eq", "NotEq": "ne"}
SYMBOLS = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "div": "/",
    "mod": "%",
    "pow": "**",
    "neg": "-",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
    "eq": "==",
    "ne": "!=",
}
FLOAT_MAX = 3.4028234663852886e38


class Names(Protocol):
    """Where a checker finds the meaning of a name."""

    solver: UnitSolver
    angles: list[tuple[Call, Any]]
    places: dict[int, Place]

    @property
    def outside(self) -> Outside:
        """Tables, learned signals and kernels by name."""

    def lookup(self, name: str, place: str) -> Node:
        """Return the node of a name. Raises SpecError at `place`."""

    def stage_number(self, name: str, place: str) -> int:
        """Return the number of a stage."""

    def moment(self, which: str, place: str) -> Node:
        """Return the parameter of a running mean or standard deviation."""


class Checker:
    """Types one expression. `pure_factors` is for definitions: literals that multiply are pure
    numbers there.
    """

    def __init__(
        self,
        names: Names,
        place: str,
        local: Mapping[str, Node] | None = None,
        pure_factors: bool = False,
    ):
        self.names = names
        self.place = place
        self.local = dict(local or {})
        self.pure_factors = pure_factors

    def check(self, tree: ast.expr) -> Node:
        """Return the typed tree of an expression. Raises SpecError naming place, column and what
        does not fit.
        """
        node = self._typed(tree)
        if not (self.pure_factors or isinstance(tree, ast.Name)):
            end = tree.end_col_offset or tree.col_offset
            self.names.places[id(node)] = Place(node, self.place, tree.col_offset, end, tree)
        return node

    def _typed(self, tree: ast.expr) -> Node:
        match tree:
            case ast.Constant(value=bool(value)):
                return Node("literal", (), Type("bool"), {"values": (float(value),)})
            case ast.Constant() | ast.UnaryOp(op=ast.USub(), operand=ast.Constant()):
                return self.literal([self.number(tree)], 0, isinstance(_value(tree), int))
            case ast.List() | ast.Tuple():
                return self._list(tree)
            case ast.Name(id=name):
                return self.local.get(name) or self.names.lookup(name, self.at(tree))
            case ast.Subscript():
                return select(self.check(tree.value), tree.slice, self.at(tree))
            case ast.Call():
                return self._call(tree)
            case _:
                return self._operator(tree)

    def _operator(self, tree: ast.expr) -> Node:
        match tree:
            case ast.UnaryOp(op=ast.UAdd()):
                return self.check(tree.operand)
            case ast.UnaryOp(op=op):
                name = "not" if isinstance(op, ast.Not) else "neg"
                return self.apply(name, [self.check(tree.operand)], {}, tree)
            case ast.BinOp(op=ast.Pow()):
                return self.apply(
                    "pow", [self.check(tree.left)], {"c": self.number(tree.right)}, tree
                )
            case ast.BinOp(op=op):
                parts = [tree.left, tree.right]
                factors = self.pure_factors and isinstance(op, ast.Mult | ast.Div)
                args = [
                    self._pure(self.check(p))
                    if factors and _value(p) is not None
                    else self.check(p)
                    for p in parts
                ]
                return self.apply(BINARY[type(op).__name__], args, {}, tree)
            case ast.BoolOp(op=op, values=values):
                name = "and" if isinstance(op, ast.And) else "or"
                return self._chain(name, [self.check(v) for v in values], tree)
            case ast.IfExp():
                args = [self.check(t) for t in (tree.test, tree.body, tree.orelse)]
                return self.apply("where", args, {}, tree)
            case ast.Compare(left=left, ops=ops, comparators=comparators):
                args = [self._operand(t, (left, *comparators)) for t in (left, *comparators)]
                pairs = [
                    self.apply(COMPARE[type(op).__name__], [a, b], {}, tree)
                    for op, a, b in zip(ops, args, args[1:], strict=False)
                ]
                return self._chain("and", pairs, tree)
        raise self.error(tree, f"{type(tree).__name__} cannot stand here")

    def _operand(self, tree: ast.expr, others: tuple[ast.expr, ...]) -> Node:
        """A side of a comparison; the name of a stage may stand beside `stage`."""
        word = tree.value if isinstance(tree, ast.Constant) and isinstance(tree.value, str) else None
        if word is None or not any(isinstance(t, ast.Name) and t.id == "stage" for t in others):
            return self.check(tree)
        return self.literal([self.names.stage_number(word, self.at(tree))], 0, True)

    def _chain(self, name: str, args: list[Node], tree: ast.expr) -> Node:
        total = args[0]
        for node in args[1:]:
            total = self.apply(name, [total, node], {}, tree)
        return total

    # --- constants --------------------------------------------------------------------------------

    def literal(self, values: list[float], width: int, integer: bool) -> Node:
        """Return a literal of any unit."""
        t = Type("number", width, units=(self.names.solver.fresh(),), integer=integer)
        return literal(tuple(values), t)

    def _list(self, tree: ast.List | ast.Tuple) -> Node:
        if not tree.elts or len(tree.elts) > 64:
            raise self.error(tree, f"expected 1 to 64 numbers in a list, got {len(tree.elts)}")
        if all(_value(t) is not None and not isinstance(_value(t), bool | str) for t in tree.elts):
            values = [self.number(t) for t in tree.elts]
            return self.literal(
                values, len(values), all(isinstance(_value(t), int) for t in tree.elts)
            )
        return self.apply("list", [self.check(t) for t in tree.elts], {}, tree)

    def number(self, tree: ast.expr) -> float:
        """The value of a constant: a signed number, or a constant parameter of a definition."""
        value = _value(tree)
        if value is None and isinstance(tree, ast.Name) and tree.id in self.local:
            node = self.local[tree.id]
            if node.op == "literal" and len(node.static["values"]) == 1:
                value = node.static["values"][0]
        if value is None or isinstance(value, bool | str):
            raise self.error(tree, "expected a constant number")
        if not (math.isfinite(value) and abs(value) <= FLOAT_MAX):
            raise self.error(tree, f"expected a finite float32 number, got {value}")
        return float(value)

    def _pure(self, node: Node) -> Node:
        self.names.solver.equal(node.type.unit, ONE)
        return node

    # --- calls ------------------------------------------------------------------------------------

    def _call(self, tree: ast.Call) -> Node:
        if not isinstance(tree.func, ast.Name):
            raise self.error(tree, "expected the name of an operation before (")
        name = tree.func.id
        operation = OPERATIONS.get(name)
        if operation is None or not (operation.public or self.pure_factors):
            raise unknown(
                self.at(tree), "operation", name, (n for n, o in OPERATIONS.items() if o.public)
            )
        args, static = Binder(self, operation, tree).bind()
        return self.apply(name, args, static, tree)

    def apply(self, name: str, args: list[Node], static: dict[str, Any], tree: ast.expr) -> Node:
        """Return the node of an operation applied to typed arguments. Raises SpecError."""
        operation = OPERATIONS[name]
        at = self.at(tree)
        call = Call(SYMBOLS.get(name, name), args, static, at, self.names.solver, self.names.angles)
        if operation.rule is None:
            return self._expand(operation, call)
        t = operation.rule(call)
        size = 1 + sum(n.size for n in call.args)
        depth = 1 + max((n.depth for n in call.args), default=0)
        node = Node(name, tuple(call.args), t, call.static, size=size, depth=depth)
        if not self.pure_factors:
            _check_size(node, at)
        return node

    def _expand(self, operation: Operation, call: Call) -> Node:
        """The node of an operation that the language itself defines."""
        text = operation.text if isinstance(operation.text, str) else operation.text(call)
        values = [p.name for p in operation.parameters if p.kind == "value"]
        values += [f"more{i}" for i in range(len(call.args) - len(values))]
        local = dict(zip(values, call.args, strict=True))
        for name, value in call.static.items():
            if isinstance(value, int | float):
                local[name] = literal((float(value),), Type(units=(ONE,)))
        inner = Checker(self.names, f"{call.place}: {call.name}", local, pure_factors=True)
        *parts, (_, last) = definition(text)
        for name, tree in parts:
            inner.local[name] = inner.check(tree)
        node = inner.check(last)
        if operation.pure:
            try:
                self.names.solver.equal(node.type.unit, ONE)
            except UnitError as clash:
                call.fail(f"expected a pure number, got {clash.left}")
            node = replace(node, type=replace(node.type, integer=False))
        size = 1 + sum(n.size for n in call.args)
        depth = 1 + max((n.depth for n in call.args), default=0)
        node = replace(node, size=size, depth=depth, parts=tuple(call.args))
        if not self.pure_factors:
            _check_size(node, call.place)
        return node

    def at(self, tree: ast.expr) -> str:
        """Return the place of a part of the text."""
        return self.place if self.pure_factors else f"{self.place}: column {tree.col_offset + 1}"

    def error(self, tree: ast.expr, message: str) -> SpecError:
        """Return an error at a part of the text."""
        return SpecError(f"{self.at(tree)}: {message}")


def _check_size(node: Node, place: str) -> None:
    """Refuse an expression that is too large with its lets; a definition counts as one part."""
    if node.size <= min(MAX_NODES, MAX_WRITTEN) and node.depth <= MAX_DEPTH:
        return
    parts = distinct_parts(node)
    for what, got, most, code in (
        ("parts, each [let] counted once", parts, MAX_NODES, "limit_nodes"),
        ("parts with every [let] written out", node.size, MAX_WRITTEN, "limit_nodes"),
        ("levels with every [let] written out", node.depth, MAX_DEPTH, "limit_depth"),
    ):
        if got > most:
            raise SpecError(f"{place}: expected at most {most} {what}, got {got}", code)


@lru_cache(maxsize=512)
def definition(text: str) -> tuple[tuple[str, ast.expr], ...]:
    """Return the parts `name = expression` of a definition, the last one unnamed."""
    parts: list[tuple[str, ast.expr]] = []
    for part in text.split(";"):
        name, equals, rest = part.partition(" = ")
        parts.append((name.strip(), parse(rest, text)) if equals else ("", parse(part, text)))
    return tuple(parts)


def _value(tree: ast.expr) -> int | float | str | None:
    if (
        isinstance(tree, ast.UnaryOp)
        and isinstance(tree.op, ast.USub)
        and isinstance(tree.operand, ast.Constant)
    ):
        value = tree.operand.value
        return -value if isinstance(value, int | float) else None
    if isinstance(tree, ast.Constant) and isinstance(tree.value, int | float | str):
        return tree.value
    return None
