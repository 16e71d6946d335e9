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

from pyembody.data import Dataset
from pyembody.spec import Offline, SpecError, Task, spec_hash
from pyembody.world import Actor, Candidates, EnsembleModel, Imagined, ModelState, load_model
from pyembody.world.agreed import AgreedModel
from pyembody.world.reward_files import load_reward

from .buffers import Rollout
from .distributed import Group
from .model_learner import ModelLearner
from .model_rows import carried_names
from .replay import Replay

Array = npt.NDArray[Any]
USUAL_ROWS = 4096
"""Rows of the dataset that tell how uncertain the model is there."""


class OfflineLearner(ModelLearner):
    """SAC on a dataset; its environments only show what the policy does."""

    def __init__(self, env: Any, task: Task, config: Offline, seed: int, group: Group) -> None:
        super().__init__(env, task, config, seed, group)
        self.own_config = config
        self.dataset, self.model = Dataset(config.dataset), load_model(config.model)
        self._check()
        self.replay = self._recorded()
        self.normaliser.update(self.replay.arrays["policy_observations"].flatten(0, 1), group)
        state = ModelState(tuple(env.signals[name] for name in self.model.names))
        self._sampled = EnsembleModel(self.model.ensemble, state, env.program, threads=self.threads)
        self._agreed: AgreedModel | None = None
        self._candidates: Candidates | None = None
        if config.choose == "agreed":
            predictor = self.model.predictor(self.threads)
            self._agreed = AgreedModel(
                predictor, state, env.program, resamples=config.resamples, threads=self.threads
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

    def _check(self) -> None:
        """Raise SpecError unless dataset, model and task belong together."""
        header, env, config = self.dataset.header, self.env, self.own_config
        for what, got, expected in (
            ("robot", header.robot, env.robot.name),
            ("task", header.task, env.task.name),
            ("hash of the task", header.task_hash, spec_hash(env.task)),
        ):
            if got != expected:
                raise SpecError(f"{config.dataset}: {what}: expected {expected}, got {got}")
        if self.model.spec.dataset != header.digest:
            raise SpecError(f"{config.model}: expected a model that was fitted to {config.dataset}, got another's")
        if given := carried_names(env.program, self.model.names):
            raise SpecError(f"{config.model}: expected a model of all that the task reads, got one without {given[0]}")

    def _recorded(self) -> Replay:
        """The dataset as a replay of single steps."""
        rows = self.dataset.transitions(self.model.names)
        seen = self.dataset.transitions(observations=True)
        if len(rows) != len(seen):
            raise SpecError(f"{self.own_config.dataset}: expected finite numbers, got some that are not")
        # actions beyond what the policy can do would be read as its strongest
        limit = float(self.env.single_action_space.high[0])
        self.action_scale[...] = min(max(float(self.action_scale), float(np.abs(rows.action).max())), limit)
        self.collector.scale = float(self.action_scale)  # type: ignore[attr-defined]
        count, channels = len(rows), rows.channels.shape[1]
        replay = Replay(count, Rollout(1, 1, self.features, None, self.actions, channels, None))
        parts = {"policy_observations": seen.state, "policy_successors": seen.successor, "rewards": rows.channels}
        parts |= {"actions": np.clip(rows.action / self.action_scale, -1.0, 1.0), "states": rows.state}
        parts |= {"carried": np.zeros((count, 0), np.float32)}
        replay.arrays |= {k: torch.from_numpy(np.ascontiguousarray(v, np.float32))[:, None] for k, v in parts.items()}
        replay.terminated.copy_(torch.from_numpy(rows.terminated)[:, None])
        replay.ended.fill_(True)
        replay.counts[:] = (0, count)
        return replay

    def _usual(self) -> float:
        """The mean uncertainty of the model on recorded steps."""
        if self.own_config.penalty_weight == 0.0:
            return 1.0
        drawn = np.random.default_rng(0).permutation(self.replay.capacity)[:USUAL_ROWS]
        states, actions = (self.replay.arrays[n][drawn].numpy() for n in ("states", "actions"))
        found = self._sampled.rollout(
            np.ascontiguousarray(states[:, 0]), 1, actions=np.ascontiguousarray(actions * self.action_scale),
            params=self.env.params, penalty=self.own_config.penalty,
        )  # fmt: skip
        return max(float(found.penalty[found.valid].mean()), 1e-12)

    def _rollout(self, states: Array, carried: Array, actor: Actor, seed: int) -> Imagined:
        config, params = self.own_config, self.env.params
        penalty = config.penalty if config.penalty_weight else "none"
        if self._agreed is not None:
            found = self._agreed.rollout(states, self.imagined, actor, params=params, seed=seed, penalty=penalty)
        else:
            found = self._sampled.rollout(
                states, self.imagined, actor=actor, params=params, carried=carried, seed=seed, penalty=penalty,
                propagation="sampled" if self._candidates is None else "select", candidates=self._candidates,
            )  # fmt: skip
        if penalty == "none":
            return found
        deviation = self.replay.reward_moments()[1].numpy()
        cost = (config.penalty_weight / self.usual) * found.penalty
        return replace(found, channels=(found.channels - cost[..., None] * deviation).astype(np.float32))
