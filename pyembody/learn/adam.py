"""Adam and AdamW on one flat parameter tensor.

Papers: Kingma and Ba, Adam: a method for stochastic optimization (2015); Loshchilov and Hutter, Decoupled weight decay
regularization (2019).

torch's own optimisers import its compiler, which costs a second at the start of every worker and keeps a process group
alive beyond its end; the core moves parameters and moments in one pass.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pyembody import _core


class Adam:
    """Moments of the gradient of `parameters [P]` and the learning rate `rate`; `decay` per step and unit of rate
    shrinks the parameters themselves (AdamW).
    """

    def __init__(self, parameters: Tensor, rate: float, decay: float = 0.0) -> None:
        self.parameters = parameters
        self.rate = rate
        self.decay = decay
        self.count = torch.zeros((), dtype=torch.int64)
        self.mean = torch.zeros_like(parameters)
        self.square = torch.zeros_like(parameters)

    def step(self, grads: Tensor) -> None:
        """Move the parameters against `grads [P]`, in place; `adam_reference.adam_step` has the formula."""
        self.count += 1
        parameters, gradient, mean, square = (x.numpy() for x in (self.parameters, grads, self.mean, self.square))
        _core.adam_step(parameters, gradient, mean, square, self.rate, int(self.count), self.decay)

    def state(self) -> dict[str, Tensor]:
        """Return the live moments and step count by name."""
        return {"count": self.count, "mean": self.mean, "square": self.square}
