"""The twin: the meaning of a program, in NumPy, read directly off the typed tree. It is the
definition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike, NDArray

from ..spec.signal import Signal
from .operations import OPERATIONS, Array, Flag
from .types import Node


class Group(Struct, frozen=True, eq=False):
    """An output `[N, width]` of a program: `stores` are nodes and the columns where their numbers
    begin.
    """

    name: str
    width: int
    dtype: str
    on_reset: bool
    stores: tuple[tuple[int, Node], ...]


class ReferenceEvaluator:
    """Evaluates groups for `rows` environments, remembering between steps as the language says.

    `flags` `[N]` uint32 (see `Flag`) and `bad_term` `[N]` int32 are set by each step. Inputs in `own` are
    parameters, by their index: they need not be given.
    """

    def __init__(
        self,
        groups: Sequence[Group],
        inputs: Sequence[Signal],
        params: NDArray[np.float32],
        dt: float,
        rows: int,
        own: Mapping[str, int] | None = None,
    ) -> None:
        self.groups, self.dt, self.rows = groups, dt, rows
        self.inputs = {s.name: s for s in inputs}
        self.params = params.copy()
        self._own = own or {}
        self.mask: NDArray[np.bool_] | None = None
        self.flags = np.zeros(rows, np.uint32)
        self.bad_term = np.full(rows, -1, np.int32)
        self.outputs = {
            g.name: np.zeros((rows, g.width), "f4" if g.dtype == "f4" else "u1") for g in groups
        }
        self._memory: dict[int, dict[str, Array]] = {}
        self._values: dict[int, Array] = {}
        self._signals: dict[str, Array] = {}

    def reset(self, signals: Mapping[str, ArrayLike], mask: ArrayLike) -> dict[str, Array]:
        """Seed the rows of `mask` `[N]` from the reset state's signals; return the groups, those
        rows rewritten.
        """
        self.mask = np.asarray(mask, bool)
        values = self._evaluate(signals)
        for group in self.groups:
            if group.on_reset:
                self.outputs[group.name][self.mask] = values[group.name][self.mask]
        self.mask = None
        return {name: array.copy() for name, array in self.outputs.items()}

    def step(self, signals: Mapping[str, ArrayLike]) -> dict[str, Array]:
        """Return all groups for signals `[N, lanes]` (or `[N]`) by name; every memory is updated
        once.
        """
        self.flags[:], self.bad_term[:] = 0, -1
        self.outputs = self._evaluate(signals)
        return {name: array.copy() for name, array in self.outputs.items()}

    def log(
        self, signals: Mapping[str, NDArray[Any]], resets: NDArray[np.bool_]
    ) -> tuple[dict[str, Array], NDArray[np.uint32], NDArray[np.int32]]:
        """Return groups `[T, N, width]`, flags and bad terms `[T, N]` for signals `[T, N, lanes]`.

        Each step is a `step` of all rows, then a `reset` of those that `resets` `[T, N]` names, where
        nothing is paid.
        """
        steps: list[dict[str, Array]] = []
        flags: list[Array] = []
        for t, mask in enumerate(resets):
            now = {name: values[t] for name, values in signals.items()}
            self.step(now)
            for array in self.outputs.values():
                array[mask] = 0
            self.flags[mask], self.bad_term[mask] = 0, -1
            steps.append(self.reset(now, mask))
            flags.append(np.array([self.flags, self.bad_term]))
        groups = {name: np.array([step[name] for step in steps]) for name in steps[0]}
        marks = np.array(flags)
        return groups, marks[:, 0].astype(np.uint32), marks[:, 1].astype(np.int32)

    def value(self, node: Node) -> Array:
        """Return what a node of the program was in the last step or reset, `[N, axis, components]`."""
        with np.errstate(all="ignore"):
            return self._value(node)

    def remembers(self, node: Node) -> bool:
        """Return whether a node has a memory that was written."""
        return id(node) in self._memory

    def memory(self, node: Node) -> dict[str, Array]:
        """Return the state of a node by slot name."""
        return self._memory.setdefault(id(node), {})

    def raw(self, node: Node) -> Array:
        """Return a signal, or a part of one, in double: `[N, axis, components]`."""
        t = node.type
        if node.op == "select":
            flat = self.raw(node.args[0]).reshape(self.rows, -1)[:, node.static["lanes"]]
        else:
            flat = self._signals[node.static["name"]]
        return flat.reshape(self.rows, t.count, t.columns)

    def flag(self, rows: NDArray[np.bool_], bit: int, term: int = -1) -> None:
        """Set a bit of `flags`; the first offender of a row is kept in `bad_term`. Guards belong to steps: a reset
        flags only what could not be remembered.
        """
        if self.mask is not None and bit != Flag.MEMORY:
            return
        rows = rows if self.mask is None else rows & self.mask
        self.flags[rows] |= np.uint32(bit)
        if term >= 0:
            self.bad_term[rows & (self.bad_term < 0)] = term

    def _evaluate(self, signals: Mapping[str, ArrayLike]) -> dict[str, Array]:
        self._values.clear()
        self._signals = {name: self._read(signal, signals) for name, signal in self.inputs.items()}
        outputs: dict[str, Array] = {}
        with np.errstate(all="ignore"):
            for group in self.groups:
                out: Any = np.zeros((self.rows, group.width), "f4" if group.dtype == "f4" else "u1")
                for column, node in group.stores:
                    out[:, column : column + node.type.lanes] = self._value(node).reshape(
                        self.rows, -1
                    )
                outputs[group.name] = out
        return outputs

    def _read(self, signal: Signal, signals: Mapping[str, ArrayLike]) -> Array:
        if signal.name in signals:
            values = np.asarray(signals[signal.name]).astype(np.float64)
        elif signal.name in self._own:
            values = np.full(self.rows, self.params[self._own[signal.name]], np.float64)
        else:
            raise ValueError(f"signals: expected '{signal.name}', got {', '.join(signals)}")
        values = values[:, None] if values.ndim == 1 else values
        if values.shape != (self.rows, signal.lanes):
            expected = (self.rows, signal.lanes)
            raise ValueError(f"signals: {signal.name}: expected {expected}, got {values.shape}")
        return values

    def _value(self, node: Node) -> Array:
        """The value of a node, computed once an evaluation: `[N, axis, components]` float32 or
        bool.
        """
        if id(node) not in self._values:
            twin = OPERATIONS[node.op].twin
            assert twin is not None
            values = [self._value(a) for a in node.args]
            self._values[id(node)] = twin(self, node, values)
        return self._values[id(node)]
