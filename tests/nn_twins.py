"""Stacks of networks drawn by hypothesis, and their gradients by automatic differentiation in double precision."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from hypothesis import strategies as st

from pyembody import _core
from pyembody.data.flat import padded
from pyembody.learn.core_engine import describe
from pyembody.learn.networks import GroupedMLP, rebind

ACTIVATIONS = ("tanh", "relu", "elu", "silu")
TOLERANCE = 1e-5


def assert_near(mine: torch.Tensor, theirs: torch.Tensor) -> None:
    """Equal to TOLERANCE, relative to the largest number or to what was added up to it, which was some tenth: float32
    sums in another order agree no better.
    """
    scale = max(float(theirs.abs().max()), 0.1)
    torch.testing.assert_close(mine, theirs, rtol=TOLERANCE, atol=TOLERANCE * scale)


@dataclass
class Stack:
    """A network whose parameters are views of `flat [P]`, a row for each group."""

    network: GroupedMLP
    flat: torch.Tensor

    def described(self) -> tuple:
        return describe(self.network)

    def double(self) -> GroupedMLP:
        """A copy in double precision."""
        return copy.deepcopy(self.network).double()

    def assert_gradient(self, message: torch.Tensor, loss: torch.Tensor, twin: GroupedMLP) -> None:
        """The message holds the gradient of a loss of `twin`, each group's parameters by themselves."""
        leaves = list(self.network.parameters())
        gradients = torch.autograd.grad(loss, list(twin.parameters()), retain_graph=True)
        for leaf, wanted in zip(leaves, gradients, strict=True):
            first, stride = int(leaf.storage_offset()), leaf.stride(0)
            for g in range(leaf.shape[0]):
                at = first + g * stride
                assert_near(message[at : at + leaf[0].numel()].double(), wanted[g].flatten())


def make_stack(groups: int, sizes: list[int], activation: str, layer_norm: bool, seed: int) -> Stack:
    """Networks away from their start."""
    generator = torch.Generator().manual_seed(seed)
    network = GroupedMLP(groups, sizes, activation, 0.5, generator, layer_norm)
    parameters = list(network.parameters())
    flat = torch.zeros(groups, sum(padded(p[0].numel()) for p in parameters))
    with torch.no_grad():
        rebind(parameters, flat, torch.zeros_like(flat))
        for p in parameters:
            p.add_(0.1 * torch.randn(p.shape, generator=generator))
    return Stack(network, flat.view(-1))


@st.composite
def stacks(draw, groups: int, inputs: int, outputs: int) -> Stack:
    """Any hidden layers, with widths around the kernels' tiles; a norm of few numbers would cancel in float32."""
    layer_norm = draw(st.booleans())
    hidden = draw(st.lists(st.integers(8 if layer_norm else 1, 70), max_size=3))
    activation = draw(st.sampled_from(ACTIVATIONS))
    return make_stack(groups, [inputs, *hidden, outputs], activation, layer_norm, draw(st.integers(0, 999)))


def message_of(size: int, run: Callable[[torch.Tensor], None]) -> torch.Tensor:
    message = torch.zeros(size)
    run(message)
    return message


def assert_other_level_passes(level: str, file: str, tests: str) -> None:
    """The named tests of a file pass at a lower SIMD level, in a process of their own."""
    best = ("generic", "avx2", "avx512").index(_core.simd_level())
    if ("generic", "avx2").index(level) >= best:
        pytest.skip(f"{level} is what the other tests run at, or more than this processor has")
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", str(Path(file)), "-k", tests]
    environment = os.environ | {"EMBODY_SIMD": level, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
