"""A learner as arrays and back: what a checkpoint holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pyembody.spec import SpecError

from . import checkpoint
from .algorithm import Algorithm
from .run_folder import RunSpec

Array = npt.NDArray[Any]


def save_learner(run: Path, spec: RunSpec, learner: Algorithm, score: float, elapsed: float) -> Path:
    """Write a checkpoint of all ranks and return its folder. Raises SpecError if it cannot be written."""
    mirror = learner.mirror
    meta = checkpoint.Meta(
        iteration=learner.iteration,
        steps=learner.steps,
        workers=learner.group.size,
        score=score,
        learning_rate=learner.learning_rate,
        episode_length=learner.episode_length,
        spec_hash=spec.hash,
        activation=spec.train.activation,
        observation_clip=spec.train.observation_clip,
        mirror_clock=-1 if mirror is None else int(mirror.clock),
        elapsed_s=elapsed,
    )
    return checkpoint.save(run, meta, _model(learner), _state(learner), learner.group)


def load_learner(run: Path, spec: RunSpec, learner: Algorithm) -> float:
    """Bring a learner to the newest checkpoint; return the seconds trained so far. Raises SpecError."""
    folder = checkpoint.latest(run)
    meta, model, state = checkpoint.load(folder, learner.group.rank)
    if meta.spec_hash != spec.hash:
        raise SpecError(
            f"{folder}: saved with other specifications ({meta.spec_hash}) than spec.json ({spec.hash})"
        )
    learner.expect(state)
    for source, targets in ((model, _model(learner)), (state, _own(learner))):
        for name, target in targets.items():
            _check(folder, name, source, target)
    _load_model(learner, model)
    learner.learning_rate = meta.learning_rate
    learner.iteration, learner.steps, learner.episode_length = (
        meta.iteration,
        meta.steps,
        meta.episode_length,
    )
    for name, array in _own(learner).items():
        if name != "generator":
            array[...] = state[name]
    learner.generator.set_state(torch.from_numpy(state["generator"].copy()))
    learner.env.load_state_dict({k[4:]: v for k, v in state.items() if k.startswith("env.")})
    return meta.elapsed_s


def _model(learner: Algorithm) -> dict[str, Array]:
    """Everything that is the same on all ranks."""
    arrays = {k: v.numpy() for k, v in learner.networks.parameters().items()}
    for name, normaliser in _normalisers(learner).items():
        arrays |= {f"{name}.{k}": v.numpy() for k, v in normaliser.state().items()}
    for name, optimiser in learner.optimisers.items():
        arrays |= {f"{name}.{k}": v.numpy() for k, v in optimiser.state().items()}
    arrays |= learner.shared() | _statistics(learner.env)
    mirror = learner.mirror
    if mirror is not None:
        arrays |= {
            f"mirror.{k}": getattr(mirror, k)
            for k in ("obs_index", "obs_sign", "critic_index", "critic_sign", "action_index", "action_sign")
        }
    return arrays


def _statistics(env: Any) -> dict[str, Array]:
    """The running statistics of a task's `normalise`, if it has any."""
    moments = env.running.moments.array if hasattr(env, "running") else np.zeros((3, 0))
    return {checkpoint.STATISTICS: moments} if moments.size else {}


def _own(learner: Algorithm) -> dict[str, Array]:
    """What each rank has for itself, without the environment."""
    return {
        "generator": learner.generator.get_state().numpy(),
        "lengths": learner.collector.lengths,
        "paid": learner.collector.terms.episode,
    } | learner.own()


def _state(learner: Algorithm) -> dict[str, Array]:
    return _own(learner) | {f"env.{k}": np.asarray(v) for k, v in learner.env.state_dict().items()}


def _load_model(learner: Algorithm, model: dict[str, Array]) -> None:
    for name, parameter in learner.networks.parameters().items():
        parameter.copy_(torch.from_numpy(model[name]))
    for name, normaliser in _normalisers(learner).items():
        normaliser.load({k: torch.from_numpy(model[f"{name}.{k}"]) for k in normaliser.state()})
    for name, optimiser in learner.optimisers.items():
        for kind, moment in optimiser.state().items():
            moment.copy_(torch.from_numpy(model[f"{name}.{kind}"]))
    for name, array in learner.shared().items():
        array[...] = model[name]


def _normalisers(learner: Algorithm) -> dict[str, Any]:
    named: dict[str, Any] = {"observations": learner.normaliser, "values": learner.value_normaliser}
    if learner.critic_normaliser is not learner.normaliser:
        named["critic_observations"] = learner.critic_normaliser
    return named


def _check(folder: Path, name: str, arrays: dict[str, Array], target: Array) -> None:
    if name not in arrays:
        raise SpecError(f"{folder}: expected an array '{name}', found none")
    if arrays[name].shape != target.shape or arrays[name].dtype != target.dtype:
        got = arrays[name]
        raise SpecError(
            f"{folder}: {name}: expected {target.dtype}{target.shape}, got {got.dtype}{got.shape}"
        )
