"""Behaviour cloning: a policy's network fitted to the expert's actions, in the core.

Papers: Pomerleau, ALVINN (1989), for cloning; Ross, Gordon and Bagnell, A reduction of imitation learning to no-regret
online learning (DAgger, 2011), for what is cloned.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pyembody import _core
from pyembody.spec import Train

from ..adam import Adam
from ..core_engine import as_array, describe
from ..distributed import Group
from ..networks import ActorCritic
from ..normaliser import ObservationNormaliser, ValueNormaliser
from ..ppo import NotFiniteError
from .lessons import Distill

Array = npt.NDArray[Any]
HUBER, MIN_STD = 1.0, 0.1
"""In deviations of an action: errors beyond it count linearly, as a planner sometimes jumps; and the least deviation,
in units of actions, so that a joint that hardly moves is not learnt more exactly than the others.
"""


@dataclass(frozen=True)
class Fitted:
    """A policy's arrays as model.safetensors has them, and its mean loss at the end."""

    arrays: dict[str, Array]
    loss: float


def fit(observations: Array, actions: Array, config: Train, settings: Distill, part: int) -> Fitted:
    """Return a policy fitted to actions `[B, A]` for observations `[B, O]`, from scratch; equal data give equal bits.

    Actions are learnt in deviations from their mean, which the last layer then undoes. Rates fall from `settings.rate`
    to 0 along a cosine. The critic is left as it is drawn, with a last layer of zeros. Raises NotFiniteError naming the
    step whose loss or gradient is no number, before it moves anything, and for data that hold such numbers.
    """
    for name, values in (("observations", observations), ("actions", actions)):
        if not np.isfinite(values).all():
            raise NotFiniteError(f"round {part}: not finite: {name} of the lessons")
    width, outputs = observations.shape[1], actions.shape[1]
    networks = ActorCritic(config, width, width, outputs, ("cost",), settings.seed + part)
    normaliser = ObservationNormaliser(width, config.observation_clip)
    rows = torch.from_numpy(np.ascontiguousarray(observations, np.float32))
    normaliser.update(rows, Group())
    inputs = normaliser(rows, torch.empty_like(rows))
    mean, std = actions.mean(0), np.maximum(actions.std(0), MIN_STD)
    targets = np.ascontiguousarray(((actions - mean) / std)[:, None], np.float32)
    loss = _descend(networks, as_array(inputs), targets, settings, part)
    _undo(networks, torch.from_numpy(mean), torch.from_numpy(std))
    for parameter in (networks.critic.weights[-1], networks.critic.biases[-1]):
        parameter.data.zero_()
    arrays = {k: v.numpy().copy() for k, v in networks.parameters().items()}
    for name, state in (("observations", normaliser.state()), ("values", ValueNormaliser(1).state())):
        arrays |= {f"{name}.{k}": v.numpy().copy() for k, v in state.items()}
    return Fitted(arrays, loss)


def _undo(networks: ActorCritic, mean: torch.Tensor, std: torch.Tensor) -> None:
    """Let the last layer give actions instead of deviations from their mean."""
    weight, bias = networks.actor.weights[-1].data, networks.actor.biases[-1].data
    weight.mul_(std)
    bias.mul_(std).add_(mean)


def _descend(networks: ActorCritic, inputs: Array, targets: Array, settings: Distill, part: int) -> float:
    """Take the gradient steps; return the mean loss of the last tenth of them."""
    size = networks.flat.numel()
    threads = len(os.sched_getaffinity(0))
    gradient = _core.RegressionGradient(describe(networks.actor), size, "huber", 0, threads)
    message = np.zeros(size + 1, np.float32)
    flat, slopes = as_array(networks.flat), torch.from_numpy(message[:size])
    optimiser = Adam(networks.flat, settings.rate)
    rng, index = np.random.default_rng([settings.seed, part]), np.arange(settings.minibatch)
    last, count = 0.0, max(1, settings.steps // 10)
    for step in range(settings.steps):
        optimiser.rate = settings.rate * 0.5 * (1.0 + math.cos(math.pi * step / settings.steps))
        rows = rng.integers(len(inputs), size=settings.minibatch)
        blurred = inputs[rows] + settings.blur * rng.standard_normal((len(rows), inputs.shape[1]), np.float32)
        gradient.run(flat, blurred, targets[rows], index, message, HUBER)
        if not np.isfinite(message).all():
            place = f"round {part}, step {step + 1} of {settings.steps}"
            raise NotFiniteError(f"{place}: not finite: loss or gradient of the policy; lower rate ({settings.rate})")
        optimiser.step(slopes)
        if step >= settings.steps - count:
            last += float(message[size]) / count
    return last
