"""The dynamics reward by contrast: data against what an ensemble made at every stage of its own fitting. Cheap."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from msgspec import Struct

from ..data.dataset import Transitions
from .discriminators import History, Scales, Stack, one_thread, penalised
from .ensemble import Ensemble
from .predict import Predictor
from .reward import DynamicsReward

Progress = Callable[[str, float], None]
EVERY = 100


class ContrastiveSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """One discriminator a stage of the ensemble, all trained at once by `updates`. A share of `foreign` negatives are
    true next states under the action of another row whose state is among the `near` nearest.
    """

    updates: int = 1500
    hidden: tuple[int, ...] = (64, 64)
    batch: int = 256
    rate: float = 1e-3
    penalty: float = 0.1
    foreign: float = 0.25
    near: int = 10
    most: int = 20_000
    seed: int = 0


@one_thread()
def contrastive(
    rows: Transitions,
    stages: Sequence[Ensemble],
    settings: ContrastiveSettings,
    adrift: np.ndarray | None = None,
    progress: Progress | None = None,
) -> DynamicsReward:
    """Return a dynamics reward with a discriminator for each of `stages`, checkpoints of one ensemble's fitting.

    Negatives are next states drawn from random members of the stage, and true ones under foreign actions; positives the
    data. Raises ValueError without stages, or where no discriminator tells them apart.
    """
    if not stages:
        raise ValueError("stages: expected at least one checkpoint of the ensemble, got none")
    rng, torch_rng = np.random.default_rng(settings.seed), torch.Generator().manual_seed(settings.seed)
    rows = rows.rows(rng.permutation(len(rows))[: settings.most])
    scales = Scales.of(rows, adrift)
    data = scales.rows(rows.state, rows.action, rows.successor)
    made = torch.stack([_negatives(rows, stage, scales, settings, rng) for stage in stages])
    judge = Stack(len(stages), (data.shape[1], *settings.hidden, 1), torch_rng)
    optimiser = torch.optim.Adam(judge.parameters(), settings.rate)
    for update in range(1, settings.updates + 1):
        index = torch.randint(len(data), (settings.batch,), generator=torch_rng)
        other = torch.randint(len(data), (settings.batch,), generator=torch_rng)
        loss = penalised(judge, data[index], made[:, other], settings.penalty, torch_rng)
        gradients = torch.autograd.grad(loss, judge.parameters())
        for parameter, gradient in zip(judge.parameters(), gradients, strict=True):
            parameter.grad = gradient
        optimiser.step()
        if progress is not None and update % EVERY == 0:
            progress("learning what is credible", update / settings.updates)
    history = History()
    history.keep(judge, data, made)
    return history.reward(scales, len(stages))


def _negatives(
    rows: Transitions, stage: Ensemble, scales: Scales, settings: ContrastiveSettings, rng: np.random.Generator
) -> torch.Tensor:
    """A negative for every row: a member's sample, or the row's own next state under the action of a near row."""
    mean, log_var = Predictor(stage).moments(rows.state, rows.action)
    member, every = rng.integers(0, stage.members, len(rows)), np.arange(len(rows))
    noise = rng.standard_normal(rows.state.shape, dtype=np.float32)
    successor = rows.state + mean[member, every] + np.exp(0.5 * log_var[member, every]) * noise
    action = rows.action.copy()
    foreign = np.flatnonzero(rng.random(len(rows)) < settings.foreign)
    successor[foreign] = rows.successor[foreign]
    action[foreign] = rows.action[_near(rows, foreign, scales, settings, rng)]
    return scales.rows(rows.state, action, successor)


def _near(
    rows: Transitions, which: np.ndarray, scales: Scales, settings: ContrastiveSettings, rng: np.random.Generator
) -> np.ndarray:
    """For each row of `which`, another one whose state is among the nearest of a random sample."""
    pool = rng.permutation(len(rows))[:1000]
    mean, std = scales.state
    here, there = ((rows.state[k] - mean) / std for k in (which, pool))
    gap = (here**2).sum(1)[:, None] - 2 * here @ there.T + (there**2).sum(1)
    gap[which[:, None] == pool] = np.inf
    near = min(settings.near, len(pool) - 1)
    ranked = np.argpartition(gap, near - 1, axis=1)[:, :near]
    found: np.ndarray = pool[ranked[np.arange(len(which)), rng.integers(0, near, len(which))]]
    return found
