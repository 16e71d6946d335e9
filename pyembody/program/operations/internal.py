"""Operations that the compiler places: they cannot be called by name."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..lanes import Builder, Lanes
from ..types import Node
from .base import Array, Flag, Frame, any_lane, made_by_compiler, operation

# --- the stage table: three lanes, stage before, stage after, edge taken (from 1, 0 for none) -----


def _machine(frame: Frame, node: Node, values: list[Array]) -> Array:
    memory = frame.memory(node)
    stage: Any = memory.setdefault("stage", np.zeros(frame.rows))
    steps: Any = memory.setdefault("steps", np.zeros(frame.rows))
    out = np.zeros((frame.rows, 1, 3), np.float32)
    if frame.mask is not None:
        stage[frame.mask], steps[frame.mask] = 0, 0
        return out
    before, taken = stage.copy(), np.zeros(frame.rows)
    steps += 1
    for e, (edge, condition) in enumerate(zip(node.static["edges"], values, strict=True)):
        source, target, least = edge
        go = (taken == 0) & (before == source) & (steps >= least) & (condition[:, 0, 0] != 0)
        stage[go], taken[go] = target, e + 1
    steps[taken > 0] = 0
    out[:, 0, :] = np.stack([before, stage, taken], axis=1)
    return out


def _lower_machine(builder: Builder, node: Node, values: list[Lanes]) -> Lanes:
    conditions = builder.concat(values, len(values), 1)
    ints = [number for edge in node.static["edges"] for number in edge]
    return Lanes(builder.emit("machine", (conditions.index,), 3, ints), 1, 3)


operation("machine", "*c", made_by_compiler, _machine, _lower_machine, public=False)


# --- flags ----------------------------------------------------------------------------------------


def _watch(frame: Frame, node: Node, values: list[Array]) -> Array:
    """1 where all numbers of a signal are finite; the others are flagged under its name."""
    fine = ~any_lane(~np.isfinite(values[0]))
    frame.flag(~fine, Flag.NON_FINITE, node.static["term"])
    return fine.astype(np.float32).reshape(-1, 1, 1)


def _lower_watch(builder: Builder, node: Node, _values: list[Lanes]) -> Lanes:
    """The columns are looked at in the bound array: slot, columns, name."""
    (signal,) = node.args
    lanes: range | tuple[int, ...] = range(signal.type.lanes)
    if signal.op == "select":
        lanes, (signal,) = signal.static["lanes"], signal.args
    slot = builder.slots.setdefault(signal.static["name"], len(builder.slots))
    return Lanes(builder.emit("watch", (), 1, (slot, *lanes, node.static["term"])))


def _marked(frame: Frame, node: Node, values: list[Array]) -> Array:
    """The first value; rows where the second is true are flagged."""
    frame.flag(any_lane(values[1]), node.static["flag"])
    return values[0]


def _lower_marked(builder: Builder, node: Node, values: list[Lanes]) -> Lanes:
    builder.mark(values[1], node.static["flag"])
    return values[0]


def _flagged(frame: Frame, _node: Node, _values: list[Array]) -> Array:
    """True where a guard or a watched signal was not finite in this step; its arguments come first."""
    bad = (frame.flags & np.uint32(Flag.NON_FINITE)) != 0
    result: Array = bad.reshape(-1, 1, 1)
    return result


def _lower_flagged(builder: Builder, _node: Node, values: list[Lanes]) -> Lanes:
    return Lanes(builder.emit("flagged", [v.index for v in values], 1, (int(Flag.NON_FINITE),)))


operation("watch", "x", made_by_compiler, _watch, _lower_watch, public=False)
operation("marked", "x, c", made_by_compiler, _marked, _lower_marked, public=False)
operation("flagged", "*x", made_by_compiler, _flagged, _lower_flagged, public=False)
