"""A program without its guards: what they cost."""

from __future__ import annotations

from ... import _core
from ...program import CompiledTask
from ...program.lanes import LaneNode


def without_guards(program: CompiledTask) -> _core.Program:
    """Return the core's program in which every guarded value stands for its guard."""
    nodes, inputs, groups, stores, params, dt = program.lane_program
    guarded = {i: args[0] for i, (op, args, *_) in enumerate(nodes) if op == "guard"}
    kept: list[LaneNode] = []
    for op, args, lanes, ints, floats in nodes:
        plain = [guarded.get(a, a) for a in args]
        # A guard that nobody uses would still be run: it has an effect of its own.
        kept.append(("gather", plain, 1, [0], []) if op == "guard" else (op, plain, lanes, ints, floats))
    return _core.Program(kept, inputs, groups, [(guarded.get(n, n), g, c) for n, g, c in stores], params, dt)
