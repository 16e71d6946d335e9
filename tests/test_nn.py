"""The core's networks and PPO gradient against torch, which defines them."""

from __future__ import annotations

import copy
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nn_twins import (
    ACTIVATIONS,
    Stack,
    assert_gradient,
    assert_near,
    assert_other_level_passes,
    by_rows,
    make_stack,
    stacks,
)
from pyembody import _core
from pyembody.learn import adam_reference as reference
from pyembody.learn.adam import Adam
from pyembody.learn.batch import Batch
from pyembody.learn.core_engine import CoreEngine, describe
from pyembody.learn.distributed import Group
from pyembody.learn.losses import Outputs, gaussian_kl, log_prob, surrogate_loss, value_losses, weighted_loss
from pyembody.learn.networks import ActorCritic
from pyembody.learn.normaliser import ObservationNormaliser
from pyembody.spec import Train


@st.composite
def trains(draw) -> Train:
    """Any shape: widths around the kernels' tiles, with and without hidden layers."""
    hidden = st.lists(st.integers(1, 70), max_size=3).map(tuple)
    return Train(
        actor_hidden=draw(hidden),
        critic_hidden=draw(hidden),
        critics=draw(st.sampled_from(["separate", "heads"])),
        activation=draw(st.sampled_from(ACTIVATIONS)),
        clip=draw(st.sampled_from([0.05, 0.2])),
        entropy=draw(st.sampled_from([0.0, 0.01])),
        entropy_band=draw(st.sampled_from([None, (0.0, 0.5), (2.0, 3.0)])),
        log_ratio_clip=draw(st.sampled_from([0.05, 20.0])),
        value_weight=draw(st.sampled_from([0.5, 1.0])),
    )


@st.composite
def problems(draw) -> tuple[Train, ActorCritic, Batch, torch.Tensor]:
    """Networks away from their start, rows of a nearby policy, and a minibatch of them."""
    config = draw(trains())
    observations, critic_observations, actions = (draw(st.integers(1, n)) for n in (70, 40, 20))
    channels, rows = draw(st.integers(1, 4)), draw(st.integers(1, 400))
    return problem(
        config, observations, critic_observations, actions, channels, rows, draw(st.integers(0, 999))
    )


def problem(
    config: Train, observations: int, critic_observations: int, actions: int, channels: int, rows: int, seed: int
) -> tuple[Train, ActorCritic, Batch, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    networks = ActorCritic(config, observations, critic_observations, actions, [str(c) for c in range(channels)], seed)
    with torch.no_grad():
        for leaf in networks.leaves:
            leaf.add_(0.1 * normal(*leaf.shape))
        seen = normal(rows, observations)
        mean = networks.mean(seen) + 0.1 * normal(rows, actions)
        log_std = networks.log_std + 0.05 * normal(actions)
        acted = mean + log_std.exp() * normal(rows, actions)
        batch = Batch(
            seen,
            normal(rows, critic_observations),
            acted,
            mean,
            log_prob(acted, mean, log_std),
            normal(rows),
            normal(rows, channels),
            log_std,
        )
    index = torch.randperm(rows, generator=generator)[: max(1, rows * 3 // 4)]
    return config, networks, batch, index


def message(engine: CoreEngine, batch: Batch, index: torch.Tensor, config: Train) -> torch.Tensor:
    engine.networks.message.zero_()
    engine.gradients(batch, index, config)
    return engine.networks.message.clone()


def doubled(batch: Batch) -> Batch:
    tensors = {f.name: getattr(batch, f.name) for f in fields(batch)}
    return replace(batch, **{k: x.double() for k, x in tensors.items() if isinstance(x, torch.Tensor)})


def away_from_edges(networks: ActorCritic, batch: Batch, index: torch.Tensor, config: Train) -> torch.Tensor:
    """The rows whose ratio is not so near to a clip that rounding decides on which side of it they are."""
    rows = doubled(batch)
    mean = copy.deepcopy(networks.actor).double()(rows.observations)[0]
    log_ratio = (log_prob(rows.actions, mean, networks.log_std.double()) - rows.log_probs).detach()
    most = config.log_ratio_clip
    edges = torch.tensor([-most, np.log1p(-config.clip), np.log1p(config.clip), most], dtype=torch.float64)
    apart = (log_ratio[:, None] - edges).abs().amin(1)
    return index[apart[index] > 1e-4]


@given(problems())
@settings(max_examples=25, deadline=None)
def test_gradients_and_statistics_equal_automatic_differentiation(drawn) -> None:
    config, networks, batch, index = drawn
    index = away_from_edges(networks, batch, index, config)
    assume(len(index))
    mine, rows = message(CoreEngine(networks, 1), batch, index, config), doubled(batch).rows(index)
    actor, critic = by_rows(networks.actor, len(index)), by_rows(networks.critic, len(index))
    log_std = networks.log_std.detach().double().requires_grad_()
    out = Outputs(actor(rows.observations)[0], networks.by_channel(critic(rows.critic_observations)), log_std)
    # where outputs hit what they are told, a gradient is what rounding left over
    assume(float((rows.actions - out.mean).detach().abs().max()) > 0.01)
    assume(float((out.values - rows.targets).detach().abs().amax(0).min()) > 0.01)
    surrogate = surrogate_loss(out, rows, config)
    loss = weighted_loss(surrogate, out, rows, config)
    added = assert_gradient(mine, networks.actor, loss, actor)
    assert_gradient(mine, networks.critic, loss, critic)
    first = int(networks.log_std.storage_offset())
    assert_near(mine[first : first + len(log_std)], torch.autograd.grad(loss, log_std, retain_graph=True)[0], added[0])
    assert_near(mine[-len(networks.statistics)], gaussian_kl(rows.mean, rows.log_std, out.mean, log_std).detach())
    paid = surrogate_loss(out, replace(rows, advantages=rows.advantages.abs()), config)
    assert_near(mine[1 - len(networks.statistics)], surrogate.detach(), paid.detach().abs())
    for found, wanted in zip(mine[2 - len(networks.statistics) :], value_losses(out.values, rows.targets), strict=True):
        assert_near(found, wanted.detach())


@given(problems())
@settings(max_examples=15, deadline=None)
def test_means_and_values_equal_torch(drawn) -> None:
    _, networks, batch, _ = drawn
    core, rows = CoreEngine(networks, 2), doubled(batch)
    actor, critic = (copy.deepcopy(x).double() for x in (networks.actor, networks.critic))
    with torch.no_grad():
        assert_near(core.mean(batch.observations), actor(rows.observations)[0])
        assert_near(core.values(batch.critic_observations), networks.by_channel(critic(rows.critic_observations)))


@pytest.mark.parametrize("critics", ["separate", "heads"])
def test_the_number_of_threads_changes_no_bit(critics: str) -> None:
    config, networks, batch, index = problem(Train(critics=critics), 50, 60, 12, 3, 3000, 0)
    outputs = []
    for threads in (1, 2, 5):
        core = CoreEngine(networks, threads)
        parts = [message(core, batch, index, config), core.mean(batch.observations)]
        outputs.append([*parts, core.values(batch.critic_observations)])
    for other in outputs[1:]:
        for mine, theirs in zip(outputs[0], other, strict=True):
            assert torch.equal(mine, theirs)


@pytest.mark.parametrize("level", ["generic", "avx2"])
def test_other_simd_levels_equal_torch_too(level: str) -> None:
    assert_other_level_passes(level, __file__, "automatic_differentiation or activation")


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_an_activation_is_right_in_its_last_places_and_far_out(activation: str) -> None:
    # one input, a hidden layer of weight 1, an output of weight 1: the network is the activation
    x = np.concatenate([np.linspace(-30, 30, 20001), np.geomspace(1e-30, 1e30, 301), -np.geomspace(1e-30, 80, 301)])
    rows = x.astype(np.float32)[:, None]
    out = np.empty_like(rows)
    mlp = _core.Mlp((1, 0, activation, [(1, 1, 0, 1, -1, -1), (1, 1, 0, 1, -1, -1)]), 2)
    mlp.load(np.array([1.0, 0.0], np.float32))
    mlp.forward(rows, out)
    exact = rows[:, 0].astype(np.float64)
    with np.errstate(over="ignore"):
        wanted = {
            "tanh": np.tanh(exact),
            "relu": np.maximum(exact, 0.0),
            "elu": np.where(exact > 0, exact, np.expm1(np.minimum(exact, 0.0))),
            "silu": exact / (1.0 + np.exp(-exact)),
        }[activation]
    error = np.abs(out[:, 0] - wanted) / np.maximum(np.abs(wanted), 1e-37)
    assert error.max() < 4 * 2.0**-23


@given(stacks(3, 9, 2), st.integers(1, 300))
@settings(max_examples=15, deadline=None)
def test_layer_norms_are_those_of_torch(stack: Stack, rows: int) -> None:
    x = torch.randn(rows, 9, generator=torch.Generator().manual_seed(rows))
    out = np.empty((rows, 6), np.float32)
    mlp = _core.Mlp(stack.described(), stack.flat.numel(), 2)
    mlp.load(stack.flat.numpy())
    mlp.forward(x.numpy(), out)
    wanted = stack.double()(x.double()).transpose(0, 1).reshape(rows, 6).detach()
    assert_near(torch.from_numpy(out), wanted)


def test_a_folded_normaliser_gives_the_bits_of_normalised_rows() -> None:
    stack, rng = make_stack(2, [7, 20, 3], "elu", False, 0), np.random.default_rng(0)
    normaliser = ObservationNormaliser(7, 2.0)
    normaliser.update(torch.from_numpy(rng.normal(3.0, 5.0, (100, 7)).astype(np.float32)), Group())
    rows = rng.normal(3.0, 10.0, (200, 7)).astype(np.float32)
    rows[17, 4] = np.nan
    normalised = normaliser(torch.from_numpy(rows), out=torch.empty(200, 7)).numpy()
    assert np.nanmax(normalised) == 2.0 and np.nanmin(normalised) == -2.0
    found = []
    for folded in (False, True):
        mlp = _core.Mlp(stack.described(), stack.flat.numel(), 2)
        mlp.load(stack.flat.numpy())
        if folded:
            mlp.normalise(*normaliser.folded(), normaliser.clip)
        found.append(np.empty((200, 6), np.float32))
        mlp.forward(rows if folded else normalised, found[-1])
    np.testing.assert_array_equal(*found)
    assert np.flatnonzero(np.isnan(found[1]).any(1)).tolist() == [17]


def test_a_single_nan_reaches_the_outputs_of_its_row_only() -> None:
    for activation in ACTIVATIONS:
        networks = ActorCritic(Train(activation=activation), 5, 5, 3, ["a"], 0)
        rows = torch.zeros(200, 5)
        rows[150, 2] = float("nan")
        bad = ~torch.isfinite(CoreEngine(networks, 1).mean(rows)).all(1)
        assert bad.nonzero().tolist() == [[150]], activation


# rate, number, decay, and betas and epsilon if not the usual ones
STEPS = ((1e-3, 1), (1e-3, 123_456, 0.01), (1e-2, 90, 2.0, 0.5, 0.99, 1e-5))


@given(
    st.integers(1, 4),
    st.integers(1, 300),
    st.integers(0, 99),
    st.sampled_from([1e-3, 1.0, 1e3]),
    st.sampled_from(STEPS),
)
@settings(max_examples=30, deadline=None)
def test_clipping_and_adam_equal_their_definition_bit_for_bit(
    rows: int, columns: int, seed: int, size: float, step: tuple[float, ...]
) -> None:
    rng = np.random.default_rng(seed)
    gradient = (size * rng.normal(size=(rows, columns))).astype(np.float32)
    wanted, norms = gradient.copy(), np.empty(rows, np.float32)
    wanted_norms = reference.clip_rows(wanted, 1.0)
    _core.clip_rows(gradient, 1.0, norms)
    np.testing.assert_array_equal(norms, wanted_norms)
    np.testing.assert_array_equal(gradient, wanted)
    mine = [rng.normal(size=rows * columns).astype(np.float32) for _ in range(2)]
    mine.append(np.square(rng.normal(size=rows * columns)).astype(np.float32))
    theirs = [x.copy() for x in mine]
    flat = gradient.reshape(-1)
    _core.adam_step(mine[0], flat, mine[1], mine[2], *step)
    reference.adam_step(theirs[0], flat, theirs[1], theirs[2], *step)
    for x, y in zip(mine, theirs, strict=True):
        np.testing.assert_array_equal(x, y)


@given(st.integers(1, 40), st.sampled_from([1e-3, 1.0, 1e3]), st.sampled_from([0.0, 0.1]), st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_clipping_and_adam_are_those_of_torch(columns: int, size: float, decay: float, seed: int) -> None:
    g = torch.Generator().manual_seed(seed)
    mine = torch.randn(3, columns, generator=g)
    theirs = mine.double()
    kind = torch.optim.AdamW if decay else torch.optim.Adam
    optimisers = Adam(mine.view(-1), 0.01, decay), kind([theirs], lr=0.01, weight_decay=decay)
    for _ in range(5):
        gradient = size * torch.randn(3, columns, generator=g)
        theirs.grad = gradient.double()
        lengths = [torch.nn.utils.clip_grad_norm_(row, 0.5) for row in alone(theirs.grad)]
        norms = torch.empty(3)
        _core.clip_rows(gradient.numpy(), 0.5, norms.numpy())
        assert_near(norms, torch.stack(lengths))
        optimisers[0].step(gradient.view(-1))
        optimisers[1].step()
        assert_near(mine, theirs)


def alone(gradients: torch.Tensor) -> list[torch.Tensor]:
    """Parameters whose gradients are the rows of `gradients`, in the same memory."""
    rows = []
    for gradient in gradients:
        rows.append(torch.zeros_like(gradient))
        rows[-1].grad = gradient
    return rows


def test_a_step_without_a_number_is_refused() -> None:
    arrays = [np.zeros(3, np.float32) for _ in range(4)]
    with pytest.raises(ValueError, match="number: expected that of a step, from 1 on, got 0"):
        _core.adam_step(*arrays, 0.1, 0)


def test_gradients_are_clipped_row_by_row() -> None:
    gradient, norms = np.array([[3, 4], [0.3, 0.4], [300, 400]], np.float32), np.empty(3, np.float32)
    _core.clip_rows(gradient, 1.0, norms)
    assert norms.tolist() == pytest.approx([5.0, 0.5, 500.0])
    assert gradient.flatten().tolist() == pytest.approx([0.6, 0.8, 0.3, 0.4, 0.6, 0.8], rel=1e-5)


def test_a_network_that_does_not_fit_is_refused() -> None:
    layer = (2, 3, 0, 6, -1, -1)
    with pytest.raises(ValueError, match="activation: expected tanh, relu, elu or silu, got 'ela', did you mean 'elu'"):
        _core.Mlp((1, 0, "ela", [layer]), 9)
    with pytest.raises(ValueError, match=r"parameters of layer 0 within \[0, 8\), got \[6, 9\)"):
        _core.Mlp((1, 0, "elu", [layer]), 8)
    with pytest.raises(ValueError, match="layer 1: expected 3 inputs, got 4"):
        _core.Mlp((1, 0, "elu", [layer, (4, 1, 0, 0, -1, -1)]), 9)
    mlp = _core.Mlp((1, 0, "elu", [layer]), 9)
    with pytest.raises(ValueError, match="layer norm in hidden layers only"):
        _core.Mlp((1, 0, "elu", [(2, 3, 0, 6, 9, 12)]), 15)
    with pytest.raises(ValueError, match="clip: expected a number above 0, got 0"):
        mlp.normalise(np.zeros(2, np.float32), np.ones(2, np.float32), 0.0)
    with pytest.raises(ValueError, match=r"out: expected shape \(4, 3\), got \(4, 2\)"):
        mlp.forward(np.zeros((4, 2), np.float32), np.zeros((4, 2), np.float32))


def test_rows_outside_the_batch_are_refused() -> None:
    config, networks, batch, _ = problem(Train(), 5, 5, 2, 1, 10, 0)
    with pytest.raises(ValueError, match="index: expected rows from 0 to 9, got 10"):
        CoreEngine(networks, 1).gradients(batch, torch.tensor([3, 10]), config)


def test_the_description_of_a_network_points_into_the_flat_parameters() -> None:
    networks = ActorCritic(Train(actor_hidden=(3,), critic_hidden=(4,)), 2, 2, 1, ["a", "b"], 0)
    groups, stride, activation, layers = describe(networks.critic)
    assert (groups, activation) == (2, "elu") and [layer[:2] for layer in layers] == [(2, 4), (4, 1)]
    weights = networks.critic.weights[1]
    for g in range(2):
        first = layers[1][2] + g * stride
        assert torch.equal(networks.flat[first : first + 4], weights[g].detach().flatten())
