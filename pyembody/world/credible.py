"""Learning the dynamics reward of a model from its dataset."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np

from ..data.dataset import Dataset, Transitions
from .adversarial import AdversarialSettings, adversarial
from .contrastive import ContrastiveSettings, contrastive
from .ensemble import Ensemble
from .fit import Fit, FitSettings
from .model import WorldModel, adrift
from .reward import DynamicsReward, Judge
from .reward_files import RewardSpec, Trainer, save_reward

Progress = Callable[[str, float], None]
HELD, LOW_SHARE, STAGES, STAGE_ROWS = 0.1, 0.05, 10, 20_000


def reward_model(
    dataset: Dataset,
    model: WorldModel,
    folder: Path,
    trainer: Trainer = "contrastive",
    *,
    seed: int = 0,
    updates: int = 0,
    discriminators: int = STAGES,
    threads: int = 0,
    progress: Progress | None = None,
) -> tuple[RewardSpec, DynamicsReward]:
    """Learn what transitions of a dataset are credible, save it in the model's `folder`, and return it.

    `updates` 0: as many as the trainer's own. Raises SpecError for a dataset without the model's signals, ValueError
    where nothing was learnt.
    """
    rows = dataset.transitions(model.names)
    order = np.random.default_rng([seed, 4]).permutation(len(rows))
    held = max(1, round(HELD * len(rows)))
    train, rest = rows.rows(order[held:]), rows.rows(order[:held])
    lanes = adrift(model.spec.fields)
    changes = {"seed": seed} | ({"updates": updates} if updates else {})
    if trainer == "contrastive":
        ensembles = stages(train, model, discriminators, lanes, seed, threads, progress)
        settings = msgspec.structs.replace(ContrastiveSettings(), **changes)
        hidden, reward = settings.hidden, contrastive(train, ensembles, settings, lanes, progress)
    else:
        game = msgspec.structs.replace(AdversarialSettings(), kept=discriminators, **changes)
        hidden, reward = game.hidden, adversarial(train, game, lanes, progress)
    usual = Judge(reward)(rest.state, rest.action, rest.successor)
    threshold = float(np.quantile(usual, LOW_SHARE))
    spec = RewardSpec(trainer, dataset.header.digest, hidden, reward.discriminators, reward.activation, reward.clip,
                      threshold)
    save_reward(folder, spec, reward)
    return spec, reward


def stages(
    rows: Transitions,
    model: WorldModel,
    count: int,
    adrift_lanes: np.ndarray,
    seed: int,
    threads: int = 0,
    progress: Progress | None = None,
) -> list[Ensemble]:
    """Return an ensemble like the model's at `count` times of being fitted to at most STAGE_ROWS rows, the model last.

    The times are evenly spread over twice as many epochs, or what the model took, whichever is less.
    """
    fewer = rows.rows(np.random.default_rng([seed, 5]).permutation(len(rows))[:STAGE_ROWS])
    epochs = max(count, min(2 * count, len(model.spec.history)))
    settings: FitSettings = msgspec.structs.replace(model.spec.settings, epochs=epochs, patience=epochs, seed=seed + 1)
    fit = Fit(fewer, settings, adrift_lanes, threads)
    wanted = {round(x) for x in np.linspace(1, epochs, count)}
    found = []
    while not fit.done:
        number = fit.epoch().number
        if number in wanted:
            found.append(fit.present())
        if progress is not None:
            progress("fitting what is to be told apart", number / epochs)
    return [*found[: count - 1], model.ensemble]
