"""From the typed tree to a lane program."""

from __future__ import annotations

from collections.abc import Sequence

from .groups import walk
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
    done: dict[Node, Lanes] = {}
    for node in walk(groups):
        make = OPERATIONS[node.op].lower
        assert make is not None
        done[node] = make(builder, node, [done[arg] for arg in node.args])
    stores = [(done[node].index, g, column) for g, group in enumerate(groups) for column, node in group.stores]
    rows = [(g.name, g.width, g.dtype, g.on_reset) for g in groups]
    return builder.nodes, list(builder.slots), rows, stores
