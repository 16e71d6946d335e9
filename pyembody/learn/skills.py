"""The channel of a task's skills while it trains: filled once an iteration, then its encoder learns."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pyembody.spec import Task

from .buffers import flat
from .distributed import Group
from .ppo import NotFiniteError
from .skill_encoder import SkillEncoder

Array = npt.NDArray[Any]


class SkillChannel:
    """What the environments showed of each step, and the encoder that judges it.

    `skills [T, N, Z]` are those of the steps, `before` and `after [T, N, E]` what the encoder sees before them and of
    their true successors. A checkpoint holds `shared` beside the encoder's optimiser.
    """

    def __init__(self, task: Task, env: Any, horizon: int, seed: int) -> None:
        assert task.skills is not None
        self.env, self.spec = env, task.skills
        self.channel = env.channel_names.index(task.skills.channel)
        steps, width = (horizon, env.num_envs), env.encoded.shape[1]
        self.skills = np.zeros((*steps, task.skills.size), np.float32)
        self.before, self.after = (np.zeros((*steps, width), np.float32) for _ in range(2))
        self.encoder = SkillEncoder(task.skills, width, seed)
        self._paid = np.zeros(1)

    def begin_step(self, t: int) -> None:
        """Store what there is before step t."""
        self.skills[t], self.before[t] = self.env.skills.skill, self.env.encoded

    def end_step(self, t: int, ended: Array) -> None:
        """Store what came of step t; `ended [N]` says where an episode did, so that another has begun."""
        self.after[t] = self.env.encoded
        self.after[t, ended] = self.env.final_encoded[ended]

    def pay(self, rewards: Array) -> float:
        """Add the learned reward to its channel of `rewards [T, N, C]`; return the sum.

        Raises NotFiniteError if the encoder no longer gives numbers.
        """
        if not bool(torch.isfinite(self.encoder.flat).all()):
            raise NotFiniteError(f"not finite: the encoder that pays channel '{self.spec.channel}' for skills")
        found = self.encoder.rewards(*self._rows()).numpy().reshape(rewards.shape[:2])
        rewards[..., self.channel] += found
        self._paid[0] = found.sum(dtype=np.float64)
        return float(self._paid[0])

    def learn(self, generator: torch.Generator, group: Group) -> dict[str, float]:
        """Train the encoder on what was paid for; return what is logged, equal on all ranks.

        `loss`, `reward` a step, `way` (root of the mean square of phi's way a step), `kappa` of METRA.
        """
        rows, spec = self._rows(), self.spec
        sums = torch.zeros(3, dtype=torch.float64)
        for _ in range(spec.epochs):
            for index in torch.randperm(len(rows[0]), generator=generator).tensor_split(spec.minibatches):
                sums += self._step([x[index] for x in rows], group)
        loss, square, _ = (sums / (spec.epochs * spec.minibatches)).tolist()
        steps = group.size * len(rows[0])
        paid = float(group.sum(torch.from_numpy(self._paid.copy())))
        found = {"loss": loss, "reward": paid / steps}
        if spec.diversity == "diayn":
            return found
        found["way"] = float(np.sqrt(square))
        return found | ({"kappa": float(self.encoder.kappa)} if spec.diversity == "metra" else {})

    def shared(self) -> dict[str, Array]:
        """Return the encoder's live parameters by name; the same on all ranks."""
        return {"skills.encoder": self.encoder.flat.numpy(), "skills.kappa": self.encoder.kappa.numpy()}

    def _rows(self) -> list[Tensor]:
        """What was seen before and after each step, and the skills, `[T * N, ...]`."""
        return [flat(torch.from_numpy(x)) for x in (self.before, self.after, self.skills)]

    def _step(self, rows: list[Tensor], group: Group) -> Tensor:
        figures = self.encoder.differentiate(*rows)
        group.average(self.encoder.grads)
        group.average(figures)
        if not bool(torch.isfinite(figures).all() & torch.isfinite(self.encoder.grads).all()):
            raise NotFiniteError("not finite: the loss of the skills' encoder or its gradient")
        self.encoder.step(float(figures[2]))
        return figures


def make_skills(task: Task, env: Any, horizon: int, seed: int) -> SkillChannel | None:
    """Return the channel of a task's skills, None for a task without."""
    return SkillChannel(task, env, horizon, seed) if task.skills is not None else None
