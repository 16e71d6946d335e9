"""A program on rows of signals that are already there: recorded, drawn or laid out on a grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .. import _core
from ..program import CompiledProgram

if TYPE_CHECKING:
    from ..envs.vector import VectorEnv
    from .record import Policy

Array = npt.NDArray[Any]


class Replay:
    """Evaluates a program for N rows whose signals are given, keeping its memory from step to step."""

    def __init__(self, program: CompiledProgram, rows: int, threads: int = 1) -> None:
        kinds = {"f4": np.float32, "u1": np.uint8}
        self.program, self.rows = program, rows
        self.inputs = {s.name: np.zeros((rows, s.lanes)) for s in program.inputs}
        self.outputs: dict[str, Array] = {
            name: np.zeros((rows, g.width), kinds[g.dtype]) for name, g in program.groups.items()
        }
        self.params = program.defaults.copy()
        self._flags, self._bad = np.zeros(rows, np.uint32), np.full(rows, -1, np.int32)
        core = program.build()
        self._state = _core.State(core, rows)
        self._evaluator = _core.Evaluator(
            core,
            self._state,
            list(self.inputs.values()),
            list(self.outputs.values()),
            self.params,
            self._flags,
            self._bad,
            threads,
        )

    def reset(self, signals: Mapping[str, Array], mask: Array | None = None) -> None:
        """Seed the memory of the rows of `mask` [N] (all without one) from a first state's signals [N, lanes]."""
        self._fill(signals)
        self._evaluator.reset(np.ones(self.rows, np.bool_) if mask is None else mask)

    def step(self, signals: Mapping[str, Array]) -> dict[str, Array]:
        """Return the outputs [N, width] for signals [N, lanes] by name; they are overwritten by the next step."""
        self._fill(signals)
        self._evaluator.step()
        return self.outputs

    def _fill(self, signals: Mapping[str, Array]) -> None:
        for name, array in self.inputs.items():
            if name not in signals:
                raise ValueError(f"signals: expected '{name}', got {', '.join(signals)}")
            array[:] = np.asarray(signals[name]).reshape(self.rows, -1)


@dataclass(frozen=True)
class States:
    """T steps of N rows: `signals` [T, N, lanes] by name; `started` [T, N] says where a row shows a first state."""

    signals: dict[str, Array]
    started: Array

    def pays(self, program: CompiledProgram) -> dict[str, Array]:
        """Return `raw` and `weighted` terms [T, N, K] and `channels` [T, N, C] of a program, 0 at first states."""
        steps, rows = self.started.shape
        replay = Replay(program, rows)
        names = [n for n in ("raw", "weighted", "channels") if n in program.groups]
        found: dict[str, Array] = {n: np.zeros((steps, rows, program.groups[n].width), np.float32) for n in names}
        for t in range(steps):
            now = {name: values[t] for name, values in self.signals.items()}
            outputs = replay.step(now)
            for name in names:
                found[name][t] = np.where(self.started[t][:, None], 0, outputs[name])
            if self.started[t].any():
                replay.reset(now, self.started[t])
        return found


def watch(
    env: VectorEnv, policy: Policy, steps: int, seed: int, more: Sequence[str] = ()
) -> tuple[States, dict[str, Array]]:
    """Run a policy and return the signals that the program read, and what the environment paid for them.

    `more` names further signals to write down. `env` must finish episodes in the step after
    (AutoresetMode.NEXT_STEP), so that last states are seen. The pay is `raw` and `weighted` [T, N, K], `channels`
    [T, N, C], 0 at first states, and `terminated` [T, N].
    """
    names = list(dict.fromkeys([*(s.name for s in env.program.inputs), *more]))
    for name in names:  # a signal that is asked for the first time is filled by the reset
        env.signal(name)
    observations, _ = env.reset(seed=seed)
    rows: dict[str, list[Array]] = {name: [env.signal(name).copy()] for name in names}
    paid: dict[str, list[Array]] = {k: [np.zeros_like(getattr(env, k))] for k in ("raw", "weighted", "channels")}
    started, terminations = [np.ones(env.num_envs, np.bool_)], [np.zeros(env.num_envs, np.bool_)]
    ended = np.zeros(env.num_envs, np.bool_)
    for _ in range(steps):
        started.append(ended)
        observations, _, terminated, truncated, _ = env.step(np.asarray(policy(observations), np.float32))
        for name in names:
            rows[name].append(env.signal(name).copy())
        for key, values in paid.items():
            values.append(getattr(env, key).copy())
        terminations.append(np.asarray(terminated).copy())
        ended = np.asarray(terminated | truncated)
    states = States({name: np.stack(values) for name, values in rows.items()}, np.stack(started))
    return states, {k: np.stack(v) for k, v in paid.items()} | {"terminated": np.stack(terminations)}
