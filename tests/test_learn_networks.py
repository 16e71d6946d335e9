"""Networks, normalisers and the optimiser of the learner."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pyembody.learn.adam import Adam
from pyembody.learn.distributed import Group
from pyembody.learn.networks import ActorCritic, GroupedMLP
from pyembody.learn.normaliser import ObservationNormaliser, ValueNormaliser
from pyembody.spec import Train

CHANNELS = ("task", "style", "safety")


def networks(**settings: object) -> ActorCritic:
    train = Train(actor_hidden=(16, 16), critic_hidden=(8, 8), **settings)  # type: ignore[arg-type]
    return ActorCritic(train, 5, 7, 2, CHANNELS, seed=3)


def test_grouped_critics_equal_separate_modules() -> None:
    group = GroupedMLP(3, (7, 8, 1), "elu", 0.01, torch.Generator().manual_seed(0))
    rows = torch.randn(10, 7)
    out = group(rows)
    out.square().sum().backward()
    for g in range(3):
        w0, w1 = (w[g].detach().clone().requires_grad_() for w in group.weights)
        b0, b1 = (b[g].detach().clone().requires_grad_() for b in group.biases)
        alone = torch.nn.functional.elu(rows @ w0 + b0) @ w1 + b1
        alone.square().sum().backward()
        torch.testing.assert_close(alone, out[g], rtol=1e-6, atol=1e-6)
        for mine, theirs in ((w0, group.weights[0]), (w1, group.weights[1]), (b0, group.biases[0])):
            torch.testing.assert_close(mine.grad, theirs.grad[g], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("critics", ["separate", "heads"])
def test_the_gradient_of_one_channel_touches_its_own_critic_only(critics: str) -> None:
    nets = networks(critics=critics)
    nets.differentiate(
        nets.values(torch.randn(6, 7))[:, 1].sum()
        + 0.0 * nets.mean(torch.randn(6, 5)).sum()
        + 0.0 * nets.log_std.sum()
    )
    moved = [bool(row.abs().sum() > 0) for row in nets.critic_grads]
    assert moved == ([False, True, False] if critics == "separate" else [True])
    assert not nets.actor_grads.any()


def test_parameters_are_views_of_the_flat_tensor() -> None:
    nets = networks()
    rows = torch.randn(4, 5)
    before = nets.mean(rows)
    nets.flat.mul_(0.0)
    assert (
        before.abs().sum() > 0
        and nets.mean(rows).abs().sum() == 0
        and nets.values(torch.randn(4, 7)).abs().sum() == 0
    )


def test_the_standard_deviation_is_kept_in_its_range() -> None:
    nets = networks(min_std=0.1, max_std=0.5, initial_std=0.5)
    nets.flat.add_(5.0)
    nets.clamp_std()
    assert nets.log_std.exp().tolist() == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize("critics", ["separate", "heads"])
def test_values_survive_a_change_of_their_units(critics: str) -> None:
    nets = networks(critics=critics)
    rows = torch.randn(20, 7)
    normaliser = ValueNormaliser(3)
    nets.rescale_values(*normaliser.update(torch.randn(50, 3), Group()))
    before = normaliser.denormalise(nets.values(rows))
    nets.rescale_values(
        *normaliser.update(torch.randn(50, 3) * torch.tensor([1.0, 100.0, 0.01]) + 5.0, Group())
    )
    after = normaliser.denormalise(nets.values(rows))
    torch.testing.assert_close(before, after, rtol=1e-5, atol=1e-5)


def test_normalised_targets_have_the_batch_moments_at_first() -> None:
    normaliser = ValueNormaliser(1)
    targets = torch.tensor([[1.0], [3.0]])
    normaliser.update(targets, Group())
    assert normaliser.normalise(targets).flatten().tolist() == pytest.approx([-1.0, 1.0])


@given(st.integers(0, 2**31), st.lists(st.integers(1, 40), min_size=1, max_size=5))
@settings(max_examples=30, deadline=None)
def test_moments_of_parts_equal_moments_of_the_whole(seed: int, sizes: list[int]) -> None:
    rows = torch.from_numpy(
        np.random.default_rng(seed).normal(3.0, 2.0, (sum(sizes), 4)).astype(np.float32)
    )
    normaliser = ObservationNormaliser(4, 10.0)
    for part in rows.split(sizes):
        normaliser.update(part, Group())
    torch.testing.assert_close(normaliser.mean, rows.double().mean(0))
    torch.testing.assert_close(normaliser.var, rows.double().var(0, unbiased=False))


def test_an_observation_that_never_moved_is_not_blown_up() -> None:
    normaliser = ObservationNormaliser(1, 10.0)
    normaliser.update(torch.full((8, 1), 2.0), Group())
    rows = torch.tensor([[2.0], [2.005]])
    assert normaliser(rows, out=torch.empty_like(rows)).flatten().tolist() == pytest.approx(
        [0.0, 0.5], abs=1e-3
    )


def test_observations_are_clipped() -> None:
    rows = torch.tensor([[1e6], [-1e6]])
    assert ObservationNormaliser(1, 10.0)(rows, out=torch.empty_like(rows)).flatten().tolist() == [
        10.0,
        -10.0,
    ]


def test_adam_equals_torch() -> None:
    start = torch.randn(20)
    theirs = torch.nn.Parameter(start.clone())
    peer = torch.optim.Adam([theirs], lr=0.01)
    mine = start.clone()
    adam = Adam(mine, 0.01)
    for _ in range(5):
        gradient = torch.randn(20)
        theirs.grad = gradient.clone()
        peer.step()
        adam.step(gradient)
    torch.testing.assert_close(mine, theirs.data, rtol=1e-5, atol=1e-7)
