"""Learning from a dataset alone: SAC on recorded transitions and on those that a world model imagines.

The policy never learns from the simulator. MOPO takes from imagined rewards what uncertain steps are to cost; MOREC and
the disagreement filter choose among several next states. Channels are those of the task's program in all of them.

Papers: see `pyembody.spec.Offline`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pyembody.envs.given import Given
from pyembody.spec import Offline, SpecError, Task
from pyembody.world import Actor, Candidates, Imagined, load_model
from pyembody.world.agreed import AgreedModel
from pyembody.world.reward_files import load_reward
from pyembody.world.task_dataset import TaskDataset
from pyembody.world.task_state import TaskState

from .buffers import Rollout
from .distributed import Group
from .model_learner import ModelLearner
from .replay import Replay
from .symmetry import mirrored

Array = npt.NDArray[Any]
USUAL_ROWS = 4096
"""Rows of the dataset that tell how uncertain the model is there."""


class OfflineLearner(ModelLearner):
    """SAC on a dataset; its environments only show what the policy does."""

    def __init__(self, env: Any, task: Task, config: Offline, seed: int, group: Group) -> None:
        super().__init__(env, task, config, seed, group)
        self.own_config = config
        self.dataset, self.model = TaskDataset(config.dataset, env), load_model(config.model)
        if self.model.spec.dataset != self.dataset.header.digest:
            raise SpecError(f"{config.model}: expected a model that was fitted to {config.dataset}, got another's")
        self.task_state = TaskState(env, self.model.names, f"{config.model}: signals")
        self.given = Given(env)
        self.replay = self._recorded()
        self.normaliser.update(self.replay.arrays["policy_observations"].flatten(0, 1), group)
        if self.critic_normaliser is not self.normaliser:
            self.critic_normaliser.update(self.replay.arrays["critic_observations"].flatten(0, 1), group)
        self._sampled = self.task_state.model(self.model.ensemble, self.threads)
        self._agreed: AgreedModel | None = None
        self._candidates: Candidates | None = None
        if config.choose == "agreed":
            predictor = self.model.predictor(self.threads)
            own = self.task_state
            self._agreed = AgreedModel(
                predictor, own.state, own.program, critic=own.critic, resamples=config.resamples, threads=self.threads
            )
        elif config.choose == "credible":
            told, reward = load_reward(Path(config.model), self.model.spec)
            threshold = told.threshold if config.threshold is None else config.threshold
            self._candidates = Candidates(reward, config.resamples, threshold)
        self.usual = self._usual()

    def own(self) -> dict[str, Array]:
        """Return nothing: the dataset is on the disk."""
        return {}

    def expect(self, state: dict[str, Array]) -> None:
        """Need no room."""

    def _remember(self) -> None:
        """Keep nothing of the simulator."""

    def _update_normalisers(self) -> None:
        """Keep the moments of the dataset."""

    def _recorded(self) -> Replay:
        """The dataset as a replay of single steps."""
        rows = self.dataset.transitions(self.model.names)
        told = self.dataset.present([*self.given.names, "action"])
        count, channels = len(rows), rows.channels.shape[1]
        # actions beyond what the policy can do would be read as its strongest
        limit = float(self.env.single_action_space.high[0])
        self.action_scale[...] = min(max(float(self.action_scale), float(np.abs(rows.action).max())), limit)
        self.collector.scale = float(self.action_scale)  # type: ignore[attr-defined]
        own = self.critic_features if self.task_state.critic else None
        replay = Replay(count, Rollout(1, 1, self.features, own, self.actions, channels, None))
        parts = {"states": rows.state, "rewards": rows.channels, "before": told["action"]}
        parts |= {"given": self.given.staying(count, told)}
        parts |= self._seen(rows.action / self.action_scale)
        for name, part in parts.items():
            if len(part) != count:
                raise SpecError(f"{self.own_config.dataset}: expected finite numbers, got some that are not")
            replay.arrays[name] = torch.from_numpy(np.ascontiguousarray(part, np.float32))[:, None]
        replay.terminated.copy_(torch.from_numpy(rows.terminated)[:, None])
        replay.ended.fill_(True)
        replay.counts[:] = (0, count)
        return replay

    def _seen(self, actions: Array) -> dict[str, Array]:
        """What policy and critics saw before and after each step, and what was done, as a collector keeps it."""
        found = {"actions": np.clip(actions, -1.0, 1.0)}
        for group in ("policy", self.task_state.critic):
            if group:
                found[f"{group}_observations"], found[f"{group}_successors"] = self.dataset.seen(group)
        mirror = self.mirror
        if mirror is None:
            return found
        flags = {part: mirror.flag(found[f"policy_{part}"]) for part in ("observations", "successors")}
        maps = {"policy": (mirror.obs_index, mirror.obs_sign), "critic": (mirror.critic_index, mirror.critic_sign)}
        for name in found.keys() - {"actions"}:
            group, part = name.split("_")
            found[name] = mirrored(found[name], flags[part], *maps[group])
        found["actions"] = mirrored(found["actions"], flags["observations"], mirror.action_index, mirror.action_sign)
        return found

    def _usual(self) -> float:
        """The mean uncertainty of the model on recorded steps."""
        if self.own_config.penalty_weight == 0.0:
            return 1.0
        drawn = np.random.default_rng(0).permutation(self.replay.capacity)[:USUAL_ROWS]
        rows = self.dataset.transitions(self.model.names).rows(drawn)
        found = self._sampled.rollout(
            np.ascontiguousarray(rows.state), 1, actions=np.ascontiguousarray(rows.action[:, None]),
            carried=self._carried(self.replay.arrays["given"][drawn, 0].numpy(), 1, 0),
            params=self.env.params, penalty=self.own_config.penalty,
        )  # fmt: skip
        return max(float(found.penalty[found.valid].mean()), 1e-12)

    def _rollout(self, states: Array, carried: Array, before: Array, actor: Actor, seed: int) -> Imagined:
        config, params = self.own_config, self.env.params
        penalty = config.penalty if config.penalty_weight else "none"
        if self._agreed is not None:
            found = self._agreed.rollout(
                states, self.imagined, actor, carried=carried, before=before, params=params, seed=seed, penalty=penalty
            )
        else:
            found = self._sampled.rollout(
                states, self.imagined, actor=actor, params=params, carried=carried, before=before, seed=seed,
                penalty=penalty, precision=config.precision, candidates=self._candidates,
                propagation="sampled" if self._candidates is None else "select",
            )  # fmt: skip
        if penalty == "none":
            return found
        deviation = self.replay.reward_moments()[1].numpy()
        cost = (config.penalty_weight / self.usual) * found.penalty
        return replace(found, channels=(found.channels - cost[..., None] * deviation).astype(np.float32))
