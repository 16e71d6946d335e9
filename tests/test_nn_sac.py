"""Soft actor-critic in the core against automatic differentiation of torch's own distributions, in double precision."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.distributions import Normal, TransformedDistribution
from torch.distributions.transforms import TanhTransform

from nn_twins import (
    Stack,
    assert_gradient,
    assert_near,
    assert_other_level_passes,
    by_rows,
    make_stack,
    message_of,
    stacks,
)
from pyembody import _core
from pyembody.learn.networks import GroupedMLP

LOW, HIGH = -5.0, 2.0


@dataclass
class Problem:
    actor: Stack
    critic: Stack
    channels: int
    observations: torch.Tensor
    critic_observations: torch.Tensor
    noise: torch.Tensor
    rewards: torch.Tensor
    discount: torch.Tensor
    temperature: float
    weights: torch.Tensor

    def core(self, threads: int = 1) -> _core.SacGradient:
        shapes = (self.actor.described(), self.critic.described(), self.channels)
        return _core.SacGradient(*shapes, self.actor.flat.numel(), self.critic.flat.numel(), LOW, HIGH, threads)

    def targets(self, threads: int = 1) -> torch.Tensor:
        out = torch.zeros_like(self.rewards)
        rows = (self.observations, self.critic_observations, self.noise)
        rest = (self.rewards, self.discount, out)
        arrays = (x.numpy() for x in (self.actor.flat, self.critic.flat, *rows, *rest))
        self.core(threads).targets(*arrays)
        return out

    def message(self, threads: int = 1) -> torch.Tensor:
        rows = (self.observations, self.critic_observations, self.noise, self.weights)
        arrays = [x.numpy() for x in (self.actor.flat, self.critic.flat, *rows)]
        size, core = self.actor.flat.numel() + 2 + self.channels, self.core(threads)
        return message_of(size, lambda m: core.actor(*arrays, self.temperature, m.numpy()))


def log_prob_and_least(problem: Problem, actor: GroupedMLP, critic: GroupedMLP) -> tuple[torch.Tensor, torch.Tensor]:
    """Log densities of each action [M, A] and each channel's least value [M, C]."""
    mean, raw = actor(problem.observations.double())[0].chunk(2, 1)
    std = (LOW + 0.5 * (HIGH - LOW) * (raw.tanh() + 1.0)).exp()
    squashed = TransformedDistribution(Normal(mean, std), [TanhTransform(cache_size=1)])
    action = squashed.transforms[0](mean + std * problem.noise.double())
    values = critic(torch.cat([problem.critic_observations.double(), action], 1))[:, :, 0]
    return squashed.log_prob(action), values.view(problem.channels, -1, len(mean)).min(1).values.t()


@st.composite
def problems(draw) -> Problem:
    channels, twins, rows = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 300))
    seen, critic_seen, actions = (draw(st.integers(1, n)) for n in (40, 30, 14))
    actor = draw(stacks(1, seen, 2 * actions))
    critic = draw(stacks(twins * channels, critic_seen + actions, 1))
    return problem_of(actor, critic, channels, rows, draw(st.integers(0, 999)))


def problem_of(actor: Stack, critic: Stack, channels: int, rows: int, seed: int) -> Problem:
    g = torch.Generator().manual_seed(seed)
    actions = actor.network.weights[-1].shape[2] // 2
    seen, critic_seen = actor.network.weights[0].shape[1], critic.network.weights[0].shape[1] - actions
    return Problem(
        actor,
        critic,
        channels,
        torch.randn(rows, seen, generator=g),
        torch.randn(rows, critic_seen, generator=g),
        torch.randn(rows, actions, generator=g),
        torch.randn(rows, channels, generator=g),
        torch.rand(rows, channels, generator=g),
        float(torch.rand(1, generator=g)),
        torch.randn(channels, generator=g),
    )


def fixed(rows: int = 1000) -> Problem:
    actor = make_stack(1, [21, 37, 19, 10], "elu", False, 1)
    return problem_of(actor, make_stack(6, [20, 40, 40, 1], "relu", True, 2), 3, rows, 3)


@given(problems())
@settings(max_examples=25, deadline=None)
def test_targets_and_the_actors_gradient_equal_automatic_differentiation(problem: Problem) -> None:
    actor, critic = by_rows(problem.actor.network, len(problem.noise)), problem.critic.double()
    each, least = log_prob_and_least(problem, actor, critic)
    targets = (problem.rewards + problem.discount * least).detach()
    # a value or target that is nearly nothing is what rounding left over of larger numbers
    assume(min(float(least.detach().abs().mean(0).min()), float(targets.abs().max())) > 0.05)
    assert_near(problem.targets(), targets)
    # the loss is the mean of temperature log pi - sum_c w_c min Q_c
    weights, temperature = problem.weights.double(), problem.temperature
    loss = (temperature * each.sum(1) - least @ weights).mean()
    message, size = problem.message(), problem.actor.flat.numel()
    assert_gradient(message, problem.actor.network, loss, actor)
    sizes = each.detach().abs().sum(1).mean(), least.detach().abs().mean(0)
    assert_near(message[size], loss.detach(), temperature * sizes[0] + sizes[1] @ weights.abs())
    assert_near(message[size + 1], each.detach().sum(1).mean(), sizes[0])
    for c in range(problem.channels):
        assert_near(message[size + 2 + c], least[:, c].detach().mean(), sizes[1][c])


@pytest.mark.parametrize("level", ["generic", "avx2"])
def test_other_simd_levels_equal_it_too(level: str) -> None:
    assert_other_level_passes(level, __file__, "automatic_differentiation")


def test_the_number_of_threads_changes_no_bit() -> None:
    problem = fixed()
    for threads in (2, 5):
        assert torch.equal(problem.message(threads), problem.message(1))
        assert torch.equal(problem.targets(threads), problem.targets(1))


def test_log_densities_stay_finite_where_actions_saturate() -> None:
    problem = fixed(50)
    problem.actor.network.biases[-1].data[..., :5] = 40.0
    assert torch.isfinite(problem.message()).all() and torch.isfinite(problem.targets()).all()


def test_a_nan_in_one_critic_is_seen_in_its_channel() -> None:
    problem = fixed(50)
    problem.critic.network.biases[-1].data[3] = float("nan")  # the second critic of channel 1
    assert torch.isfinite(problem.targets()).all(0).tolist() == [True, False, True]
    statistics = problem.message()[-5:]  # loss, log pi, least values
    assert torch.isfinite(statistics).tolist() == [False, True, True, False, True]


def test_targets_creep_after_their_source() -> None:
    target, source = np.zeros(100, np.float32), np.ones(100, np.float32)
    for _ in range(3):
        _core.polyak(target, source, 0.5)
    np.testing.assert_array_equal(target, np.float32(0.875))


def test_critics_that_do_not_share_out_among_the_channels_are_refused() -> None:
    actor = make_stack(1, [4, 4], "elu", False, 0)
    critic = make_stack(3, [5, 1], "elu", False, 0)
    sizes = (actor.flat.numel(), critic.flat.numel())
    with pytest.raises(ValueError, match="equally many for each of the 2 channels, got 3 of 1 outputs"):
        _core.SacGradient(actor.described(), critic.described(), 2, *sizes)
    with pytest.raises(ValueError, match="lowest log std below the highest one, got 2 and 1"):
        _core.SacGradient(actor.described(), critic.described(), 3, *sizes, 2.0, 1.0)
