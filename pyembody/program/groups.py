"""Output groups, and what can be read off the typed trees of a program."""

from __future__ import annotations

from collections.abc import Iterable

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
    seen: dict[Node, None] = {}

    def visit(node: Node) -> None:
        for arg in node.args:
            if arg not in seen:
                visit(arg)
        seen[node] = None

    for group in groups:
        for _, node in group.stores:
            if node not in seen:
                visit(node)
    return list(seen)


def scale_params(nodes: Iterable[Node]) -> set[int]:
    """Return the indices of the parameters that are the scale of a kernel and so must stay above 0."""
    scales = (n.args[2] for n in nodes if n.op == "scaled")
    return {scale.static["index"] for scale in scales if scale.op == "param"}
