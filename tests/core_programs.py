"""Small programs for the tests of the core: nodes written by hand, bound to arrays and run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pyembody import _core

EDGES = np.array([0, -0.0, 1e-45, -1e-45, 1e-38, 1, -1, 1e30, -1e30, np.inf, -np.inf, np.nan], np.float32)
DT = 0.02

Node = tuple[str, list[int], int, list[int], list[float]]


@dataclass
class Draft:
    """A list of nodes that grows call by call; a call gives the node's number."""

    nodes: list[Node] = field(default_factory=list)
    inputs: list[tuple[str, int]] = field(default_factory=list)
    groups: list[tuple[str, int, str, bool]] = field(default_factory=list)
    stores: list[tuple[int, int, int]] = field(default_factory=list)
    params: list[float] = field(default_factory=list)

    def node(self, op: str, args: list[int], lanes: int, ints: Any = (), floats: Any = ()) -> int:
        self.nodes.append((op, args, lanes, list(ints), list(floats)))
        return len(self.nodes) - 1

    def input(self, name: str, width: int) -> int:
        self.inputs.append((name, width))
        return self.node("input", [], width, [len(self.inputs) - 1, *range(width)])

    def const(self, *values: float) -> int:
        return self.node("const", [], len(values), (), values)

    def param(self, value: float) -> int:
        self.params.append(value)
        return self.node("param", [], 1, [len(self.params) - 1])

    def store(self, node: int, name: str, dtype: str = "f4", on_reset: bool = False) -> None:
        self.groups.append((name, self.nodes[node][2], dtype, on_reset))
        self.stores.append((node, len(self.groups) - 1, 0))

    def build(self, dt: float = DT) -> _core.Program:
        return _core.Program(
            self.nodes, self.inputs, self.groups, self.stores, np.array(self.params, np.float32), dt
        )

    def bind(self, arrays: list[Any], n: int, threads: int = 1, dt: float = DT) -> Bound:
        return Bound(self, self.build(dt), arrays, n, threads)


class Bound:
    """A program with its state, its outputs by name, and its evaluator."""

    def __init__(self, draft: Draft, program: _core.Program, arrays: list[Any], n: int, threads: int) -> None:
        dtypes = {"f4": np.float32, "u1": np.uint8}
        self.state = _core.State(program, n)
        self.outputs = {name: np.zeros((n, width), dtypes[dtype]) for name, width, dtype, _ in draft.groups}
        self.params = np.array(draft.params, np.float32)
        self.flags, self.bad_term = np.zeros(n, np.uint32), np.full(n, -1, np.int32)
        self.evaluator = _core.Evaluator(
            program, self.state, arrays, list(self.outputs.values()), self.params, self.flags,
            self.bad_term, threads,
        )

    def step(self) -> None:
        self.evaluator.step()

    def reset(self, mask: Any = None) -> None:
        self.evaluator.reset(np.ones(self.state.n, bool) if mask is None else np.asarray(mask, bool))

    def __getitem__(self, name: str) -> Any:
        return self.outputs[name]


def evaluate(op: str, *arrays: Any, lanes: int | None = None, ints: Any = (), floats: Any = ()) -> Any:
    """One step of one operation without memory over arrays `[N, lanes]`; gives `[N, lanes]`."""
    draft = Draft()
    args = [draft.input(f"x{i}", a.shape[1]) for i, a in enumerate(arrays)]
    draft.store(draft.node(op, args, lanes or max(a.shape[1] for a in arrays), ints, floats), "y")
    bound = draft.bind(list(arrays), len(arrays[0]))
    bound.step()
    return bound["y"]


def same_bits(a: Any, b: Any) -> bool:
    """Equal bit for bit, where any NaN equals any NaN."""
    if a.dtype.kind != "f":
        return bool(np.array_equal(a, b))
    nan = np.isnan(a) & np.isnan(b)
    return bool(np.array_equal(np.where(nan, 0, a).view(np.uint32), np.where(nan, 0, b).view(np.uint32)))
