"""Signals of many steps written down, and what a program pays for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..program import CompiledProgram
from .record import forget

if TYPE_CHECKING:
    from ..envs.vector import VectorEnv
    from .record import Policy

Array = npt.NDArray[Any]
PAID = ("raw", "weighted", "channels", "lines")


@dataclass(frozen=True)
class States:
    """T steps of N rows: `signals` [T, N, lanes] by name; `started` [T, N] says where a row shows a first state."""

    signals: dict[str, Array]
    started: Array

    def pays(self, program: CompiledProgram) -> dict[str, Array]:
        """Return `raw` and `weighted` terms [T, N, K], `channels` [T, N, C] and, if there are any, `lines` [T, N, L] of
        a program, 0 at first states.
        """
        names = [n for n in PAID if n in program.groups]
        signals = {name: values.reshape(*self.started.shape, -1) for name, values in self.signals.items()}
        return program.only(names).evaluate_log(signals, self.started).groups


def watch(
    env: VectorEnv, policy: Policy, steps: int, seed: int, more: Sequence[str] = ()
) -> tuple[States, dict[str, Array]]:
    """Run a policy and return the signals that the program read, and what the environment paid for them.

    `more` names further signals to write down. `env` must finish episodes in the step after
    (AutoresetMode.NEXT_STEP), so that last states are seen. The pay is `raw` and `weighted` [T, N, K], `channels`
    [T, N, C], `lines` [T, N, L], 0 at first states, and `terminated` [T, N].
    """
    names = list(dict.fromkeys([*(s.name for s in env.program.inputs), *more]))
    for name in names:  # a signal that is asked for the first time is filled by the reset
        env.signal(name)
    observations, _ = env.reset(seed=seed)
    forget(policy)
    rows: dict[str, list[Array]] = {name: [env.signal(name).copy()] for name in names}
    paid: dict[str, list[Array]] = {k: [np.zeros_like(getattr(env, k))] for k in PAID}
    started, terminations = [np.ones(env.num_envs, np.bool_)], [np.zeros(env.num_envs, np.bool_)]
    ended = np.zeros(env.num_envs, np.bool_)
    for _ in range(steps):
        started.append(ended)
        observations, _, terminated, truncated, _ = env.step(np.asarray(policy(observations), np.float32))
        forget(policy, ended)
        for name in names:
            rows[name].append(env.signal(name).copy())
        for key, values in paid.items():
            values.append(getattr(env, key).copy())
        terminations.append(np.asarray(terminated).copy())
        ended = np.asarray(terminated | truncated)
    states = States({name: np.stack(values) for name, values in rows.items()}, np.stack(started))
    return states, {k: np.stack(v) for k, v in paid.items()} | {"terminated": np.stack(terminations)}
