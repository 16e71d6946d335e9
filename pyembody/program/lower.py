"""From the typed tree to a lane program."""

from __future__ import annotations

from collections.abc import Sequence

from .lanes import Builder, LaneNode, Lanes
from .operations import OPERATIONS
from .reference import Group
from .types import Node

GroupRow = tuple[str, int, str, bool]
Store = tuple[int, int, int]


def lower(
    groups: Sequence[Group], dt: float
) -> tuple[list[LaneNode], list[str], list[GroupRow], list[Store]]:
    """Return nodes, input names in slot order, groups and stores, as `_core.Program` takes them."""
    builder = Builder(dt)
    done: dict[int, Lanes] = {}
    stores: list[Store] = []
    for g, group in enumerate(groups):
        for column, node in group.stores:
            stores.append((_lower(builder, node, done).index, g, column))
    rows = [(g.name, g.width, g.dtype, g.on_reset) for g in groups]
    return builder.nodes, list(builder.slots), rows, stores


def _lower(builder: Builder, node: Node, done: dict[int, Lanes]) -> Lanes:
    known = done.get(id(node))
    if known is None:
        make = OPERATIONS[node.op].lower
        assert make is not None
        known = done[id(node)] = make(builder, node, [done.get(id(a)) or _lower(builder, a, done) for a in node.args])
    return known
