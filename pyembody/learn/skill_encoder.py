"""The encoder that tells skills apart: one network of its own, trained by what its kind of diversity asks for."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, log_softmax

from pyembody.data.flat import padded
from pyembody.spec import Skills

from .adam import Adam
from .networks import GroupedMLP, activate, rebind, write_gradient

ACTIVATION = "elu"
"""Of slope at most 1, as LSD's encoder must be."""


class SkillEncoder:
    """`phi [B, E] -> [B, Z]` with its optimiser; `kappa [1]` is METRA's multiplier.

    The largest singular value of each of LSD's weight matrices is divided by, so that phi has a slope of at most 1.
    """

    def __init__(self, spec: Skills, inputs: int, seed: int) -> None:
        self.spec = spec
        generator = torch.Generator().manual_seed(seed)
        self.network = GroupedMLP(1, (inputs, *spec.hidden, spec.size), ACTIVATION, 1.0, generator)
        self._leaves = list(self.network.parameters())
        size = sum(padded(p[0].numel()) for p in self._leaves)
        self.flat, self.grads = torch.zeros(size), torch.zeros(size)
        self._views = rebind(self._leaves, self.flat.view(1, -1), self.grads.view(1, -1))
        self.kappa = torch.ones(1, dtype=torch.float64)
        self.optimiser = Adam(self.flat, spec.learning_rate)

    def __call__(self, rows: Tensor) -> Tensor:
        """Return phi `[B, Z]` of rows `[B, E]`; for DIAYN the logits of the skills."""
        hidden, last = rows, len(self.network.weights) - 1
        for i, (weight, bias) in enumerate(zip(self.network.weights, self.network.biases, strict=True)):
            hidden = torch.addmm(bias[0], hidden, self._bounded(weight[0]))
            if i < last:
                hidden = activate(hidden, ACTIVATION)
        return hidden

    def rewards(self, before: Tensor, after: Tensor, skill: Tensor) -> Tensor:
        """Return what steps from `before [B, E]` to `after [B, E]` are paid under `skill [B, Z]`: `[B]`.

        `skills_reference.py` defines it.
        """
        with torch.no_grad():
            if self.spec.diversity == "diayn":
                chosen = skill.argmax(1, keepdim=True)
                chance = torch.log(torch.tensor(float(self.spec.size)))
                found: Tensor = log_softmax(self(after), 1).gather(1, chosen)[:, 0] + chance
            else:
                found = ((self(after) - self(before)) * skill).sum(1)
        return found * self.spec.gain

    def differentiate(self, before: Tensor, after: Tensor, skill: Tensor) -> Tensor:
        """Write the gradient of the encoder's loss into `grads`.

        Returns (loss, square of the way a step, METRA's slack) `[3]` float64; the square is 0 for DIAYN.
        """
        if self.spec.diversity == "diayn":
            loss = cross_entropy(self(after), skill.argmax(1))
            figures = (loss, loss.new_zeros(()), loss.new_zeros(()))
        else:
            way = self(after) - self(before)
            square, along = way.square().sum(1), (way * skill).sum(1)
            slack = torch.clamp(1.0 - square, max=self.spec.slack)
            weight = float(self.kappa) if self.spec.diversity == "metra" else 0.0
            loss = -(along + weight * slack).mean()
            figures = (loss, square.mean(), slack.mean())
        write_gradient(loss, self._leaves, self._views)
        return torch.stack([x.detach() for x in figures]).double()

    def step(self, slack: float) -> None:
        """Move the parameters against `grads`, and METRA's multiplier against the mean slack: broken, it grows."""
        self.optimiser.step(self.grads)
        if self.spec.diversity == "metra":
            self.kappa.sub_(self.spec.dual_rate * slack).clamp_(min=0.0)

    def _bounded(self, weight: Tensor) -> Tensor:
        if self.spec.diversity != "lsd":
            return weight
        with torch.no_grad():
            left, _, right = torch.linalg.svd(weight, full_matrices=False)
        # the singular value as a function of the matrix, whose vectors do not move to first order
        bounded: Tensor = weight / (left[:, 0] @ weight @ right[0])
        return bounded
