"""Which signals have to be looked at by themselves: those whose bad numbers no guarded value would show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .groups import walk
from .reference import Group
from .types import Node, replace

Lanes = dict[int, set[int]]

ELEMENTWISE = {"neg", "abs", "square", "sqrt", "sin", "cos", "add", "sub", "mul", "guard", "delta", "rate"}
WHOLE = {"sum", "mean", "norm", "normsq", "norm1", "norminf", "rotate", "rotate_inv", "list"}
"""Operations whose result is not finite if an argument is not: lane by lane, or in some lane."""


def hidden_signals(groups: Iterable[Group], guards: Iterable[Node]) -> list[Node]:
    """Return, for every signal of numbers, the node of the lanes that are used but that no guard would miss."""
    nodes = walk(groups)
    signals = {id(n): n for n in nodes if n.op == "signal" and n.type.kind != "bool"}
    used: Lanes = {}
    for node in nodes:  # a learned signal is judged by its age instead
        for arg in node.args if node.op not in ("select", "learned") else ():
            _add(used, arg, range(arg.type.lanes))
    for group in groups:
        for _, node in group.stores:
            _add(used, node, range(node.type.lanes))
    shown = _shown(nodes, guards)
    lanes = {i: sorted(used.get(i, set()) - shown.get(i, set())) for i in signals}
    return [_part(signals[i], chosen) for i, chosen in lanes.items() if chosen]


def _add(lanes: Lanes, node: Node, chosen: Iterable[int]) -> None:
    """Note lanes of a node, or of what it is a selection of."""
    while node.op == "select":
        chosen = [node.static["lanes"][i] for i in chosen]
        node = node.args[0]
    lanes.setdefault(id(node), set()).update(chosen)


def _shown(nodes: list[Node], guards: Iterable[Node]) -> Lanes:
    """The lanes of every node that make a guarded value not finite when they are not."""
    shown: Lanes = {}
    for guard in guards:
        _add(shown, guard.args[0], range(guard.args[0].type.lanes))
    for node in reversed(nodes):
        if id(node) in shown:
            for arg, lanes in _passed(node, shown[id(node)]):
                _add(shown, arg, lanes)
    return shown


def _passed(node: Node, lanes: set[int]) -> Iterator[tuple[Node, Iterable[int]]]:
    """The lanes of arguments that show in these lanes of an operation."""
    full = len(lanes) == node.type.lanes
    if node.op in ELEMENTWISE or node.op == "div":
        for arg in node.args[:1] if node.op == "div" else node.args:
            if arg.type.lanes == node.type.lanes:
                yield arg, lanes
            elif full or arg.type.lanes == 1:
                yield arg, range(arg.type.lanes)
    elif node.op in WHOLE and full:
        for arg in node.args:
            yield arg, range(arg.type.lanes)


def _part(signal: Node, used: list[int]) -> Node:
    if len(used) == signal.type.lanes:
        return signal
    t = replace(signal.type, kind="number", width=len(used), axis="", labels=(), units=signal.type.units[:1])
    return Node("select", (signal,), t, {"lanes": tuple(used)}, raw=True)
