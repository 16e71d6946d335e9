"""Potential-based shaping, gamma f - prev(f), recognised in the forms in which people write it (Ng et al. 1999)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...spec.task import Task
from ..compiled import CompiledTask
from ..types import Node
from .finding import Finding
from .walk import Analysis

WRAPPERS = ("clip", "max", "min", "where", "mul", "abs")
"""What breaks the telescoping sum of a potential when it is put around it."""


@dataclass(frozen=True)
class Potential:
    """A recognised form: its gamma, and whether the potential is 0 where the episode ends."""

    gamma: float
    written: bool
    ended: bool


def shaping(
    node: Node, path: str, span: tuple[int, int], gamma: float, task: Task, program: CompiledTask, analysis: Analysis
) -> Iterator[Finding]:
    """Yield what is to be said about a term that is a potential, or one with something around it."""
    reader = _Reader(program, analysis)
    found = reader.potential(node)
    if found is None:
        inner = reader.unscaled(node)
        if inner.op in WRAPPERS and any(reader.wrapped(a) for a in inner.args):
            message = f"{inner.op} around a potential's change breaks it: going there and back again pays"
            fix = "put the clip or gate inside the potential f, not around gamma f - prev(f)"
            yield Finding("W-SHAPE", "W", path, message, span, "gamma * f - prev(f)", inner.op, fix=fix)
        return
    message = "a potential's change: it guides learning and cannot change which behaviour is best"
    if not found.written and gamma != 1:
        message += f" (almost: its gamma is 1, the channel's {gamma:g})"
    yield Finding("N-POTENTIAL", "N", path, message, span)
    if found.written and abs(found.gamma - gamma) > 1e-6:
        message = f"a potential with gamma {found.gamma:g} in a channel of gamma {gamma:g} changes what is best"
        fix = f"write {gamma:g} in the potential, or gamma = {found.gamma:g} in the channel"
        yield Finding("E-GAMMA", "E", path, message, span, f"{gamma:g}", f"{found.gamma:g}", fix=fix)
    if found.written and task.terminations and not found.ended:
        message = "the potential is not 0 where the episode ends: a good place to end in pays"
        fix = "multiply gamma * f by num(not terminated)"
        yield Finding("W-SHAPE", "W", path, message, span, "gamma * f * num(not terminated) - prev(f)", fix=fix)


@dataclass(frozen=True)
class _Reader:
    program: CompiledTask
    analysis: Analysis

    def potential(self, node: Node) -> Potential | None:
        """The potential that a node is the change of, with constant factors around it."""
        inner = self.unscaled(node)
        if inner.op in ("delta", "rate") and inner.type.lanes == 1:
            return Potential(1.0, False, False)
        if inner.op != "sub":
            return None
        for new, old in (inner.args, inner.args[::-1]):
            if old.op == "prev" and old.static.get("k") == 1:
                return self._difference(new, old.args[0])
        return None

    def wrapped(self, node: Node) -> bool:
        """True if a scalar part of a term is a potential's change."""
        return node.type.lanes == 1 and self.potential(node) is not None

    def _difference(self, new: Node, f: Node) -> Potential | None:
        keys = self.analysis.keys
        if keys(new) == keys(f):
            return Potential(1.0, False, False)
        gamma, written, ended, seen = 1.0, False, False, False
        for factor in _product(new):
            if keys(factor) == keys(f):
                seen = True
            elif (value := self._constant(factor)) is not None:
                gamma, written = gamma * value, True
            elif self._alive(factor):
                ended = True
            else:
                return None
        return Potential(gamma, written, ended) if seen else None

    def unscaled(self, node: Node) -> Node:
        """A node without the signs and constant factors around it."""
        if node.op == "neg":
            return self.unscaled(node.args[0])
        if node.op in ("mul", "div"):
            rest = [a for a in node.args if self._constant(a) is None]
            if len(rest) == 1 and (node.op == "mul" or rest[0] is node.args[0]):
                return self.unscaled(rest[0])
        return node

    def _constant(self, node: Node) -> float | None:
        r = self.analysis.range(node)
        if node.op in ("literal", "constant", "param") and r.lo.size == 1 and r.low == r.high:
            return r.low
        return None

    def _alive(self, node: Node) -> bool:
        """`num(not terminated)`."""
        terminated = self.program.termination
        if node.op != "num" or node.args[0].op != "not":
            return False
        return self.analysis.keys(node.args[0].args[0]) == self.analysis.keys(terminated)


def _product(node: Node) -> list[Node]:
    return [f for a in node.args for f in _product(a)] if node.op == "mul" else [node]
