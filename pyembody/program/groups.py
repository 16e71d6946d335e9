"""Output groups, and what can be read off the typed trees of a program."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from .reference import Group
from .types import Node


def make_group(name: str, nodes: list[Node], dtype: str, on_reset: bool = False) -> Group:
    """Return the group of nodes beside each other."""
    stores: list[tuple[int, Node]] = []
    column = 0
    for node in nodes:
        stores.append((column, node))
        column += node.type.lanes
    return Group(name, column, dtype, on_reset, tuple(stores))


def walk(groups: Iterable[Group]) -> list[Node]:
    """Return every node of some groups once, arguments before their users."""
    seen: dict[int, Node] = {}

    def visit(node: Node) -> None:
        if id(node) not in seen:
            for arg in node.args:
                visit(arg)
            seen[id(node)] = node

    for group in groups:
        for _, node in group.stores:
            visit(node)
    return list(seen.values())


def scale_params(nodes: Iterable[Node]) -> set[int]:
    """Return the indices of the parameters that are the scale of a kernel and so must stay above 0."""
    scales = (n.args[2] for n in nodes if n.op == "scaled")
    return {scale.static["index"] for scale in scales if scale.op == "param"}


def used_signals(groups: Iterable[Group]) -> list[Node]:
    """Return, for every signal of numbers that is read, the node of all its lanes that are used."""
    nodes = walk(groups)
    signals: dict[int, Node] = {}
    lanes: dict[int, set[int]] = {}
    for node in nodes:  # a learned signal is judged by its age instead
        for arg in node.args if node.op not in ("select", "learned") else ():
            _add(arg, range(arg.type.lanes), signals, lanes)
    for group in groups:
        for _, node in group.stores:
            _add(node, range(node.type.lanes), signals, lanes)
    return [_part(signals[i], sorted(used)) for i, used in lanes.items()]


def _add(node: Node, used: Iterable[int], signals: dict[int, Node], lanes: dict[int, set[int]]) -> None:
    while node.op == "select":
        used = [node.static["lanes"][i] for i in used]
        node = node.args[0]
    if node.op == "signal" and node.type.kind != "bool":
        signals[id(node)] = node
        lanes.setdefault(id(node), set()).update(used)


def _part(signal: Node, used: list[int]) -> Node:
    if len(used) == signal.type.lanes:
        return signal
    t = replace(signal.type, kind="number", width=len(used), axis="", labels=(), units=signal.type.units[:1])
    return Node("select", (signal,), t, {"lanes": tuple(used)}, raw=True)
