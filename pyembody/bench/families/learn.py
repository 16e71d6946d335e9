"""`bench learn`: PPO's gradient beside the processor's arithmetic and torch; a policy's step beside its peers."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import numpy as np
import torch

from ... import _core
from ...learn.batch import Batch
from ...learn.core_engine import CoreEngine, describe
from ...learn.engine import Engine
from ...learn.losses import entropy, log_prob, policy_loss, value_losses
from ...learn.networks import ActorCritic
from ...learn.torch_engine import TorchEngine
from ...spec import Train
from ..latency import latencies
from ..policy_peers import policy_peers
from ..row import LIMIT, Result, Settings, compare
from ..stepping import Sampler, usable_cores
from ..timing import Case, interleave
from ..torch_threads import use_threads, with_threads

FAMILY = "learn"
OBSERVATIONS, ACTIONS, CHANNELS = 48, 12, ("task", "style", "safety")
COMPILED = ((64, 64), (1024, 128), (4096, 256))
"""Updates that torch's compiler, which takes half a minute for each, is measured on as well."""
POLICY = (256, 256)
GOAL_US = 5.0
SECONDS = 0.02
"""What one sample lasts, about."""
REPEATS = 4_000_000
"""Of the limit's loop: a call of some 12 ms, beside which waking a second thread is nothing."""


def run(settings: Settings) -> Result:
    """Measure updates per case and the policy's single step; torch takes all usable cores as the core does."""
    threads = settings.threads or usable_cores()
    share = settings.seconds / (len(settings.updates) + 1)
    rows = []
    compiles = settings.compiled and shutil.which("c++") is not None
    for batch, width in settings.updates:
        compiled = compiles and (batch, width) in COMPILED
        rates = interleave(update_samplers(batch, width, threads, compiled), share)
        rows += compare(FAMILY, f"update/{batch}x{width}", "rows/s", rates)
    policy = policy_rows(share, settings.compiled)
    left_out = [] if compiles else ["learn torch-compile, numba: need `compiled` peers, and the first a C++ compiler"]
    return Result(rows + policy.rows, left_out + policy.left_out)


def update_samplers(count: int, width: int, threads: int, compiled: bool) -> dict[str, Sampler]:
    """Return gradients per row and second of the core, torch, torch's compiler if `compiled`, and the arithmetic alone.

    `width` is that of both hidden layers of the actor and of each of three critics.
    """
    config = Train(actor_hidden=(width, width), critic_hidden=(width, width))
    networks = ActorCritic(config, OBSERVATIONS, OBSERVATIONS, ACTIONS, CHANNELS, seed=0)
    batch, index = _draw_batch(networks, 4 * count), torch.randperm(4 * count)[:count]
    per_row = _gradient_multiply_adds((OBSERVATIONS, width, width, ACTIONS))
    per_row += len(CHANNELS) * _gradient_multiply_adds((OBSERVATIONS, width, width, 1))

    def gradient(engine: Engine) -> int:
        engine.gradients(batch, index, config)
        return count

    samplers = {
        "ours": _repeated(partial(gradient, CoreEngine(networks, threads)), threads),
        LIMIT: _arithmetic(per_row, threads),
        "torch-eager": with_threads(_repeated(partial(gradient, TorchEngine(networks)), threads), threads),
    }
    if compiled:
        compiled_gradient = _repeated(_compiled_gradient(networks, batch, index, config), threads)
        samplers["torch-compile"] = with_threads(compiled_gradient, threads)
    return samplers


def _compiled_gradient(networks: ActorCritic, batch: Batch, index: torch.Tensor, config: Train) -> Callable[[], int]:
    """The loss of the torch engine as one compiled function, forward and back."""

    def loss(rows: Batch) -> torch.Tensor:
        log_std = networks.log_std
        log_probs = log_prob(rows.actions, networks.mean(rows.observations), log_std)
        surrogate = policy_loss(log_probs, rows.log_probs, rows.advantages, config.clip)
        values = value_losses(networks.values(rows.critic_observations), rows.targets)
        return surrogate - config.entropy * entropy(log_std) + config.value_weight * values.sum()

    compiled = torch.compile(loss, dynamic=False)

    def run() -> int:
        networks.differentiate(compiled(batch.rows(index)))
        return len(index)

    return run


def policy_rows(seconds: float, compiled: bool) -> Result:
    """Measure single policy steps on one thread, a call from Python each, in quantiles."""
    networks = ActorCritic(Train(actor_hidden=POLICY), OBSERVATIONS, OBSERVATIONS, ACTIONS, CHANNELS, seed=0)
    flat, row = networks.flat.numpy(), torch.randn(1, OBSERVATIONS).numpy()
    mlp = _core.Mlp(describe(networks.actor), flat.size, 1)
    mlp.load(flat)
    out = np.empty((1, ACTIONS), np.float32)
    actor = networks.actor
    layers = [
        (w[0].detach().numpy().copy(), b[0, 0].detach().numpy().copy())
        for w, b in zip(actor.weights, actor.biases, strict=True)
    ]
    peers, left_out = policy_peers(layers, row, compiled)
    calls = {"ours": lambda: mlp.forward(row, out), **peers}
    with use_threads(1):
        found = latencies(calls, seconds)
    case = f"policy/{'-'.join(map(str, (OBSERVATIONS, *POLICY, ACTIONS)))}"
    rows = []
    for quantile, rates in found.items():
        limits = {f"{GOAL_US:g}-us": [1e6 / GOAL_US]} if quantile == "p99" else {}
        rows += compare(FAMILY, f"{case}/{quantile}", "steps/s", rates | limits)
    return Result(rows, left_out)


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
    sample = _repeated(lambda: _core.multiply_adds(REPEATS, threads), threads)
    return lambda: sample() / multiply_adds


def _repeated(run: Callable[[], int], threads: int) -> Sampler:
    """Return a sampler of so many runs that a sample lasts about SECONDS, of this thread if it is the only one."""
    clock = time.thread_time if threads == 1 else time.perf_counter
    run()
    repeats = max(1, int(SECONDS * Case(run, clock=clock).sample() / run()))
    return Case(lambda: sum(run() for _ in range(repeats)), clock=clock).sample
