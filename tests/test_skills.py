"""Skills as a task declares them: checked by name, drawn at reset, held for the episode, given by hand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyembody.commands.failure import CommandError
from pyembody.commands.locate import Located
from pyembody.commands.reward_rules import channel_title
from pyembody.commands.skill import check_skill, hold_skill
from pyembody.commands.view import View
from pyembody.envs import VectorEnv, make_vec
from pyembody.envs.skills import all_skills, draw_skills, named_skill, spread_skills
from pyembody.spec import Skills, SpecError, convert, load_robot, load_task
from pyembody.spec.check import check_task
from pyembody.spec.task import Task

SEEN = {"cart": "cart_pos", "fast": "cart_vel"}


def task_of(skills: dict[str, Any] | None = None, tables: dict[str, Any] | None = None) -> Task:
    """A small task with skills; `skills` and other tables change what it says."""
    data: dict[str, Any] = {
        "name": "small",
        "robot": "cartpole",
        "episode": {"length_s": 0.4},
        "skills": {"channel": "diversity"} | (skills or {}),
        "observations": {"policy": {"cart": "cart_pos", "z": "skill"}, "encoder": SEEN},
        "channels": {"task": {"terms": {"near": {"expr": "1 - abs(cart_pos)"}}}, "diversity": {"terms": {}}},
    }
    task = convert(data | (tables or {}), Task, "task.toml")
    check_task(task, "task.toml")
    return task


def small_env(n: int = 6, seed: int = 0, **skills: Any) -> VectorEnv:
    env = VectorEnv(task_of(skills), load_robot("cartpole"), n, threads=1)
    env.reset(seed=seed)
    return env


ENCODER = {"cart": "cart_pos"}
BAD = [
    ({"channel": "diversty"}, {}, "skills.channel: unknown channel 'diversty', did you mean 'diversity'?"),
    ({"diversity": "lds"}, {}, "skills.diversity: unknown value 'lds', did you mean 'lsd'?"),
    ({"sise": 3}, {}, "skills: unknown key 'sise', did you mean 'size'?"),
    ({"size": 17}, {}, "skills.size: expected `int` <= 16"),
    ({"diversity": "diayn"}, {}, "skills.prior: expected 'discrete' with diversity = 'diayn', got 'sphere'"),
    ({}, {"observations": {"policy": {"z": "skill"}}}, "observations.encoder: expected what skills are told apart by"),
    ({}, {"observations": {"policy": {"x": "cart_pos"}, "encoder": ENCODER}}, "observations.policy: expected one that"),
    (
        {},
        {"observations": {"policy": {"z": "skill"}, "critic": ENCODER, "encoder": ENCODER}},
        "observations.critic: expected one that reads 'skill', got none",
    ),
    (
        {},
        {"let": {"told": "2 * skill"}, "observations": {"policy": {"z": "skill"}, "encoder": {"z": "told"}}},
        "observations.encoder: expected no 'skill': it would be told by itself",
    ),
    (
        {},
        {"skills": None, "observations": {"policy": ENCODER, "encoder": ENCODER}},
        "observations.encoder: expected a [skills] table beside it",
    ),
]


@pytest.mark.parametrize(("skills", "tables", "message"), BAD, ids=[m[:40] for _, _, m in BAD])
def test_a_wrong_table_is_named_with_file_and_field(
    skills: dict[str, Any], tables: dict[str, Any], message: str
) -> None:
    with pytest.raises(SpecError, match=re.escape(message)) as caught:
        task_of(skills, tables)
    assert str(caught.value).startswith("task.toml: ")


def test_a_skill_that_a_let_names_is_seen() -> None:
    tables = {
        "let": {"turned": "2 * twice", "twice": "2 * skill"},
        "observations": {"policy": {"z": "turned"}, "encoder": ENCODER},
    }
    assert VectorEnv(task_of({}, tables), load_robot("cartpole"), 1).observations.shape == (1, 2)


@pytest.mark.parametrize("prior", ["sphere", "discrete"])
def test_skills_are_drawn_at_reset_and_held_for_the_episode(prior: str) -> None:
    env = small_env(prior=prior, size=4)
    first = env.skills.skill.copy()
    ended = np.zeros(6, bool)
    for _ in range(env.max_steps):
        assert not ended.any()
        np.testing.assert_array_equal(env.skills.skill, first)
        np.testing.assert_array_equal(env.observations[:, 1:], first)
        _, _, terminated, truncated, _ = env.step(np.zeros((6, 1), np.float32))
        ended = terminated | truncated
    assert ended.all() and (env.skills.skill != first).any()
    lengths, wanted = np.linalg.norm(first, axis=1), np.sqrt(1 + 1 / 3) if prior == "discrete" else 1.0
    np.testing.assert_allclose(lengths, wanted, rtol=1e-6)


def test_a_given_skill_stays_over_resets_until_it_is_released() -> None:
    env = small_env()
    env.reset(seed=1, options={"skill": [0.6, -0.8]})
    env.reset()
    np.testing.assert_array_equal(env.skills.skill, np.tile(np.float32([0.6, -0.8]), (6, 1)))
    env.set_skill(None)
    env.reset()
    assert len(np.unique(env.skills.skill[:, 0])) == 6
    with pytest.raises(ValueError, match=re.escape("skill: expected (2,) or (6, 2), got (3,)")):
        env.set_skill([1.0, 0.0, 0.0])
    with pytest.raises(ValueError, match="task balance has no skills"):
        make_vec("balance", num_envs=1).set_skill([1.0, 0.0])


def test_the_seed_decides_the_skills_and_a_saved_state_brings_them_back() -> None:
    one, two = small_env(seed=3), small_env(seed=3)
    np.testing.assert_array_equal(one.skills.skill, two.skills.skill)
    two.reset(seed=4, options={"skill": [1.0, 0.0]})
    two.load_state_dict(one.state_dict())
    for env in (one, two):
        env.reset()
    np.testing.assert_array_equal(one.skills.skill, two.skills.skill)
    assert not two.skills.held.any()


def test_skills_of_a_prior_cover_it() -> None:
    sphere, discrete = Skills("c", size=3), Skills("c", prior="discrete", size=4)
    drawn = draw_skills(sphere, np.random.default_rng(0), 4000)
    np.testing.assert_allclose(drawn.mean(0), 0, atol=0.05)
    np.testing.assert_allclose(np.cov(drawn.T), np.eye(3) / 3, atol=0.03)
    np.testing.assert_allclose(all_skills(discrete).sum(1), 0, atol=1e-6)
    counts = draw_skills(discrete, np.random.default_rng(0), 4000).argmax(1)
    assert (np.bincount(counts, minlength=4) > 900).all()
    circle = spread_skills(Skills("c"), 8)
    np.testing.assert_allclose(circle[2], [0, 1], atol=1e-6)
    assert spread_skills(discrete, 99).shape == (4, 4)


def test_a_person_names_a_skill_by_number_or_direction() -> None:
    np.testing.assert_allclose(named_skill(Skills("c"), [3, -4]), [0.6, -0.8], rtol=1e-6)
    discrete = Skills("c", prior="discrete", size=3)
    np.testing.assert_array_equal(named_skill(discrete, [1]), all_skills(discrete)[1])
    for spec, wrong in ((discrete, [3]), (discrete, [0.5]), (Skills("c"), [0, 0]), (Skills("c"), [1])):
        with pytest.raises(ValueError, match="skill: expected"):
            named_skill(spec, wrong)


def test_the_shipped_task_tells_skills_apart_by_the_cube_alone() -> None:
    env = make_vec("skills", num_envs=8)
    env.reset(seed=0)
    for _ in range(3):
        env.step(np.ones((8, 3), np.float32))
        place = env.signal("cube_pos")[:, :2]
        np.testing.assert_allclose(env.encoded, 10 * (place - [0.45, 0.0]), rtol=1e-4, atol=1e-6)
    assert env.program.observation_layout["policy"][0].name == "skill"


def test_the_command_line_names_a_skill_or_says_what_it_expects(tmp_path: Path) -> None:
    env = small_env()
    hold_skill(env, "0, -2")
    np.testing.assert_array_equal(env.skills.skill, np.tile(np.float32([0, -1]), (6, 1)))
    hold_skill(make_vec("balance", num_envs=1), "")
    for task, text, message in (
        (env.task, "1 0 0", "--skill: expected 2 numbers that are not all 0, got [1.0, 0.0, 0.0]"),
        (env.task, "left", '--skill: expected numbers such as "0.6 -0.8", got "left"'),
        (load_task("balance"), "1 0", "--skill: expected a task with [skills], got balance"),
    ):
        with pytest.raises(CommandError, match=re.escape(message)):
            check_skill(task, text)
    assert View(skill="0 1").targets(Located(tmp_path, tmp_path))[0] == tmp_path / "skill_0_1.mp4"


def test_an_explanation_says_who_pays_the_channel() -> None:
    shown = channel_title(load_task("skills"), "diversity")
    assert shown.endswith("paid for skills by lsd, sphere of 2") and "skills" not in channel_title(task_of(), "task")
