"""PPO on HalfCheetah by others, with the same settings: Stable-Baselines3, and a plain torch loop on EnvPool."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...learn.losses import log_prob, policy_loss
from ...spec import Train
from ..stepping import usable_cores
from . import NAME

GAMMA, LAM = 0.99, 0.95


def sb3_cheetah_learner(config: Train, seed: int) -> Any:
    """Return Stable-Baselines3's PPO on Gymnasium's environment."""
    from stable_baselines3 import PPO
    from stable_baselines3.common.env_util import make_vec_env

    return PPO(
        "MlpPolicy",
        make_vec_env(NAME, config.num_envs, seed=seed),
        n_steps=config.horizon,
        batch_size=config.num_envs * config.horizon // config.minibatches,
        seed=seed,
        device="cpu",
    )


def sb3_cheetah(config: Train, seed: int = 0) -> Callable[[], int]:
    """Return a function that trains Stable-Baselines3's PPO for one iteration and returns its environment steps."""
    learner = sb3_cheetah_learner(config, seed)
    samples = config.num_envs * config.horizon

    def iterate() -> int:
        learner.learn(samples, reset_num_timesteps=False)
        return samples

    return iterate


def envpool_cheetah(config: Train, seed: int = 0) -> Callable[[], int]:
    """Return a function that trains the torch loop for one iteration and returns its environment steps."""
    return EnvpoolLoop(config, seed).iterate


class EnvpoolLoop:
    """PPO in one file's worth of torch, as CleanRL writes it, on EnvPool's vectorised HalfCheetah-v4."""

    def __init__(self, config: Train, seed: int) -> None:
        import envpool

        self._config = config
        self._env: Any = envpool.make(
            "HalfCheetah-v4", env_type="gymnasium", num_envs=config.num_envs, num_threads=usable_cores(), seed=seed
        )
        features, actions = self._env.observation_space.shape[0], self._env.action_space.shape[0]
        self._actor = _mlp(features, config.actor_hidden, actions)
        self._critic = _mlp(features, config.critic_hidden, 1)
        self._log_std = nn.Parameter(torch.zeros(actions))
        self._parameters = [*self._actor.parameters(), *self._critic.parameters(), self._log_std]
        self._optimiser = torch.optim.Adam(self._parameters, config.learning_rate, eps=1e-5)
        self._seen = _tensor(self._env.reset()[0])

    def iterate(self) -> int:
        """Collect and learn from one iteration; return its environment steps."""
        horizon = self._config.horizon
        with torch.no_grad():
            steps = [self._step() for _ in range(horizon)]
            rows = [torch.stack(column) for column in zip(*steps, strict=True)]
            observations, actions, log_probs, rewards, ended, values = rows
            following = torch.cat([values[1:], self._critic(self._seen)[None, :, 0]])
            advantages = torch.zeros_like(rewards)
            last = torch.zeros(self._config.num_envs)
            for t in reversed(range(horizon)):
                going = 1.0 - ended[t]
                delta = rewards[t] + GAMMA * going * following[t] - values[t]
                last = delta + GAMMA * LAM * going * last
                advantages[t] = last
        flat = (observations, actions, log_probs, advantages, advantages + values)
        self._learn(*(x.flatten(0, 1) for x in flat))
        return horizon * self._config.num_envs

    def act(self, observations: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the mean actions for observations [N, features]."""
        with torch.no_grad():
            return np.asarray(self._actor(_tensor(observations)).numpy(), np.float32)

    def _step(self) -> tuple[Tensor, ...]:
        seen, mean = self._seen, self._actor(self._seen)
        action = mean + self._log_std.exp() * torch.randn_like(mean)
        found, reward, terminated, truncated, _ = self._env.step(action.clamp(-1.0, 1.0).double().numpy())
        self._seen = _tensor(found)
        ended = _tensor(terminated | truncated)
        log_probs = log_prob(action, mean, self._log_std)
        return seen, action, log_probs, _tensor(reward), ended, self._critic(seen)[:, 0]

    def _learn(self, observations: Tensor, actions: Tensor, old: Tensor, advantages: Tensor, returns: Tensor) -> None:
        config = self._config
        for _ in range(config.epochs):
            for index in torch.randperm(len(old)).tensor_split(config.minibatches):
                own = advantages[index]
                own = (own - own.mean()) / (own.std() + 1e-8)
                log_probs = log_prob(actions[index], self._actor(observations[index]), self._log_std)
                value_loss = (self._critic(observations[index])[:, 0] - returns[index]).square().mean()
                loss = policy_loss(log_probs, old[index], own, config.clip) + config.value_weight * value_loss
                self._optimiser.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(self._parameters, config.max_grad_norm)
                self._optimiser.step()


def _mlp(inputs: int, hidden: tuple[int, ...], outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for a, b in itertools.pairwise((inputs, *hidden)):
        layers += [nn.Linear(a, b), nn.Tanh()]
    return nn.Sequential(*layers, nn.Linear(hidden[-1], outputs))


def _tensor(array: Any) -> Tensor:
    return torch.from_numpy(np.asarray(array, np.float32))
