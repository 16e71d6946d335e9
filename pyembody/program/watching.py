"""Which signals have to be looked at by themselves: those whose bad numbers no guarded value would show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import reduce
from operator import or_

from msgspec.structs import replace

from .groups import walk
from .reference import Group
from .types import Node

Lanes = dict[Node, int]
"""A bit for every lane of a node."""

ELEMENTWISE = {"neg", "abs", "square", "sqrt", "sin", "cos", "add", "sub", "mul", "guard", "delta", "rate"}
WHOLE = {"sum", "mean", "norm", "normsq", "norm1", "norminf", "rotate", "rotate_inv", "list"}
"""Operations whose result is not finite if an argument is not: lane by lane, or in some lane."""


def hidden_signals(groups: Iterable[Group], guards: Iterable[Node]) -> list[Node]:
    """Return, for every signal of numbers, the node of the lanes that are used but that no guard would miss."""
    nodes = walk(groups)
    signals = [n for n in nodes if n.op == "signal" and n.type.kind != "bool"]
    used: Lanes = {}
    for node in nodes:  # a learned signal is judged by its age instead
        for arg in node.args if node.op not in ("select", "learned") else ():
            if arg.op in ("signal", "select"):
                _add(used, arg, _all(arg))
    for group in groups:
        for _, node in group.stores:
            _add(used, node, _all(node))
    shown = _shown(nodes, guards)
    lanes = {n: used.get(n, 0) & ~shown.get(n, 0) for n in signals}
    return [_part(signal, chosen) for signal, chosen in lanes.items() if chosen]


def _all(node: Node) -> int:
    return (1 << node.type.lanes) - 1


def _chosen(lanes: int) -> list[int]:
    return [i for i in range(lanes.bit_length()) if lanes >> i & 1]


def _add(lanes: Lanes, node: Node, chosen: int) -> None:
    """Note lanes of a node, or of what it is a selection of."""
    while node.op == "select":
        chosen = reduce(or_, (1 << node.static["lanes"][i] for i in _chosen(chosen)), 0)
        node = node.args[0]
    lanes[node] = lanes.get(node, 0) | chosen


def _shown(nodes: list[Node], guards: Iterable[Node]) -> Lanes:
    """The lanes of every node that make a guarded value not finite when they are not."""
    shown: Lanes = {}
    for guard in guards:
        _add(shown, guard.args[0], _all(guard.args[0]))
    for node in reversed(nodes):
        if node in shown:
            for arg, lanes in _passed(node, shown[node]):
                _add(shown, arg, lanes)
    return shown


def _passed(node: Node, lanes: int) -> Iterator[tuple[Node, int]]:
    """The lanes of arguments that show in these lanes of an operation."""
    full = lanes == _all(node)
    if node.op in ELEMENTWISE or node.op == "div":
        for arg in node.args[:1] if node.op == "div" else node.args:
            if arg.type.lanes == node.type.lanes:
                yield arg, lanes
            elif full or arg.type.lanes == 1:
                yield arg, _all(arg)
    elif node.op in WHOLE and full:
        for arg in node.args:
            yield arg, _all(arg)


def _part(signal: Node, lanes: int) -> Node:
    if lanes == _all(signal):
        return signal
    used = _chosen(lanes)
    t = replace(signal.type, kind="number", width=len(used), axis="", labels=(), units=signal.type.units[:1])
    return Node("select", (signal,), t, {"lanes": tuple(used)}, raw=True)
