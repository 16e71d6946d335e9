"""What an operation is: a signature, a typing rule, its meaning in NumPy, and its lowering to
lanes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntFlag
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..call import Call
from ..lanes import Builder, Lanes
from ..types import Node, Type

Array = NDArray[Any]
"""Values of one node in the twin: `[N, axis, components]`, float32 or bool."""


class Flag(IntFlag):
    """What a step says about a row. The first and third end its episode, the others are counted."""

    NON_FINITE = 1
    """A guarded value or a signal was not finite."""
    CLIPPED = 2
    """A guarded value was beyond its limit."""
    MEMORY = 4
    """A value that is not finite was kept out of the memory."""
    BAD_SCALE = 8
    """A kernel's scale or margin that is an expression was not above 0."""
    DOMAIN = 16
    """The argument of asin or acos was beyond 1 by more than 1e-4."""
    QUAT_NORM = 32
    """The norm of a quat signal was off 1 by more than 1e-3."""
    KEY_OVERFLOW = 64
    """A key of `episodic_count` was not one of its keys."""
    STALE = 128
    """A learned signal was too old."""


class Frame(Protocol):
    """What the twin offers to an operation besides its arguments' values."""

    dt: float
    rows: int
    params: NDArray[np.float32]
    mask: NDArray[np.bool_] | None
    flags: NDArray[np.uint32]

    def memory(self, node: Node) -> dict[str, Array]:
        """Return the state of a node, float64 `[N, axis, components]` by name; empty before its
        first reset.
        """

    def raw(self, node: Node) -> Array:
        """Return a signal's numbers in double, before they were rounded to float32."""

    def flag(self, rows: NDArray[np.bool_], bit: int, term: int = -1) -> None:
        """Set a bit of the flags of `rows`, and the first offending term if `term` is given."""


RUNNING = ("%mean", "%std")
"""Defaults of arguments that only the program itself gives: running statistics."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of an operation: a `value`, or a constant `number`, `int` or `word`."""

    name: str
    kind: str = "value"
    default: str | None = None


Rule = Callable[[Call], Type]
Twin = Callable[[Frame, Node, list[Array]], Array]
Lowering = Callable[[Builder, Node, list[Lanes]], Lanes]


def made_by_compiler(call: Call) -> Type:
    """The typing rule of operations that the compiler makes with their type: no text can call them."""
    raise NotImplementedError(call.name)


@dataclass(frozen=True)
class Operation:
    """An operation of the language. `text` is set instead of `rule` for one defined by an
    expression.
    """

    name: str
    parameters: tuple[Parameter, ...]
    variadic: bool
    doc: str
    public: bool
    rule: Rule | None = None
    twin: Twin | None = None
    lower: Lowering | None = None
    text: str | Callable[[Call], str] = ""
    pure: bool = False

    @cached_property
    def given(self) -> tuple[list[str], list[str]]:
        """The names of what a call may give by place, in order, and of all that it may give."""
        public = [p for p in self.parameters if p.default not in RUNNING]
        values = [p.name for p in public if p.kind == "value"]
        kernels = [p.name for p in public if p.kind == "kernel"]
        names = [p.name for p in public]
        return [*kernels, *values] if self.variadic else names, names


OPERATIONS: dict[str, Operation] = {}
"""Every operation by name."""


def signature(text: str) -> tuple[tuple[Parameter, ...], bool]:
    """Return the parameters of a signature such as `x, k:int=1` or `a, *more`, and whether it takes
    more values.
    """
    parameters: list[Parameter] = []
    variadic = False
    for part in filter(None, (p.strip() for p in text.split(","))):
        if part.startswith("*"):
            variadic = True
            continue
        head, _, default = part.partition("=")
        name, _, kind = head.partition(":")
        parameters.append(Parameter(name.strip(), kind.strip() or "value", default or None))
    return tuple(parameters), variadic


def operation(
    name: str,
    text: str,
    rule: Rule,
    twin: Twin,
    lower: Lowering,
    doc: str = "",
    *,
    public: bool = True,
) -> None:
    """Add an operation of signature `text` to the language."""
    parameters, variadic = signature(text)
    OPERATIONS[name] = Operation(name, parameters, variadic, doc, public, rule, twin, lower)


def define(
    name: str,
    text: str,
    expression: str | Callable[[Call], str],
    doc: str = "",
    *,
    pure: bool = False,
    public: bool = True,
) -> None:
    """Add an operation that an expression over its parameters defines; `pure` makes its result a
    pure number.
    """
    parameters, variadic = signature(text)
    OPERATIONS[name] = Operation(
        name, parameters, variadic, doc, public, text=expression, pure=pure
    )


def any_lane(values: Array) -> NDArray[np.bool_]:
    """Return the rows in which any number is true, `[N]`."""
    result: NDArray[np.bool_] = np.any(values.reshape(len(values), -1), axis=1)
    return result


def plain(function: Callable[..., Array]) -> Twin:
    """Return a twin that needs only the arguments' values."""
    return lambda _frame, _node, values: function(*values)


def lane(name: str) -> Lowering:
    """Return the lowering to one lane operation of that name."""
    return lambda builder, _node, values: builder.op(name, *values)
