"""A trained policy as a function of NumPy arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pyembody.spec import SpecError

from . import checkpoint
from .critic import Critic
from .frozen import freeze
from .gru import read_memory
from .normaliser import ObservationNormaliser
from .sac_critic import SacCritic
from .symmetry import mirror_rows
from .torch_policy import TorchPolicy

Array = npt.NDArray[Any]


class Policy:
    """The deterministic policy of a checkpoint: observation normaliser, mirror and memory are inside.

    A policy with memory expects the rows of the same environments in each call, one call a step, and `forget` where an
    episode ended.
    """

    def __init__(self, arrays: dict[str, Array], meta: checkpoint.Meta, place: str) -> None:
        """`arrays` are those of model.safetensors. Raises SpecError naming `place` if some are missing or misshapen."""
        self.meta = meta
        layers = _layers(arrays, place)
        self._layers = layers
        self._network = freeze(layers, meta.activation)
        self._memory = read_memory(arrays, "actor_memory", place)
        width, self._outputs = layers[0][0].shape[0], layers[-1][0].shape[1]
        width -= self._memory.width if self._memory else 0
        # a squashed policy has standard deviations beside its means
        self._scale = _array(arrays, "action_scale", (), place) if "action_scale" in arrays else None
        normaliser = ObservationNormaliser(width, meta.observation_clip)
        shapes = {"count": (), "mean": (width,), "var": (width,)}
        normaliser.load(
            {
                k: torch.from_numpy(_array(arrays, f"observations.{k}", shape, place))
                for k, shape in shapes.items()
            }
        )
        self._normalisation = (*normaliser.folded(), normaliser.clip)
        (self._memory or self._network).normalise(*self._normalisation)
        self._mirror: dict[str, tuple[Array, Array]] = {}
        if meta.mirror_clock >= 0:
            self._mirror = {
                k: (_array(arrays, f"mirror.{k}_index", None, place), _array(arrays, f"mirror.{k}_sign", None, place))
                for k in ("obs", "critic", "action")
            }
        kind = Critic if self._scale is None else SacCritic
        self._critic = kind(arrays, meta.activation, meta.observation_clip, place)
        self.observation_size = width
        self.statistics: Array | None = arrays.get(checkpoint.STATISTICS)
        """Running statistics `[3, K]` of the `normalise` in the rewards that it was trained with, None without."""
        self.thresholds: Array | None = arrays.get(checkpoint.THRESHOLDS)
        """Thresholds `[C]` of the channels' gates at the end of its training, None without gates."""

    def __call__(self, observations: npt.ArrayLike) -> Array:
        """Return actions `[N, A]` float32 for observations `[N, O]`, or `[A]` for one observation `[O]`.

        Raises ValueError for another shape.
        """
        given, size = np.asarray(observations, np.float32), self.observation_size
        rows = np.atleast_2d(given)
        if rows.ndim != 2 or rows.shape[1] != size:
            raise ValueError(f"observations: expected ({size},) or (N, {size}), got {given.shape}")
        flags = self._flags(rows)
        actions = self._act(self._canonical(rows, flags, "obs"))
        if flags is not None:
            mirror_rows(actions, flags, *self._mirror["action"])
        return actions.reshape(given.shape[:-1] + actions.shape[1:])

    def forget(self, ended: Array | None = None) -> None:
        """Begin anew in the environments of `ended [N]` bool, in all of them for None; for policies with memory."""
        for memory in (self._memory, self._critic.memory):
            if memory is not None:
                memory.forget(ended)

    def to_torch(self) -> TorchPolicy:
        """Return the same function as a torch module of `nn.Linear` layers. Raises ValueError for one with memory."""
        if self._memory is not None:
            raise ValueError("to_torch: expected a policy without memory")
        mirror = (self._mirror["obs"], self._mirror["action"], self.meta.mirror_clock) if self._mirror else None
        return TorchPolicy(self._layers, self.meta.activation, self._normalisation, self._scale, mirror)

    def values(self, observations: Array, critic_observations: Array) -> Array:
        """Return the critics' values `[N, C]` float32 for observations `[N, O]` and critic observations `[N, Oc]`.

        Critics with memory expect one call a step, too.
        """
        flags = self._flags(observations)
        rows = self._canonical(critic_observations, flags, "critic")
        if isinstance(self._critic, Critic):
            return self._critic(rows)
        return self._critic(rows, self._act(self._canonical(observations, flags, "obs")) / self._scale)

    def _flags(self, observations: Array) -> Array | None:
        """Which rows the policy sees mirrored; None for a policy without symmetry."""
        return observations[:, self.meta.mirror_clock] < 0 if self._mirror else None

    def _canonical(self, rows: Array, flags: Array | None, kind: str) -> Array:
        copied = np.array(rows, np.float32)
        if flags is not None:
            mirror_rows(copied, flags, *self._mirror[kind])
        return copied

    def _act(self, rows: Array) -> Array:
        if self._memory is not None:
            rows = self._memory(rows)[0]
        outputs = np.empty((len(rows), self._outputs), np.float32)
        self._network.forward(rows, outputs)
        return outputs if self._scale is None else np.tanh(outputs[:, : self._outputs // 2]) * self._scale


def load_policy(path: Path) -> Policy:
    """Return the policy of a run (its newest checkpoint) or of one checkpoint folder.

    Raises SpecError naming the file that is missing, cut off or damaged.
    """
    path = Path(path)
    folder = path if (path / "meta.json").is_file() else checkpoint.latest(path)
    meta = checkpoint.read_meta(folder)
    return Policy(
        checkpoint.read_part(folder, meta, checkpoint.MODEL), meta, str(folder / checkpoint.MODEL)
    )


def _layers(arrays: dict[str, Array], place: str) -> list[tuple[Array, Array]]:
    """The actor's layers: weight `[in, out]`, bias `[out]`."""
    count = sum(name.startswith("actor.weights.") for name in arrays)
    if count == 0:
        raise SpecError(f"{place}: expected arrays 'actor.weights.*', found none")
    layers = []
    inputs = None
    for i in range(count):
        weight = _array(arrays, f"actor.weights.{i}", None, place)
        if (
            weight.ndim != 3
            or weight.shape[0] != 1
            or weight.shape[1] != (inputs or weight.shape[1])
        ):
            raise SpecError(
                f"{place}: actor.weights.{i}: expected (1, {inputs or 'in'}, out), got {weight.shape}"
            )
        inputs = weight.shape[2]
        bias = _array(arrays, f"actor.biases.{i}", (1, 1, inputs), place)
        layers.append((weight[0], bias[0, 0]))
    return layers


def _array(arrays: dict[str, Array], name: str, shape: tuple[int, ...] | None, place: str) -> Array:
    """An array of the given shape (any, if None)."""
    if name not in arrays:
        raise SpecError(f"{place}: expected an array '{name}', found none")
    if shape is not None and arrays[name].shape != shape:
        raise SpecError(f"{place}: {name}: expected shape {shape}, got {arrays[name].shape}")
    return arrays[name]
