"""`bench learn`: PPO's gradient and a policy's single step, against the processor's arithmetic and torch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import numpy as np
import torch

from ... import _core
from ...learn.batch import Batch
from ...learn.core_engine import CoreEngine, describe
from ...learn.engine import Engine
from ...learn.networks import ActorCritic
from ...learn.torch_engine import TorchEngine
from ...spec import Train
from ..row import LIMIT, Result, Settings, compare
from ..stepping import Sampler, usable_cores
from ..timing import Case, interleave

FAMILY = "learn"
OBSERVATIONS, ACTIONS, CHANNELS = 48, 12, ("task", "style", "safety")
UPDATES = ((64, 64), (1536, 128), (4096, 256))
"""Minibatch and width of both hidden layers of the actor and of each of three critics."""
POLICY = (256, 256)
SECONDS = 0.02
"""What one sample lasts, about."""
REPEATS = 4_000_000
"""Of the limit's loop: a call of some 12 ms, beside which waking a second thread is nothing."""


def run(settings: Settings) -> Result:
    """Measure updates per case and the policy's single step; torch takes all usable cores as the core does."""
    threads = settings.threads or usable_cores()
    rows = []
    for batch, width in UPDATES:
        rates = interleave(update_samplers(batch, width, threads), settings.seconds / (len(UPDATES) + 1))
        rows += compare(FAMILY, f"update/{batch}x{width}", "rows/s", rates)
    rates = interleave(policy_samplers(), settings.seconds / (len(UPDATES) + 1))
    rows += compare(FAMILY, f"policy/{'-'.join(map(str, (OBSERVATIONS, *POLICY, ACTIONS)))}", "steps/s", rates)
    return Result(rows)


def update_samplers(count: int, width: int, threads: int) -> dict[str, Sampler]:
    """Return gradients per row and second of the core, torch, and the arithmetic alone."""
    config = Train(actor_hidden=(width, width), critic_hidden=(width, width))
    networks = ActorCritic(config, OBSERVATIONS, OBSERVATIONS, ACTIONS, CHANNELS, seed=0)
    batch, index = _draw_batch(networks, 4 * count), torch.randperm(4 * count)[:count]
    per_row = _gradient_multiply_adds((OBSERVATIONS, width, width, ACTIONS))
    per_row += len(CHANNELS) * _gradient_multiply_adds((OBSERVATIONS, width, width, 1))

    def gradient(engine: Engine) -> int:
        engine.gradients(batch, index, config)
        return count

    return {
        "ours": _repeated(partial(gradient, CoreEngine(networks, threads))),
        LIMIT: _arithmetic(per_row, threads),
        "torch-eager": _with_threads(_repeated(partial(gradient, TorchEngine(networks))), threads),
    }


def policy_samplers() -> dict[str, Sampler]:
    """Return single policy steps per second, on one thread, of the core and of torch."""
    networks = ActorCritic(Train(actor_hidden=POLICY), OBSERVATIONS, OBSERVATIONS, ACTIONS, CHANNELS, seed=0)
    flat, rows = networks.flat.numpy(), torch.randn(1, OBSERVATIONS)
    mlp = _core.Mlp(describe(networks.actor), flat.size, 1)
    mlp.load(flat)
    row, out = rows.numpy(), np.empty((1, ACTIONS), np.float32)

    def ours() -> int:
        mlp.forward(row, out)
        return 1

    def theirs() -> int:
        with torch.inference_mode():
            networks.mean(rows)
        return 1

    sizes = (OBSERVATIONS, *POLICY, ACTIONS)
    per_step = sum(a * b for a, b in pairwise(sizes))
    return {
        "ours": _repeated(ours),
        LIMIT: _arithmetic(per_step, 1),
        "torch-eager": _with_threads(_repeated(theirs), 1),
    }


def _draw_batch(networks: ActorCritic, rows: int) -> Batch:
    with torch.no_grad():
        observations = torch.randn(rows, OBSERVATIONS)
        mean = networks.mean(observations)
        log_std = networks.log_std.clone()
    actions = mean + log_std.exp() * torch.randn(rows, ACTIONS)
    log_probs = torch.full((rows,), -float(ACTIONS))
    targets = torch.randn(rows, len(CHANNELS))
    return Batch(observations, observations, actions, mean, log_probs, torch.randn(rows), targets, log_std)


def _gradient_multiply_adds(sizes: tuple[int, ...]) -> int:
    """Of one row forward and back: three products a layer, but none for the gradient of the first layer's inputs."""
    return sum(3 * a * b for a, b in pairwise(sizes)) - sizes[0] * sizes[1]


def _arithmetic(multiply_adds: int, threads: int) -> Sampler:
    """Return how often a second the registers alone can do so many multiply-adds."""
    sample = _repeated(lambda: _core.multiply_adds(REPEATS, threads))
    return lambda: sample() / multiply_adds


def _repeated(run: Callable[[], int]) -> Sampler:
    """Return a sampler of so many runs that a sample lasts about SECONDS."""
    run()
    repeats = max(1, int(SECONDS * Case(run).sample() / run()))
    return Case(lambda: sum(run() for _ in range(repeats))).sample


def _with_threads(sample: Sampler, threads: int) -> Sampler:
    """Return the sampler under `threads` of torch's threads, which would spin beside the others' samples."""

    def measured() -> float:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            return sample()
        finally:
            torch.set_num_threads(before)

    return measured
