"""What skills are paid while PPO trains: the twin's rewards, encoders that keep their bounds, resume to the bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from msgspec.structs import replace

from pyembody.envs import VectorEnv
from pyembody.learn import NotFiniteError, create_run, load_policy, read_metrics, resume, train
from pyembody.learn.distributed import Group
from pyembody.learn.learner import Learner
from pyembody.learn.skill_encoder import SkillEncoder
from pyembody.learn.skills_reference import discrimination, displacement, encode, metra_loss
from pyembody.spec import Sac, Skills, SpecError, Train, load_robot
from test_learn_run import arrays, without_times
from test_skills import task_of

TRAIN = Train(num_envs=8, horizon=16, epochs=1, minibatches=1, actor_hidden=(8,), critic_hidden=(8,), iterations=4)
KINDS: list[dict[str, Any]] = [
    {"diversity": "lsd"}, {"diversity": "lsd", "prior": "discrete", "size": 5}, {"diversity": "metra"},
    {"diversity": "metra", "prior": "discrete", "size": 3}, {"diversity": "diayn", "prior": "discrete", "size": 4},
]  # fmt: skip
names = [f"{k['diversity']}-{k.get('prior', 'sphere')}" for k in KINDS]


def learner_of(kind: dict[str, Any], train_: Train = TRAIN) -> Learner:
    task = task_of(kind)
    env = VectorEnv(task, load_robot("cartpole"), train_.num_envs, threads=1)
    env.reset(seed=0)
    return Learner(env, task, train_, 0, Group())


def layers(encoder: SkillEncoder) -> list[tuple[np.ndarray, np.ndarray]]:
    network = encoder.network
    pairs = zip(network.weights, network.biases, strict=True)
    return [(w[0].detach().numpy().astype(float), b[0, 0].detach().numpy().astype(float)) for w, b in pairs]


@pytest.mark.parametrize("kind", KINDS, ids=names)
def test_the_channel_is_paid_what_the_twin_says(kind: dict[str, Any]) -> None:
    learner = learner_of(kind | {"gain": 2.0})
    skills = learner.skills
    for _ in range(2):
        learner.iterate()
    before = layers(skills.encoder)
    learner.collector.collect(learner.engine, learner.normaliser, learner.generator)
    assert not learner.rollout.rewards[..., 1].any()
    skills.pay(learner.rollout.rewards)
    shown, after, skill = (x.reshape(-1, x.shape[2]) for x in (skills.before, skills.after, skills.skills))
    phi, phi_after = (encode(x, before, kind["diversity"] == "lsd") for x in (shown, after))
    wanted = discrimination(phi_after, skill) if kind["diversity"] == "diayn" else displacement(phi, phi_after, skill)
    np.testing.assert_allclose(learner.rollout.rewards[..., 1].ravel(), 2 * wanted, rtol=2e-4, atol=2e-6)


def test_diayn_pays_log_q_minus_log_p() -> None:
    logits, skill = np.log(np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]])), np.array([[1, -0.5, -0.5], [1, -0.5, -0.5]])
    np.testing.assert_allclose(discrimination(logits, skill), [np.log(0.7 * 3), np.log(0.1 * 3)])


def test_metra_adds_the_slack_of_steps_that_are_too_long() -> None:
    phi, after, skill = np.zeros((2, 2)), np.array([[3.0, 0.0], [0.5, 0.0]]), np.array([[1.0, 0.0], [1.0, 0.0]])
    assert metra_loss(phi, after, skill, kappa=2.0, slack=0.1) == pytest.approx(-((3 - 16) + (0.5 + 0.2)) / 2)
    encoder = SkillEncoder(Skills("c", "metra", slack=0.1), 3, 0)
    encoder.kappa[0] = 2.0
    rows = [torch.randn(64, n, generator=torch.Generator().manual_seed(n)) for n in (3, 3, 2)]
    phi, after = (encode(x.numpy(), layers(encoder), False) for x in rows[:2])
    found = encoder.differentiate(*rows)
    assert float(found[0]) == pytest.approx(metra_loss(phi, after, rows[2].numpy(), 2.0, 0.1), rel=1e-5)


def test_metras_multiplier_grows_while_steps_are_too_long_and_never_falls_below_zero() -> None:
    encoder = SkillEncoder(Skills("c", "metra", dual_rate=0.5), 3, 0)
    encoder.step(-1.0)
    assert float(encoder.kappa) == 1.5
    encoder.step(100.0)
    assert float(encoder.kappa) == 0.0


def test_lsds_encoder_never_moves_further_than_what_it_sees() -> None:
    learner = learner_of({"learning_rate": 0.03, "epochs": 8})
    for _ in range(3):
        learner.iterate()
    encoder, generator = learner.skills.encoder, torch.Generator().manual_seed(0)
    for spread in (1e-2, 1.0, 30.0):
        x, y = (spread * torch.randn(2000, 2, generator=generator) for _ in range(2))
        with torch.no_grad():
            way = torch.linalg.vector_norm(encoder(x) - encoder(y), dim=1)
        assert float((way / torch.linalg.vector_norm(x - y, dim=1)).max()) <= 1 + 1e-4
    assert max(np.linalg.norm(w, 2) for w, _ in layers(encoder)) > 1.05  # it is bounded, the parameters are not


def test_an_encoder_learns_the_direction_that_skills_go() -> None:
    encoder, generator = SkillEncoder(Skills("c", learning_rate=1e-2), 2, 0), torch.Generator().manual_seed(1)
    angle = 2 * torch.pi * torch.rand(512, generator=generator)
    skill = torch.stack([angle.cos(), angle.sin()], 1)
    before = torch.randn(512, 2, generator=generator)
    after = before + 0.1 * skill.flip(1)  # skills go where the other axis says
    first = float(encoder.rewards(before, after, skill).mean())
    for _ in range(150):
        encoder.differentiate(before, after, skill)
        encoder.step(0.0)
    last = float(encoder.rewards(before, after, skill).mean())
    assert first < 0.05 and 0.07 < last <= 0.1 + 1e-5


def test_the_true_successor_is_paid_for_where_episodes_end() -> None:
    learner = learner_of({})
    for _ in range(2):
        learner.iterate()
    skills, rollout = learner.skills, learner.rollout
    ended = rollout.terminated | rollout.truncated
    assert ended[:-1].any() and not ended[:-1].all()
    same = (skills.after[:-1] == skills.before[1:]).all(-1)
    np.testing.assert_array_equal(same, ~ended[:-1])
    held = (skills.skills[1:] == skills.skills[:-1]).all(-1)
    np.testing.assert_array_equal(held, ~ended[:-1])


@pytest.mark.parametrize("kind", [KINDS[0], KINDS[3], KINDS[4]], ids=["lsd", "metra", "diayn"])
def test_a_resumed_run_is_that_of_one_never_stopped(kind: dict[str, Any], tmp_path: Path) -> None:
    whole, parts = (create_run(task_of(kind), load_robot("cartpole"), TRAIN, 1, (), tmp_path) for _ in range(2))
    train(whole, iterations=4, workers=1, progress=False)
    train(parts, iterations=2, workers=1, progress=False)
    resume(parts, iterations=4, progress=False)
    assert without_times(whole) == without_times(parts)
    first, second = arrays(whole), arrays(parts)
    assert first.keys() == second.keys() and "skills.encoder" in first and "skills.optimiser.square" in first
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


@pytest.mark.parametrize("settings", [{"engine": "torch"}, {"engine": "core"}, {"critics": "single"}, {"memory": 4}])
def test_the_channel_counts_whoever_computes_gradients(settings: dict[str, Any], tmp_path: Path) -> None:
    kind = {"diversity": "diayn", "prior": "discrete", "size": 4}
    run = create_run(task_of(kind), load_robot("cartpole"), replace(TRAIN, **settings), 1, (), tmp_path)
    rows = read_metrics(train(run, iterations=3, workers=1, progress=False))
    for row in rows:
        assert row["Skills"].keys() == {"loss", "reward"}
        assert row["channels"]["diversity"] == pytest.approx(row["Skills"]["reward"] / 0.02, rel=1e-5)
    assert len({row["Skills"]["loss"] for row in rows}) == 3


def test_a_trained_policy_acts_by_the_skill_it_is_given(tmp_path: Path) -> None:
    run = create_run(task_of(), load_robot("cartpole"), TRAIN, 1, (), tmp_path)
    policy = load_policy(train(run, iterations=2, workers=1, progress=False))
    env = VectorEnv(task_of(), load_robot("cartpole"), 2, threads=1)
    seen, _ = env.reset(seed=0, options={"skill": [[1.0, 0.0], [-1.0, 0.0]], "group": 2})
    actions = policy(seen)
    assert seen[0, 0] == seen[1, 0] and actions[0, 0] != actions[1, 0]


def test_soft_actor_critic_refuses_skills(tmp_path: Path) -> None:
    run = create_run(task_of(), load_robot("cartpole"), Sac(), 1, (), tmp_path)
    with pytest.raises(SpecError, match=r"algorithm 'sac': expected a task without \[skills\]"):
        train(run, progress=False)


def test_an_encoder_that_is_no_number_stops_the_training() -> None:
    learner = learner_of({})
    learner.iterate()
    learner.skills.encoder.flat[:] = float("nan")
    with pytest.raises(NotFiniteError, match="the encoder that pays channel 'diversity'"):
        learner.iterate()
