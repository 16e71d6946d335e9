"""A program without its guards: what they cost."""

from __future__ import annotations

from ... import _core
from ...program import CompiledTask


def without_guards(program: CompiledTask) -> _core.Program:
    """Return the core's program in which every guarded value stands for its guard."""
    nodes, inputs, groups, stores, params, dt = program.lane_program
    guarded = {i: args[0] for i, (op, args, *_) in enumerate(nodes) if op == "guard"}
    plain = [(op, [guarded.get(a, a) for a in args], *rest) for op, args, *rest in nodes]
    # What nobody uses any more is dropped, but a guard has an effect of its own.
    kept = [("gather", args, 1, [0], []) if op == "guard" else (op, args, *rest) for op, args, *rest in plain]
    return _core.Program(kept, inputs, groups, [(guarded.get(n, n), g, c) for n, g, c in stores], params, dt)
