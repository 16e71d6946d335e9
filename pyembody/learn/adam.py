"""Adam on one flat parameter tensor. Paper: Kingma and Ba, Adam: a method for stochastic optimization (2015).

torch's own optimisers import its compiler, which costs a second at the start of every worker and keeps a process group
alive beyond its end.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


class Adam:
    """Moments of the gradient of `parameters [P]` and the learning rate `rate`."""

    def __init__(self, parameters: Tensor, rate: float) -> None:
        self.parameters = parameters
        self.rate = rate
        self.count = torch.zeros((), dtype=torch.int64)
        self.mean = torch.zeros_like(parameters)
        self.square = torch.zeros_like(parameters)
        self._scratch = torch.empty_like(parameters)

    def step(self, grads: Tensor) -> None:
        """Move the parameters against `grads [P]`, in place."""
        self.count += 1
        steps = int(self.count)
        # m <- b1 m + (1 - b1) g;  v <- b2 v + (1 - b2) g^2
        self.mean.lerp_(grads, 1.0 - BETA1)
        self.square.mul_(BETA2).addcmul_(grads, grads, value=1.0 - BETA2)
        # p <- p - rate m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + epsilon)
        torch.sqrt(self.square, out=self._scratch)
        self._scratch.div_(math.sqrt(1.0 - BETA2**steps)).add_(EPSILON)
        self.parameters.addcdiv_(self.mean, self._scratch, value=-self.rate / (1.0 - BETA1**steps))

    def state(self) -> dict[str, Tensor]:
        """Return the live moments and step count by name."""
        return {"count": self.count, "mean": self.mean, "square": self.square}
