"""Running a program in the C++ core beside its NumPy twin, on the same signals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyembody import _core
from pyembody.program import CompiledProgram
from pyembody.spec import Signal

Array = NDArray[Any]
LEGS = ("FL", "FR", "RL", "RR")
SIGNALS = {
    s.name: s
    for s in (
        Signal("x", source="x"),
        Signal("y", source="y"),
        Signal("v", "vector", 3, source="v"),
        Signal("w", "vector", 3, source="w"),
        Signal("long", "vector", 19, source="long"),
        Signal("force", axis="feet", labels=LEGS, source="force"),
        Signal("foot", "vector", 3, axis="feet", labels=LEGS, source="foot"),
        Signal("goals", "vector", 3, axis="goals", labels=("a", "b"), source="goals"),
        Signal("many", "vector", 3, axis="many", labels=tuple(f"p{i}" for i in range(200)), source="many"),
        Signal("on", "bool", source="on"),
        Signal("contact", "bool", axis="feet", labels=LEGS, source="contact"),
        Signal("base_quat", "quat", 4, frame="world", local="body", source="q"),
        Signal("other_quat", "quat", 4, frame="world", source="q"),
        Signal("offset", "vector", 3, values=(0.5, -0.0, 2.0)),
    )
}
DTYPES = {
    "x": np.float32,
    "v": np.float32,
    "force": np.float32,
    "on": np.bool_,
    "contact": np.uint8,
}
EDGES = np.array([0.0, -0.0, 1e-45, 1e-38, 1.0, -1.0, 1e30, -1e30, np.inf, -np.inf, np.nan])


class CoreRun:
    """A program in the C++ core with its arrays: `reset` and `step` like those of the twin."""

    def __init__(self, program: CompiledProgram, n: int, threads: int = 1) -> None:
        self.inputs = {s.name: np.zeros((n, s.lanes), DTYPES.get(s.name, np.float64)) for s in program.inputs}
        bound = program.outputs(n)
        self.outputs, self.flags, self.bad_term = bound.groups, bound.flags, bound.bad_term
        self.params = program.defaults.copy()
        built = program.build()
        self.state = _core.State(built, n)
        self.evaluator = bound.evaluator(built, self.state, list(self.inputs.values()), self.params, threads)

    def reset(self, signals: Mapping[str, Array], mask: Array) -> dict[str, Array]:
        """Return the outputs after a reset of the rows of `mask`."""
        self._fill(signals)
        self.evaluator.reset(mask)
        return {name: array.copy() for name, array in self.outputs.items()}

    def step(self, signals: Mapping[str, Array]) -> dict[str, Array]:
        """Return the outputs of a step."""
        self._fill(signals)
        self.evaluator.step()
        return {name: array.copy() for name, array in self.outputs.items()}

    def _fill(self, signals: Mapping[str, Array]) -> None:
        with np.errstate(all="ignore"):
            for name, array in self.inputs.items():
                array[:] = signals[name].reshape(array.shape)


def draw(program: CompiledProgram, n: int, rng: np.random.Generator, edges: float) -> dict[str, Array]:
    """Return random signals as the core's arrays hold them, a share `edges` of them edge values."""
    signals: dict[str, Array] = {}
    for signal in program.inputs:
        values = rng.standard_normal((n, signal.lanes)) * 10.0 ** rng.integers(-3, 3, (n, 1))
        if signal.kind == "quat":
            values /= np.linalg.norm(values, axis=1, keepdims=True)
        elif signal.kind == "bool":
            values = (values > 0).astype(float)
        else:
            values = np.where(rng.random(values.shape) < edges, rng.choice(EDGES, values.shape), values)
        with np.errstate(all="ignore"):
            signals[signal.name] = values.astype(DTYPES.get(signal.name, np.float64))
    return signals


def both(
    program: CompiledProgram, n: int, seed: int, *, steps: int = 5, edges: float = 0.2
) -> list[tuple[Array, Array]]:
    """Return (twin, core) values of the group `value` over a run with masked resets; flags must
    agree.
    """
    rng = np.random.default_rng(seed)
    twin, core = program.reference(n), CoreRun(program, n)
    pairs: list[tuple[Array, Array]] = []
    for step in range(steps):
        signals = draw(program, n, rng, edges)
        if step:
            pairs.append((twin.step(signals)["value"], core.step(signals)["value"]))
            np.testing.assert_array_equal(twin.flags, core.flags)
            np.testing.assert_array_equal(twin.bad_term, core.bad_term)
        mask = rng.random(n) < (0.3 if step else 2.0)
        pairs.append((twin.reset(signals, mask)["value"], core.reset(signals, mask)["value"]))
        np.testing.assert_array_equal(twin.flags, core.flags)
    return pairs
