"""From Python's tree to the typed tree: names, subscripts, operators, calls."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Protocol

from msgspec.structs import replace

from ..spec.errors import SpecError, unknown
from .binding import Binder
from .call import Call
from .operations import OPERATIONS, Operation
from .operations.leaves import literal
from .outside import Outside
from .subscript import select
from .syntax import MAX_DEPTH, MAX_NODES, MAX_WRITTEN, parse
from .types import Node, Place, Type, distinct_parts
from .units import ONE, UnitError, UnitSolver

BINARY: dict[type[ast.operator], str] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.Mod: "mod"
}
COMPARE: dict[type[ast.cmpop], str] = {
    ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge", ast.Eq: "eq", ast.NotEq: "ne"
}
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
ROLES = {"s": "scale"}
"""What errors call an argument of a definition, where that is not its name."""
# Made once: a union is an object of its own, and these are asked for at every part.
PLAIN, FACTORS = int | float | str, ast.Mult | ast.Div


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
        rule = RULES.get(type(tree))
        if rule is None:
            raise self.error(tree, f"{type(tree).__name__} cannot stand here")
        node = rule(self, tree)
        if not (self.pure_factors or isinstance(tree, ast.Name)):
            self.names.places[id(node)] = Place(node, self.place, tree)
        return node

    def _constant(self, tree: ast.Constant) -> Node:
        if isinstance(tree.value, bool):
            return Node("literal", (), Type("bool"), {"values": (float(tree.value),)})
        return self.literal([self.number(tree)], 0, isinstance(tree.value, int))

    def _name(self, tree: ast.Name) -> Node:
        return self.local.get(tree.id) or self.names.lookup(tree.id, self.at(tree))

    def _subscript(self, tree: ast.Subscript) -> Node:
        return select(self.check(tree.value), tree.slice, self.at(tree))

    def _unary(self, tree: ast.UnaryOp) -> Node:
        if isinstance(tree.op, ast.USub) and isinstance(tree.operand, ast.Constant):
            return self.literal([self.number(tree)], 0, isinstance(_value(tree), int))
        x = self.check(tree.operand)
        if isinstance(tree.op, ast.UAdd):
            return x
        return self.apply("not" if isinstance(tree.op, ast.Not) else "neg", [x], {}, tree)

    def _binary(self, tree: ast.BinOp) -> Node:
        if isinstance(tree.op, ast.Pow):
            return self.apply("pow", [self.check(tree.left)], {"c": self.number(tree.right)}, tree)
        args = [self.check(tree.left), self.check(tree.right)]
        if self.pure_factors and isinstance(tree.op, FACTORS):
            for part, node in zip((tree.left, tree.right), args, strict=True):
                if _value(part) is not None:
                    self.names.solver.equal(node.type.unit, ONE)
        return self.apply(BINARY[type(tree.op)], args, {}, tree)

    def _logical(self, tree: ast.BoolOp) -> Node:
        name = "and" if isinstance(tree.op, ast.And) else "or"
        return self._chain(name, [self.check(v) for v in tree.values], tree)

    def _choice(self, tree: ast.IfExp) -> Node:
        args = [self.check(t) for t in (tree.test, tree.body, tree.orelse)]
        return self.apply("where", args, {}, tree)

    def _comparison(self, tree: ast.Compare) -> Node:
        sides = (tree.left, *tree.comparators)
        args = [self._operand(t, sides) for t in sides]
        pairs = [
            self.apply(COMPARE[type(op)], [a, b], {}, tree) for op, a, b in zip(tree.ops, args, args[1:], strict=False)
        ]
        return self._chain("and", pairs, tree)

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
        size, depth = _extent(call.args)
        node = Node(name, tuple(call.args), t, call.static, size=size, depth=depth)
        if not self.pure_factors:
            _check_size(node, at)
        return node

    def _expand(self, operation: Operation, call: Call) -> Node:
        """The node of an operation that the language itself defines; an argument of a wrong unit is named."""
        mark = self.names.solver.mark()
        try:
            return self._expanded(operation, call)
        except SpecError:
            if not self.pure_factors:
                self._blame(operation, call, mark)
            raise

    def _blame(self, operation: Operation, call: Call, mark: int) -> None:
        """Raise SpecError naming the last argument that would do in another unit, if there is one."""
        solver, values = self.names.solver, [p.name for p in operation.parameters if p.kind == "value"]
        solver.forget(mark)
        got = [solver.resolve(node.type.unit) for node in call.args]
        for i, name in reversed(list(enumerate(values[: len(got)]))):
            node, fresh = call.args[i], solver.fresh()
            if node.type.mixed or got[i].unknowns:
                continue
            args = list(call.args)
            args[i] = replace(node, type=replace(node.type, units=(fresh,)))
            try:
                self._expanded(operation, replace(call, args=args))
            except (SpecError, UnitError):
                solver.forget(mark)
                continue
            needed = solver.resolve(fresh)
            unit = f"has the unit {needed}" if needed.powers else "is a pure number"
            if not needed.unknowns:
                inferred = node.op == "param" and not node.static["unit"]
                why = f", which parameter '{node.static['name']}' has where it is used elsewhere" if inferred else ""
                call.fail(f"its {ROLES.get(name, repr(name))} {unit}, got {got[i]}{why}")

    def _expanded(self, operation: Operation, call: Call) -> Node:
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
        size, depth = _extent(call.args)
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


RULES: dict[type[ast.expr], Callable[[Checker, Any], Node]] = {
    ast.Constant: Checker._constant,
    ast.List: Checker._list,
    ast.Tuple: Checker._list,
    ast.Name: Checker._name,
    ast.Subscript: Checker._subscript,
    ast.Call: Checker._call,
    ast.UnaryOp: Checker._unary,
    ast.BinOp: Checker._binary,
    ast.BoolOp: Checker._logical,
    ast.IfExp: Checker._choice,
    ast.Compare: Checker._comparison,
}
"""What types each kind of tree."""


def _extent(args: list[Node]) -> tuple[int, int]:
    """Size and depth of an operation on `args`."""
    size, depth = 1, 0
    for node in args:
        size += node.size
        depth = node.depth if node.depth > depth else depth
    return size, depth + 1


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
    if isinstance(tree, ast.Constant) and isinstance(tree.value, PLAIN):
        return tree.value
    return None
