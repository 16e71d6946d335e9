"""VectorEnv as Stable-Baselines3 wants it, and its PPO with a task's own hyper-parameters."""

# mypy: allow-subclassing-any
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices, VecEnvObs, VecEnvStepReturn

from ..envs import VectorEnv
from ..spec import Train

ACTIVATIONS = {"elu": torch.nn.ELU, "relu": torch.nn.ReLU, "tanh": torch.nn.Tanh}


class Sb3VecEnv(VecEnv):
    """A VectorEnv (in mode SAME_STEP) behind Stable-Baselines3's interface; its channels are
    summed into one reward.
    """

    def __init__(self, env: VectorEnv) -> None:
        self.env = env
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)
        self._actions = np.zeros((env.num_envs, env.action.shape[1]), np.float32)

    def reset(self) -> VecEnvObs:
        """Return the observations [N, O] of new episodes."""
        observations, _ = self.env.reset(options={"stagger": True})
        return observations

    def step_async(self, actions: np.ndarray) -> None:
        """Keep the actions [N, A] of the step to come."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Step and return (observations, rewards, dones, infos); infos hold the true last
        observation of an episode.
        """
        observations, rewards, terminated, truncated, _ = self.env.step(self._actions)
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        done = terminated | truncated
        for i in np.flatnonzero(done):
            last = self.env.final_observations[i].copy()
            infos[i] = {
                "terminal_observation": last,
                "TimeLimit.truncated": bool(truncated[i] and not terminated[i]),
            }
        return observations, rewards.astype(np.float32), done, infos

    def close(self) -> None:
        """Close the environment."""
        self.env.close()

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """Return an attribute, the same for each of the environments asked for."""
        return [getattr(self.env, attr_name, None) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Refuse: single environments have no attributes of their own."""
        raise NotImplementedError(f"set_attr: '{attr_name}' cannot differ between environments of a VectorEnv")

    def env_method(self, method_name: str, *args: Any, indices: VecEnvIndices = None, **kwargs: Any) -> list[Any]:
        """Refuse: single environments have no methods of their own."""
        raise NotImplementedError(f"env_method: '{method_name}' cannot be called on one environment of a VectorEnv")

    def env_is_wrapped(
        self,
        wrapper_class: type[Any],  # noqa: ARG002 - part of the interface
        indices: VecEnvIndices = None,
    ) -> Sequence[bool]:
        """Return that no environment is wrapped."""
        return [False for _ in self._get_indices(indices)]


def sb3_ppo(env: Sb3VecEnv, train: Train, seed: int) -> PPO:
    """Return Stable-Baselines3's PPO with the same networks, batch shapes and coefficients as ours.

    It has one critic on the summed reward and a fixed learning rate; what it has no setting for
    stays its own.
    """
    rows = train.num_envs * train.horizon
    return PPO(
        "MlpPolicy",
        env,
        learning_rate=train.learning_rate,
        n_steps=train.horizon,
        batch_size=rows // train.minibatches,
        n_epochs=train.epochs,
        gamma=0.99,
        gae_lambda=0.95,
        clip_range=train.clip,
        ent_coef=train.entropy,
        vf_coef=train.value_weight,
        max_grad_norm=train.max_grad_norm,
        policy_kwargs={
            "net_arch": {"pi": list(train.actor_hidden), "vf": list(train.critic_hidden)},
            "activation_fn": ACTIVATIONS[train.activation],
            "log_std_init": float(np.log(train.initial_std)),
        },
        seed=seed,
        device="cpu",
        verbose=0,
    )
