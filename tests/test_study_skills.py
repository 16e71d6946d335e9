"""Studies of skills: weights changed one at a time, coverage and its fronts, and acting through skills."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from pyembody.commands.study import StudyCommand
from pyembody.envs import VectorEnv, make_vec
from pyembody.spec import Skills, SpecError, load_robot, load_task
from pyembody.study import load_study, plan_pieces, run_study
from pyembody.study.coverage import between, cover_metrics, hypervolume, visited
from pyembody.study.fronts import fronts
from pyembody.study.piece import run_piece
from pyembody.study.plan import Piece, Result, make_specs, piece_hash
from pyembody.study.run import ready_pieces
from pyembody.study.skill_actions import Doer, SkillEnv, SkillPolicy, named_by
from pyembody.study.spec import Cover, check_study, varied
from pyembody.study.summary import summarise

COVER = Cover("cube_pos", (-0.2, -0.5), (0.8, 0.5), cells=4, skills=4)
EVERY = 10
GOAL = """
name = "tiny"
title = "goal"
task = "skills"
iterations = 1
seeds = [0]
episodes = 8
[arms.doer]
title = "skills"
train = { num_envs = 8, horizon = 8 }
[arms.through]
title = "through skills"
variant = "goal"
skills_of = "doer"
every = 10
train = { num_envs = 8, horizon = 4 }
[[contrasts]]
arm = "through"
against = "doer"
"""


def test_other_weights_are_arms_of_their_own_that_come_last() -> None:
    study = load_study("skills")
    assert study.vary is not None
    made = {k: a for k, a in study.arms.items() if a.varies}
    assert len(made) == len(study.vary.arms) * len(study.vary.channels) * len(study.vary.factors) == 24
    assert varied(study) == study
    one = made["reweighted-safety-x0.1"]
    assert (one.log_of, one.seeds) == ("floored-safety-x0.1", study.vary.seeds)
    pieces = plan_pieces(study, {})
    assert [bool(study.arms[p.arm].varies) for p in pieces] == [False] * 35 + [True] * 48
    channels = make_specs(study, Piece("sum-diversity-x10", 10, 1.0), Path("runs"))[0].channels
    assert {n: c.weight for n, c in channels.items()} == {"reach": 1.0, "diversity": 10.0, "safety": 1.0}


def test_a_weight_of_no_channel_is_refused() -> None:
    study = replace(load_study("skills"), arms={"sum": load_study("skills").arms["sum"]}, contrasts=())
    assert study.vary is not None
    wrong = replace(study, vary=replace(study.vary, channels=("saftey",), arms=("sum",)))
    with pytest.raises(SpecError, match="vary.channels: unknown channel 'saftey', did you mean 'safety'"):
        varied(wrong)
    with pytest.raises(SpecError, match="vary.arms.0.: unknown arm 'smu', did you mean 'sum'"):
        check_study(replace(study, vary=replace(study.vary, arms=("smu",))), "study")


def test_chosen_arms_bring_their_other_weights_along() -> None:
    study = StudyCommand(study="skills", arms=("sum",))._changed(load_study("skills"))
    check_study(study, "study")
    assert len(study.arms) == 7 and {a.varies for a in study.arms.values()} == {"", "sum"} and not study.contrasts
    other = StudyCommand(study="skills", seeds=(3,))._changed(load_study("skills"))
    assert {p.seed for p in plan_pieces(other, {})} == {3} and other.vary is not None and other.vary.seeds == (3,)
    bare = StudyCommand(study="skills", arms=("sum", "scaled"), sweep=False)._changed(load_study("skills"))
    assert list(bare.arms) == ["sum", "scaled"] and bare.vary is None


def test_areas_and_shares_are_those_of_hand() -> None:
    assert hypervolume([]) == 0 and hypervolume([(0.5, 1.0), (1.0, 0.5), (0.2, 0.2)]) == pytest.approx(0.75)
    assert hypervolume([(0.4, 0.5), (0.4, 0.5), (0.3, 0.9)]) == pytest.approx(0.4 * 0.5 + 0.3 * 0.4)
    places = np.array([[-0.2, -0.5], [0.79, 0.49], [0.78, 0.4], [0.9, 0.0], [np.float32(0.8), 0.1]])
    assert visited(places, COVER) == 2 / 16
    which = np.array([0, 0, 1, 1])
    assert between(np.array([[0.0], [0.0], [1.0], [1.0]]), which) == 1
    assert between(np.array([[0.0], [1.0], [0.0], [1.0]]), which) == 0
    assert between(np.zeros((4, 2)), which) == 0


def test_an_arm_that_rests_covers_where_the_cube_starts() -> None:
    env = VectorEnv(load_task("skills"), load_robot("arm"), 8, threads=1)
    found = cover_metrics(env, lambda o: np.zeros((len(o), 3), np.float32), COVER, 0)
    assert 1 / 16 <= found["coverage"] <= 4 / 16 and found["moved_share"] == 0
    assert found["hypervolume"] == found["coverage"] * found["safe"] and 0.9 < found["safe"] <= 1
    with pytest.raises(SpecError, match=r"expected a task with \[skills\], got balance"):
        cover_metrics(make_vec("balance", num_envs=1), np.zeros_like, COVER, 0)
    with pytest.raises(SpecError, match="unknown metric 'unsave', did you mean 'unsafe'"):
        cover_metrics(env, np.zeros_like, replace(COVER, unsafe="unsave"), 0)


def test_a_front_waits_for_all_weights_and_contrasts_are_paired_by_seed() -> None:
    study = load_study("skills")
    done: dict[str, Result] = {}
    for piece in plan_pieces(study, {}):
        coverage = 0.2 + 0.01 * piece.seed + (0.1 if piece.arm.startswith("floored") else 0.0)
        coverage += 0.3 if piece.arm.endswith("diversity-x10") else 0.0
        metrics = {"coverage": coverage, "safe": 0.5, "hypervolume": coverage / 2}
        done[piece.name] = Result(piece, "", 0.5, metrics, [10], [0.5], [1.0], 1.0)
    found = fronts(study, done)
    assert set(found) == {"sum", "scaled", "floored", "reweighted"} and len(found["sum"].points) == 7
    assert found["sum"].span.mean == pytest.approx(0.3)
    assert found["sum"].areas[10] == pytest.approx(0.5 * 0.6)
    summary = summarise(study, done)
    assert set(summary.arms) == {"sum", "scaled", "raw", "unfloored", "heads", "floored", "reweighted"}
    front, single = (summary.contrasts[f"floored - scaled: {name}"] for name in ("front", "hypervolume"))
    assert (front.n, single.n) == (2, 5) and front.low == pytest.approx(0.05) == single.high
    del done[Piece("sum-reach-x10", 11, 1.0).name]
    assert "sum" not in fronts(study, done) and summarise(study, done).left == 1


def test_actions_name_directions_or_the_greatest() -> None:
    np.testing.assert_allclose(named_by(Skills("c"), np.array([[3.0, -4.0], [0.0, 0.0]])), [[0.6, -0.8], [1, 0]])
    discrete = named_by(Skills("c", prior="discrete", size=3), np.array([[0.1, 0.9, 0.2]]))
    np.testing.assert_allclose(discrete, [[-0.5, 1, -0.5]])


def goal_env(n: int = 3) -> VectorEnv:
    env = VectorEnv(load_task("skills", "goal"), load_robot("arm"), n, threads=1)
    env.reset(seed=0)
    return env


def doer(env: VectorEnv) -> Doer:
    trained_on = VectorEnv(load_task("skills"), load_robot("arm"), 1).program.observation_layout["policy"]
    given = env.program.observation_layout["policy"]
    return Doer(lambda rows: rows[:, [0, 1, 8]] - rows[:, 2:5], Skills("diversity"), trained_on, given)


def test_a_doer_sees_what_it_was_trained_on_with_the_skill_in_its_place() -> None:
    env, seen = goal_env(), []
    made = doer(env)
    made.policy = lambda rows: seen.append(rows) or rows[:, :3]
    skills = np.float32([[1, 0], [0, 1], [0.6, 0.8]])
    made(env.observations, skills)
    base = VectorEnv(load_task("skills"), load_robot("arm"), 3, threads=1)
    np.testing.assert_array_equal(seen[0][:, :2], skills)
    layout = {b.name: b for b in env.program.observation_layout["policy"]}
    for block in base.program.observation_layout["policy"][1:]:
        there = layout[block.name]
        np.testing.assert_array_equal(
            seen[0][:, block.start : block.start + block.width],
            env.observations[:, there.start : there.start + there.width],
        )
    other = dataclasses.replace(base.program.observation_layout["policy"][1], name="joint_sine")
    with pytest.raises(SpecError, match="observations.policy: unknown observation 'joint_sine', did you"):
        Doer(np.zeros_like, Skills("c"), (other,), env.program.observation_layout["policy"])


def test_an_action_through_skills_is_ten_of_the_plain_environment() -> None:
    plain, wrapped = goal_env(), SkillEnv(goal_env(), doer(goal_env()), EVERY)
    policy = SkillPolicy(lambda o: np.tile(np.float32([0.5, -2.0]), (len(o), 1)), doer(plain), EVERY)
    observations, paid, length = plain.observations.copy(), np.zeros((3, 3)), 0
    while True:
        paid[:] = 0
        for _ in range(EVERY):
            observations, _, _, ended, info = plain.step(policy(observations))
            paid += info["channels"]
        seen, rewards, _, truncated, told = wrapped.step(np.tile([0.5, -2.0], (3, 1)))
        length += 1
        np.testing.assert_array_equal(seen, observations)
        np.testing.assert_allclose(told["channels"], paid, rtol=1e-5)
        np.testing.assert_allclose(rewards, paid.sum(1), rtol=1e-5)
        np.testing.assert_array_equal(truncated, ended)
        if ended.any():
            break
    assert length == wrapped.max_steps == 12 and wrapped.control_dt == pytest.approx(0.5)
    with pytest.raises(SpecError, match="every: expected a divisor of the 120 steps of an episode, got 7"):
        SkillEnv(plain, doer(plain), 7)


def test_an_arm_learns_to_act_through_the_skills_of_another(tmp_path: Path) -> None:
    path, out = tmp_path / "tiny.toml", tmp_path / "out"
    path.write_text(GOAL)
    study = load_study(str(path))
    assert [p.arm for p in ready_pieces(study, {}, [])] == ["doer"]
    run_study(str(path), out, limit=0)
    for arm in ("doer", "through"):
        run_piece(study, Piece(arm, 0, 1.0), out)
    summary = run_study(str(path), out, limit=0)
    assert summary.left == 0 and set(summary.arms) == {"doer", "through"}
    assert summary.arms["through"].steps == [32] and "through - doer: success" in summary.contrasts
    assert (out / "runs" / "doer-s1-0" / "checkpoints").is_dir()
    assert not (out / "runs" / "through-s1-0" / "checkpoints").exists()
    piece = Piece("through", 0, 1.0)
    arms = study.arms | {"doer": replace(study.arms["doer"], train={"num_envs": 16, "horizon": 8})}
    assert piece_hash(study, piece, out / "runs") != piece_hash(replace(study, arms=arms), piece, out / "runs")


def test_what_skills_cannot_act_in_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tiny.toml"
    path.write_text(GOAL.replace("horizon = 4 }", "horizon = 4, memory = 4 }"))
    study = load_study(str(path))
    run_study(str(path), tmp_path / "out", limit=0)
    run_piece(study, Piece("doer", 0, 1.0), tmp_path / "out")
    with pytest.raises(SpecError, match="skills_of: expected a policy without memory"):
        run_piece(study, Piece("through", 0, 1.0), tmp_path / "out")


def test_skills_of_an_arm_that_is_not_there_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "tiny.toml"
    path.write_text(GOAL.replace('skills_of = "doer"', 'skills_of = "doers"'))
    with pytest.raises(SpecError, match="arms.through.skills_of: unknown arm 'doers', did you mean 'doer'"):
        load_study(str(path))
