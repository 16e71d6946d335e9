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


def assert_near(mine: torch.Tensor, theirs: torch.Tensor, added: torch.Tensor | float = 0.0) -> None:
    """float32 equals double to TOLERANCE, relative to the largest number, or to `added` where that is more: the sum of
    the sizes of what was added up, which no float32 sum can do better than.
    """
    assert mine.dtype == torch.float32 and theirs.dtype == torch.float64
    scale = max(float(theirs.abs().max()), float(added))
    torch.testing.assert_close(mine.double(), theirs, rtol=0.0, atol=TOLERANCE * scale)


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


def by_rows(network: GroupedMLP, rows: int) -> GroupedMLP:
    """A copy in double precision that has its biases once for each row of inputs: their gradients are what each row
    adds to those of the biases.
    """
    twin = copy.deepcopy(network).double()
    for i, bias in enumerate(twin.biases):
        twin.biases[i] = torch.nn.Parameter(bias.detach().expand(-1, rows, -1).clone())
    return twin


def assert_gradient(message: torch.Tensor, network: GroupedMLP, loss: torch.Tensor, twin: GroupedMLP) -> torch.Tensor:
    """The message holds the gradient of a loss of `twin`, a copy of `network` by rows; each group's gradient is as
    near as its largest sum over rows of sizes, which is returned `[G]`.
    """
    names, leaves = zip(*network.named_parameters(), strict=True)
    each = torch.autograd.grad(loss, list(twin.parameters()), retain_graph=True)
    rows = [x for name, x in zip(names, each, strict=True) if name.startswith("biases")]
    added = torch.stack([x.abs().sum(1).amax(1) for x in rows]).amax(0)
    for name, leaf, found in zip(names, leaves, each, strict=True):
        wanted = found.sum(1) if name.startswith("biases") else found
        first, stride = int(leaf.storage_offset()), leaf.stride(0)
        for g in range(leaf.shape[0]):
            at = first + g * stride
            assert_near(message[at : at + leaf[0].numel()], wanted[g].flatten(), added[g])
    return added


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
    """Any hidden layers, with widths around the kernels' tiles. Layer norms are of 8 numbers at least: one of few
    numbers divides differences that are nearly nothing, and float32 agrees with double to less than TOLERANCE.
    """
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
