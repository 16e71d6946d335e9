"""Running moments: of observations, and of value targets per channel (PopArt)."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy.typing as npt
import torch
from torch import Tensor

from .distributed import Group

Array: TypeAlias = npt.NDArray[Any]

MIN_OBSERVATION_STD = 1e-2
"""A component that hardly ever moved while training must not be blown up when it moves later."""
MIN_VALUE_STD = 1e-8
VALUE_RATE = 0.1


class ObservationNormaliser:
    """Mean and variance `[F]` of everything seen, in float64; the identity until the first update."""

    def __init__(self, features: int, clip: float) -> None:
        self.count = torch.zeros((), dtype=torch.float64)
        self.mean = torch.zeros(features, dtype=torch.float64)
        self.var = torch.ones(features, dtype=torch.float64)
        self.clip = clip
        self._refresh()

    def __call__(self, rows: Tensor, out: Tensor) -> Tensor:
        """Write `clip((rows - mean) / std)` of rows `[..., F]` float32 to `out` and return it."""
        torch.sub(rows, self._mean32, out=out)
        return out.mul_(self._inverse_std).clamp_(-self.clip, self.clip)

    def update(self, rows: Tensor, group: Group) -> None:
        """Merge the rows `[B, F]` of all ranks (Chan's parallel variance)."""
        centred = rows.double() - self.mean
        sums = torch.cat(
            [
                centred.sum(0),
                centred.square().sum(0),
                torch.tensor([rows.shape[0]], dtype=torch.float64),
            ]
        )
        group.sum(sums)
        features = self.mean.numel()
        n = sums[-1]
        shift, var = sums[:features] / n, sums[features:-1] / n
        var = var - shift.square()
        total = self.count + n
        self.var = (
            self.var * self.count + var * n + shift.square() * self.count * n / total
        ) / total
        self.mean = self.mean + shift * n / total
        self.count = total
        self._refresh()

    def folded(self) -> tuple[Array, Array]:
        """Return the mean and 1 / std `[F]` float32 that rows are normalised with."""
        return self._mean32.numpy(), self._inverse_std.numpy()

    def state(self) -> dict[str, Tensor]:
        """Return count, mean and variance by name."""
        return {"count": self.count, "mean": self.mean, "var": self.var}

    def load(self, state: dict[str, Tensor]) -> None:
        """Set what `state` returned."""
        self.count, self.mean, self.var = (state[k].clone() for k in ("count", "mean", "var"))
        self._refresh()

    def _refresh(self) -> None:
        self._mean32 = self.mean.float()
        self._inverse_std = (1.0 / self.var.clamp_min(MIN_OBSERVATION_STD**2).sqrt()).float()


class ValueNormaliser:
    """Slow running mean and std `[C]` of value targets: V = std * network + mean.

    Paper: van Hasselt et al., Learning values across many orders of magnitude (2016).
    """

    def __init__(self, channels: int) -> None:
        self.count = torch.zeros((), dtype=torch.float64)
        self.mean = torch.zeros(channels, dtype=torch.float64)
        self.square = torch.ones(channels, dtype=torch.float64)

    @property
    def std(self) -> Tensor:
        """Standard deviation `[C]` float64."""
        return (self.square - self.mean.square()).clamp_min(MIN_VALUE_STD**2).sqrt()

    def denormalise(self, outputs: Tensor) -> Tensor:
        """Return values `[..., C]` float32 of network outputs."""
        return torch.addcmul(self.mean.float(), outputs, self.std.float())

    def normalise(self, targets: Tensor) -> Tensor:
        """Return targets `[..., C]` float32 in the network's units."""
        return (targets - self.mean.float()) / self.std.float()

    def update(self, targets: Tensor, group: Group) -> tuple[Tensor, Tensor]:
        """Merge the targets `[B, C]` of all ranks; return (ratio, shift) that keep the network's values unchanged."""
        mean, std = self.mean.clone(), self.std
        rows = targets.double()
        sums = torch.stack(
            [rows.sum(0), rows.square().sum(0), torch.full_like(mean, rows.shape[0])]
        )
        group.sum(sums)
        self.count = self.count + 1
        rate = torch.clamp_min(1.0 / self.count, VALUE_RATE)
        self.mean = torch.lerp(self.mean, sums[0] / sums[2], rate)
        self.square = torch.lerp(self.square, sums[1] / sums[2], rate)
        if self.count == 1:  # an untrained critic's values are not worth keeping
            return torch.ones_like(mean), torch.zeros_like(mean)
        return std / self.std, (mean - self.mean) / self.std

    def state(self) -> dict[str, Tensor]:
        """Return count, mean and mean square by name."""
        return {"count": self.count, "mean": self.mean, "square": self.square}

    def load(self, state: dict[str, Tensor]) -> None:
        """Set what `state` returned."""
        self.count, self.mean, self.square = (state[k].clone() for k in ("count", "mean", "square"))


def critic_normalisers(arrays: dict[str, Array], clip: float) -> tuple[ObservationNormaliser, ValueNormaliser]:
    """Return those of the observations and values of a checkpoint's critics; `arrays` are those of model.safetensors.

    Raises KeyError naming an array that is missing.
    """
    own = "critic_observations" if "critic_observations.mean" in arrays else "observations"
    observations = ObservationNormaliser(len(arrays[f"{own}.mean"]), clip)
    values = ValueNormaliser(len(arrays["values.mean"]))
    observations.load({k: torch.from_numpy(arrays[f"{own}.{k}"]) for k in observations.state()})
    values.load({k: torch.from_numpy(arrays[f"values.{k}"]) for k in values.state()})
    return observations, values
