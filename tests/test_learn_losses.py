"""The formulas of PPO on numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from pyembody.learn import losses
from pyembody.learn.batch import Batch
from pyembody.spec import Train


def test_log_prob_of_a_standard_normal_at_one() -> None:
    actions, mean, log_std = torch.tensor([[1.0, 0.0]]), torch.zeros(1, 2), torch.zeros(2)
    expected = -0.5 - math.log(2 * math.pi)
    assert losses.log_prob(actions, mean, log_std).item() == pytest.approx(expected, rel=1e-6)


def test_entropy_of_two_normals() -> None:
    # H = sum_i log std_i + log(2 pi e) / 2
    log_std = torch.tensor([math.log(0.5), math.log(2.0)])
    assert losses.entropy(log_std).item() == pytest.approx(math.log(2 * math.pi * math.e), rel=1e-6)


def test_kl_of_a_shifted_and_widened_normal() -> None:
    # KL(N(0, 1) || N(1, 2^2)) = log 2 + (1 + 1) / 8 - 1/2
    kl = losses.gaussian_kl(
        torch.zeros(3, 1), torch.zeros(1), torch.ones(3, 1), torch.full((1,), math.log(2.0))
    )
    assert kl.item() == pytest.approx(math.log(2.0) - 0.25, rel=1e-6)


def test_kl_of_equal_policies_is_zero() -> None:
    mean, log_std = torch.randn(4, 3), torch.randn(3)
    assert losses.gaussian_kl(mean, log_std, mean, log_std).item() == pytest.approx(0.0, abs=1e-6)


def test_clipped_surrogate_and_its_gradient() -> None:
    # ratios 1.5, 1.5, 0.5, 0.5 with advantages +1, -1, +1, -1 and clip 0.2: 1.2, -1.5, 0.5, -0.8
    ratio = torch.tensor([1.5, 1.5, 0.5, 0.5])
    new = ratio.log().requires_grad_()
    loss = losses.policy_loss(new, torch.zeros(4), torch.tensor([1.0, -1.0, 1.0, -1.0]), 0.2)
    assert loss.item() == pytest.approx(-(1.2 - 1.5 + 0.5 - 0.8) / 4, rel=1e-6)
    (gradient,) = torch.autograd.grad(loss, new)
    # clipped rows have none; the others -ratio * A / 4
    assert gradient.tolist() == pytest.approx([0.0, 1.5 / 4, -0.5 / 4, 0.0])


def test_a_huge_ratio_leaves_the_gradient_finite() -> None:
    new = torch.tensor([200.0, 0.0], requires_grad=True)
    loss = losses.policy_loss(new, torch.zeros(2), torch.ones(2), 0.2)
    (gradient,) = torch.autograd.grad(loss, new)
    assert torch.isfinite(gradient).all()


def test_value_losses_are_apart_per_channel() -> None:
    values, targets = (
        torch.tensor([[1.0, 10.0], [3.0, 10.0]]),
        torch.tensor([[0.0, 10.0], [0.0, 12.0]]),
    )
    assert losses.value_losses(values, targets).tolist() == [2.5, 1.0]


@pytest.mark.parametrize(
    ("kl", "expected"), [(0.07, 1e-3 / 1.5), (0.03, 1e-3), (0.014, 1.5e-3), (9.0, 1e-3 / 1.5)]
)
def test_learning_rate_follows_the_kl_target(kl: float, expected: float) -> None:
    assert losses.adapted_rate(1e-3, kl, 0.03, 1e-5, 1e-2) == pytest.approx(expected)


def test_learning_rate_stays_in_its_range_and_still_without_a_target() -> None:
    assert losses.adapted_rate(1e-3, 0.0, 0.03, 1e-5, 1.2e-3) == 1.2e-3
    assert losses.adapted_rate(1e-5, 1.0, 0.03, 1e-5, 1e-2) == 1e-5
    assert losses.adapted_rate(1e-3, 1.0, 0.0, 1e-5, 1e-2) == 1e-3


def test_the_entropy_band_is_flat_inside_and_smooth_outside() -> None:
    # one action: its entropy is log std + 1.4189
    middle = 0.5 * math.log(2 * math.pi * math.e)
    cases = ((0.0, 0.0, 0.0), (0.1, 0.0, 0.0), (0.5, 0.09, 0.6), (-0.5, 0.09, -0.6), (0.2, 0.0, 0.0))
    for distance, cost, slope in cases:
        log_std = torch.tensor([distance], dtype=torch.float64, requires_grad=True)
        band = losses.entropy_band(log_std, middle - 0.2, middle + 0.2)
        (gradient,) = torch.autograd.grad(band, log_std)
        assert band.item() == pytest.approx(cost, abs=1e-9) and gradient.item() == pytest.approx(slope, abs=1e-9)


@pytest.mark.parametrize("band", [None, (-0.5, 0.1), (2.0, 3.0)])
def test_one_weight_of_the_entropy_has_the_gradient_of_bonus_and_band(band: tuple[float, float] | None) -> None:
    config = Train(entropy=0.01, entropy_band=band, entropy_band_weight=0.3)
    log_std = torch.tensor([0.1, -0.4, 0.2], requires_grad=True)
    out = losses.Outputs(torch.zeros(1, 3), torch.zeros(1, 1), log_std)
    rows = Batch(*(torch.zeros(1, 3),) * 4, *(torch.zeros(1),) * 2, torch.zeros(1, 1), log_std)
    total = losses.weighted_loss(torch.zeros(()), out, rows, config)
    (gradient,) = torch.autograd.grad(total, log_std)
    expected = -losses.entropy_pull(log_std.detach(), config)
    assert gradient.tolist() == pytest.approx([expected] * 3, rel=1e-5)


def test_a_log_ratio_beyond_its_clip_has_no_gradient() -> None:
    new = torch.tensor([0.3, -0.3, 0.05], requires_grad=True)
    loss = losses.policy_loss(new, torch.zeros(3), torch.tensor([-1.0, 1.0, 1.0]), 0.5, 0.1)
    e = math.exp
    assert loss.item() == pytest.approx(-(-e(0.1) + e(-0.1) + e(0.05)) / 3, rel=1e-6)
    (gradient,) = torch.autograd.grad(loss, new)
    assert gradient.tolist() == pytest.approx([0.0, 0.0, -e(0.05) / 3])


def test_a_symmetric_policy_has_no_loss_of_symmetry() -> None:
    index, sign = torch.tensor([1, 0]), torch.tensor([1.0, -1.0])
    mean = torch.tensor([[1.0, 2.0]])
    # mirrored: (x, y) -> (y, -x)
    assert losses.symmetry_loss(mean, torch.tensor([[-2.0, 1.0]]), index, sign).item() == 0.0
    assert losses.symmetry_loss(mean, torch.tensor([[0.0, 1.0]]), index, sign).item() == 4.0
