"""Regressions of grouped networks in the core against automatic differentiation in double precision."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.nn.functional import gaussian_nll_loss, huber_loss, mse_loss, softplus

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

LOSSES = ("squared", "huber", "gaussian")
HUBER, BOUND_WEIGHT = 0.7, 0.01


@dataclass
class Problem:
    """`bounds [2T]` of a gaussian's log variances are the first parameters of `flat`."""

    loss: str
    stack: Stack
    bounds: torch.Tensor
    inputs: torch.Tensor
    targets: torch.Tensor
    index: torch.Tensor

    def message(self, threads: int = 1) -> torch.Tensor:
        described, size = self.stack.described(), self.stack.flat.numel()
        flat = torch.cat([self.stack.flat, self.bounds])
        core = _core.RegressionGradient(described, flat.numel(), self.loss, size, threads)
        arrays = [x.numpy() for x in (flat, self.inputs, self.targets, self.index)]
        groups = described[0]
        return message_of(flat.numel() + groups, lambda m: core.run(*arrays, m.numpy(), HUBER, BOUND_WEIGHT))


def losses(problem: Problem, outputs: torch.Tensor, bounds: torch.Tensor) -> torch.Tensor:
    """Each group's mean over rows of the sum over numbers; outputs [G, B, .]."""
    groups, sets = len(outputs), problem.targets.shape[1]
    found = []
    for g in range(groups):
        index = problem.index[g] if problem.index.ndim == 2 else problem.index
        y, target = outputs[g][index], problem.targets.double()[index, g * sets // groups]
        if problem.loss == "squared":
            each = 0.5 * mse_loss(y, target, reduction="none")
        elif problem.loss == "huber":
            each = huber_loss(y, target, reduction="none", delta=HUBER)
        else:
            mean, raw = y.chunk(2, 1)
            low, high = bounds.chunk(2)
            capped = high - softplus(high - raw)
            variance = (low + softplus(capped - low)).exp()
            each = gaussian_nll_loss(mean, target, variance, reduction="none", eps=1e-12)
        found.append(each.sum(1).mean())
    return torch.stack(found)


@st.composite
def problems(draw) -> Problem:
    loss = draw(st.sampled_from(LOSSES))
    sets, members = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    numbers, inputs = draw(st.integers(1, 6)), draw(st.integers(1, 40))
    stack = draw(stacks(sets * members, inputs, numbers * (2 if loss == "gaussian" else 1)))
    own = draw(st.booleans())
    return problem_of(loss, stack, sets, draw(st.integers(1, 300)), own, draw(st.integers(0, 999)))


def problem_of(loss: str, stack: Stack, sets: int, rows: int, own: bool, seed: int) -> Problem:
    """`own`: each group has rows of its own, drawn with replacement as a bootstrap is."""
    g = torch.Generator().manual_seed(seed)
    groups, inputs, _ = stack.network.weights[0].shape
    numbers = stack.network.weights[-1].shape[2] // (2 if loss == "gaussian" else 1)
    bounds = torch.cat([-2.0 - torch.rand(numbers, generator=g), 1.0 + torch.rand(numbers, generator=g)])
    shape = (groups, rows) if own else (rows,)
    return Problem(
        loss,
        stack,
        bounds if loss == "gaussian" else bounds[:0],
        torch.randn(rows + 5, inputs, generator=g),
        torch.randn(rows + 5, sets, numbers, generator=g),
        torch.randint(rows + 5, shape, generator=g),
    )


def fixed(loss: str, rows: int = 1000) -> Problem:
    return problem_of(loss, make_stack(4, [17, 40, 40, 6], "silu", True, 1), 2, rows, True, 2)


@given(problems())
@settings(max_examples=40, deadline=None)
def test_gradients_and_losses_equal_automatic_differentiation(problem: Problem) -> None:
    network, bounds = problem.stack.network, problem.bounds.double().requires_grad_()
    twin = by_rows(network, len(problem.inputs))
    outputs = twin(problem.inputs.double())
    each = losses(problem, outputs, bounds)
    # where outputs hit all of their targets, a gradient is what rounding left over
    assume(problem.loss == "gaussian" or float(each.detach().min()) > 1e-3)
    loss = each.sum()
    # to first order, what is added up to each loss
    added = (torch.autograd.grad(loss, outputs, retain_graph=True)[0] * outputs).detach().abs().sum((1, 2))
    if problem.loss == "gaussian":
        low, high = bounds.chunk(2)
        loss = loss + BOUND_WEIGHT * (high - low).sum()
    message, size = problem.message(), problem.stack.flat.numel()
    assert_gradient(message, network, loss, twin)
    for g, wanted in enumerate(each.detach()):
        assert_near(message[size + len(bounds) + g], wanted, added[g])
    if problem.loss == "gaussian":
        assert_near(message[size : -len(each)], torch.autograd.grad(loss, bounds)[0])


@pytest.mark.parametrize("level", ["generic", "avx2"])
def test_other_simd_levels_equal_it_too(level: str) -> None:
    assert_other_level_passes(level, __file__, "automatic_differentiation")


@pytest.mark.parametrize("loss", LOSSES)
def test_the_number_of_threads_changes_no_bit(loss: str) -> None:
    problem = fixed(loss)
    for threads in (2, 5):
        assert torch.equal(problem.message(threads), problem.message(1))


@pytest.mark.parametrize("loss", LOSSES)
def test_a_nan_stays_in_the_loss_and_gradient_of_its_group_and_in_its_number_of_shared_bounds(loss: str) -> None:
    problem = fixed(loss, 50)
    problem.stack.network.biases[-1].data[2, 0, 1] = float("nan")  # the mean of number 1 of 3
    message, size = problem.message(), problem.stack.flat.numel()
    assert torch.isfinite(message[-4:]).tolist() == [True, True, False, True]
    finite = torch.isfinite(message[:size].view(4, -1)).all(1)
    assert finite.tolist() == [True, True, False, True]
    bounds = torch.isfinite(message[size:-4]).tolist()
    assert bounds == ([True, False, True] * 2 if loss == "gaussian" else [])


def test_a_far_error_counts_linearly_under_huber() -> None:
    stack = make_stack(1, [1, 1], "elu", False, 0)
    stack.flat.zero_()
    problem = Problem("huber", stack, torch.zeros(0), torch.ones(1, 1), torch.full((1, 1, 1), -10.0), torch.tensor([0]))
    message = problem.message()
    assert message[-1] == pytest.approx(HUBER * (10.0 - HUBER / 2))
    assert message[:1] == pytest.approx(HUBER)  # the slope, whose input is one


def test_what_does_not_fit_is_refused() -> None:
    stack = make_stack(3, [2, 3], "elu", False, 0)
    described, size = stack.described(), stack.flat.numel()
    with pytest.raises(ValueError, match="loss: expected squared, huber or gaussian, got 'hubert', did you mean"):
        _core.RegressionGradient(described, size, "hubert")
    with pytest.raises(ValueError, match="as many log variances as means, got 3 outputs"):
        _core.RegressionGradient(described, size, "gaussian")
    core = _core.RegressionGradient(described, size)
    rows, message = np.zeros((5, 2), np.float32), np.zeros(size + 3, np.float32)
    with pytest.raises(ValueError, match="divides the 3 groups, got 2"):
        core.run(stack.flat.numpy(), rows, np.zeros((5, 2, 3), np.float32), np.arange(5), message)
    with pytest.raises(ValueError, match="index: expected rows from 0 to 4, got 5"):
        core.run(stack.flat.numpy(), rows, np.zeros((5, 1, 3), np.float32), np.arange(6), message)
    with pytest.raises(ValueError, match=r"index: expected shape \(3, "):
        core.run(stack.flat.numpy(), rows, np.zeros((5, 1, 3), np.float32), np.zeros((2, 4), np.int64), message)
