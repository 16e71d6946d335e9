"""The dynamics reward by a game: a generator of next states against discriminators that are remembered."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from msgspec import Struct
from torch import Tensor

from ..data.dataset import Transitions
from .discriminators import History, Scales, Stack, one_thread, penalised
from .reward import DynamicsReward

Progress = Callable[[str, float], None]
LOG_STD = (-5.0, 1.0)


class AdversarialSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`updates` of both sides, a snapshot every `interval`, of which `kept` vote. `likelihood` weighs the generator's
    Gaussian likelihood beside the game.
    """

    updates: int = 4000
    interval: int = 100
    kept: int = 10
    hidden: tuple[int, ...] = (64, 64)
    generator: tuple[int, ...] = (128, 128)
    batch: int = 256
    rate: float = 3e-4
    penalty: float = 1.0
    likelihood: float = 0.1
    seed: int = 0


@one_thread()
def adversarial(
    rows: Transitions,
    settings: AdversarialSettings,
    adrift: np.ndarray | None = None,
    progress: Progress | None = None,
) -> DynamicsReward:
    """Return a dynamics reward learnt from `rows` alone. `adrift [S]` bool are lanes of states that are not seen.

    D tells data from what the generator P makes of the same states and actions; P follows the gradient of
    -log(1 - D) through its Gaussian samples, and its likelihood. Raises ValueError where D never tells them apart.
    """
    torch_rng = torch.Generator().manual_seed(settings.seed)
    scales = Scales.of(rows, adrift)
    data = scales.rows(rows.state, rows.action, rows.successor)
    width = rows.state.shape[1]
    seen = data.shape[1] - width
    judge = Stack(1, (data.shape[1], *settings.hidden, 1), torch_rng)
    maker = Stack(1, (seen, *settings.generator, 2 * width), torch_rng)
    judging = torch.optim.Adam(judge.parameters(), settings.rate, betas=(0.5, 0.9))
    making = torch.optim.Adam(maker.parameters(), settings.rate, betas=(0.5, 0.9))
    history = History()
    for update in range(1, settings.updates + 1):
        batch = data[torch.randint(len(data), (settings.batch,), generator=torch_rng)]
        mean, log_std = _gaussian(maker, batch[:, :seen])
        made = torch.cat([batch[:, :seen], mean + log_std.exp() * torch.randn(mean.shape, generator=torch_rng)], dim=1)
        _descend(judging, penalised(judge, batch, made.detach(), settings.penalty, torch_rng), judge)
        likelihood = (log_std + 0.5 * ((batch[:, seen:] - mean) / log_std.exp()).square()).sum(1).mean()
        # -log(1 - D) is softplus of the logit
        _descend(making, settings.likelihood * likelihood - torch.nn.functional.softplus(judge(made)).mean(), maker)
        if update % settings.interval == 0:
            history.keep(judge, batch, made.detach())
            if progress is not None:
                progress("learning what is credible", update / settings.updates)
    return history.reward(scales, settings.kept)


def _gaussian(maker: Stack, rows: Tensor) -> tuple[Tensor, Tensor]:
    mean, log_std = maker(rows)[0].chunk(2, dim=1)
    low, high = LOG_STD
    return mean, low + (high - low) * torch.sigmoid(log_std)


def _descend(optimiser: torch.optim.Optimizer, loss: Tensor, stack: Stack) -> None:
    gradients = torch.autograd.grad(loss, stack.parameters())
    for parameter, gradient in zip(stack.parameters(), gradients, strict=True):
        parameter.grad = gradient
    optimiser.step()
