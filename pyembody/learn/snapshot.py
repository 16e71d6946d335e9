"""A learner as arrays and back: what a checkpoint holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pyembody.spec import SpecError

from . import checkpoint
from .learner import Learner
from .run_folder import RunSpec

Array = npt.NDArray[Any]


def save_learner(run: Path, spec: RunSpec, learner: Learner, score: float, elapsed: float) -> Path:
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


def load_learner(run: Path, spec: RunSpec, learner: Learner) -> float:
    """Bring a learner to the newest checkpoint; return the seconds trained so far. Raises SpecError."""
    folder = checkpoint.latest(run)
    meta, model, state = checkpoint.load(folder, learner.group.rank)
    if meta.spec_hash != spec.hash:
        raise SpecError(
            f"{folder}: saved with other specifications ({meta.spec_hash}) than spec.json ({spec.hash})"
        )
    for name, target in {**_model(learner), **_own(learner)}.items():
        source = model if name in _model(learner) else state
        _check(folder, name, source, target)
    _load_model(learner, model)
    learner.optimiser.rate = meta.learning_rate
    learner.iteration, learner.steps, learner.episode_length = (
        meta.iteration,
        meta.steps,
        meta.episode_length,
    )
    _load_own(learner, state)
    learner.env.load_state_dict({k[4:]: v for k, v in state.items() if k.startswith("env.")})
    return meta.elapsed_s


def _model(learner: Learner) -> dict[str, Array]:
    """Everything that is the same on all ranks."""
    arrays = {k: v.numpy() for k, v in learner.networks.parameters().items()}
    for name, normaliser in _normalisers(learner).items():
        arrays |= {f"{name}.{k}": v.numpy() for k, v in normaliser.state().items()}
    arrays |= {f"optimiser.{k}": v.numpy() for k, v in learner.optimiser.state().items()}
    arrays["running_std"] = learner.running_std
    arrays |= _statistics(learner.env)
    arrays |= {f"scale.{k}": v for k, v in learner.scale.shared.items()}
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


def _own(learner: Learner) -> dict[str, Array]:
    """What each rank has for itself, without the environment."""
    gates = {} if learner.gates is None else learner.gates.arrays()
    return {
        "generator": learner.generator.get_state().numpy(),
        "lengths": learner.collector.lengths,
        "paid": learner.collector.terms.episode,
        **{f"scale.{k}": v for k, v in learner.scale.own.items()},
        **{f"engine.{k}": v.numpy() for k, v in learner.engine.state().items()},
        **gates,
    }


def _state(learner: Learner) -> dict[str, Array]:
    return _own(learner) | {f"env.{k}": np.asarray(v) for k, v in learner.env.state_dict().items()}


def _load_model(learner: Learner, model: dict[str, Array]) -> None:
    for name, parameter in learner.networks.parameters().items():
        parameter.copy_(torch.from_numpy(model[name]))
    for name, normaliser in _normalisers(learner).items():
        normaliser.load({k: torch.from_numpy(model[f"{name}.{k}"]) for k in normaliser.state()})
    for name, moment in learner.optimiser.state().items():
        moment.copy_(torch.from_numpy(model[f"optimiser.{name}"]))
    learner.running_std[:] = model["running_std"]
    for name, array in learner.scale.shared.items():
        array[...] = model[f"scale.{name}"]


def _load_own(learner: Learner, state: dict[str, Array]) -> None:
    for name, array in _own(learner).items():
        if name != "generator":
            array[...] = state[name]
    learner.generator.set_state(torch.from_numpy(state["generator"].copy()))


def _normalisers(learner: Learner) -> dict[str, Any]:
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
