"""Matching the arguments of a call with the parameters of its operation."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from ..spec.errors import unknown
from .operations import Operation, Parameter
from .operations.base import RUNNING
from .types import Node
from .units import parse_scaled

if TYPE_CHECKING:
    from .checker import Checker


class Binder:
    """One call of an operation: `args` are its typed values, `static` its constants by name."""

    def __init__(self, checker: Checker, operation: Operation, tree: ast.Call) -> None:
        self._checker, self._operation, self._tree = checker, operation, tree
        self._args: list[Node] = []
        self._static: dict[str, Any] = {}

    @property
    def _place(self) -> str:
        return self._checker.at(self._tree)

    def bind(self) -> tuple[list[Node], dict[str, Any]]:
        """Return (args, static). Raises SpecError for what is missing, given twice, unknown or of the wrong kind."""
        operation, tree = self._operation, self._tree
        ordered, names = operation.given
        more = tree.args[len(ordered) :]
        if more and not operation.variadic:
            raise self._checker.error(tree, f"{operation.name} takes {len(ordered)} arguments, got {len(tree.args)}")
        given = dict(zip(ordered, tree.args, strict=False))
        for keyword in tree.keywords:
            if keyword.arg not in names:
                raise unknown(self._place, f"argument of {operation.name}", str(keyword.arg), names)
            if keyword.arg in given:
                raise self._checker.error(tree, f"{operation.name}: {keyword.arg} is given twice")
            given[str(keyword.arg)] = keyword.value
        for parameter in operation.parameters:
            self._bind_one(parameter, given.get(parameter.name))
        return self._args + [self._checker.check(t) for t in more], self._static

    def _bind_one(self, parameter: Parameter, value: ast.expr | None) -> None:
        if value is None and parameter.default is None:
            if parameter.kind == "word":
                return
            raise self._checker.error(self._tree, f"{self._operation.name}: argument '{parameter.name}' is missing")
        match parameter.kind:
            case "value":
                self._args.append(self._default(parameter) if value is None else self._checker.check(value))
            case "word":
                self._static[parameter.name] = parameter.default if value is None else self._word(value)
            case "table" | "learned" | "kernel":
                self._outside(parameter, self._word(value or self._tree))
            case "unit":
                self._static[parameter.name] = parse_scaled(self._word(value or self._tree), self._place)
            case kind:
                number = float(str(parameter.default)) if value is None else self._checker.number(value)
                if kind == "int" and number != int(number):
                    message = f"{self._operation.name}: {parameter.name}: expected a whole number"
                    raise self._checker.error(self._tree, message)
                self._static[parameter.name] = int(number) if kind == "int" else number

    def _outside(self, parameter: Parameter, word: str) -> None:
        """Bind the name of something outside the expression."""
        found = self._checker.names.outside
        if parameter.kind == "table":
            self._static[parameter.name] = found.table(word, self._place)
        elif parameter.kind == "kernel":
            self._static[parameter.name] = found.kernel(word, self._place)
        else:
            self._static[parameter.name], node = found.learned(word, self._place)
            self._args.append(node)

    def _default(self, parameter: Parameter) -> Node:
        """The value of an argument left out: a number, or what the place of the expression provides."""
        text = str(parameter.default)
        if not text.startswith("%"):
            return self._checker.literal([float(text)], 0, False)
        if text in self._checker.local:
            return self._checker.local[text]
        if text == "%terminated":
            return self._checker.names.lookup("terminated", self._place)
        if text in RUNNING:
            return self._checker.names.moment(text, self._place)
        message = f"argument '{parameter.name}' is missing; only a term has one of its own"
        raise self._checker.error(self._tree, f"{self._operation.name}: {message}")

    def _word(self, tree: ast.expr) -> str:
        if isinstance(tree, ast.Constant) and isinstance(tree.value, str):
            return tree.value
        raise self._checker.error(tree, "expected a word in quotes")
