"""The vector environment: Gymnasium's contract, autoreset modes, exact states, divergence as data."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from pyembody import spec
from pyembody.envs import VectorEnv, make_vec

N = 6


def actions(env: VectorEnv, steps: int, scale: float = 1.0, seed: int = 1) -> NDArray[np.float32]:
    shape = (steps, env.num_envs, env.action.shape[1])
    return (scale * np.random.default_rng(seed).normal(size=shape)).astype(np.float32)


def trace(env: VectorEnv, steps: int = 40, scale: float = 3.0) -> list[NDArray[Any]]:
    out = [env.reset(seed=3)[0]]
    for action in actions(env, steps, scale):
        obs, reward, terminated, truncated, _ = env.step(action)
        out += [obs, reward, terminated, truncated, env.channels.copy()]
    return out


@pytest.mark.parametrize(("task", "robot"), [("velocity", "go2"), ("balance", "cartpole")])
@pytest.mark.filterwarnings("ignore:.*Not able to test alternative render modes.*")
@pytest.mark.filterwarnings("ignore:.*different from the unwrapped version.*")
@pytest.mark.filterwarnings("ignore:.*[Bb]ox (observation|action) space.*")
def test_single_environment_passes_gymnasiums_own_check(task: str, robot: str) -> None:
    env = gymnasium.make("pyembody/Task-v0", task=task, robot=robot)
    check_env(env.unwrapped)
    env.close()


def test_gymnasium_makes_the_vector_environment() -> None:
    env = gymnasium.make_vec("pyembody/Task-v0", num_envs=3, task="velocity", robot="go2")
    obs, _ = env.reset(seed=0)
    assert env.observation_space.contains(obs)
    assert obs.shape == (3, 50)


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_first_steps_are_the_same_in_every_autoreset_mode(mode: AutoresetMode) -> None:
    first = make_vec(num_envs=N, autoreset_mode=AutoresetMode.SAME_STEP)
    other = make_vec(num_envs=N, autoreset_mode=mode)
    assert other.metadata["autoreset_mode"] == mode
    for a, b in zip(trace(first, 5, 0.5), trace(other, 5, 0.5), strict=True):
        np.testing.assert_array_equal(a, b)


def fall(env: VectorEnv, most: int = 200) -> tuple[NDArray[np.bool_], dict[str, Any], NDArray[np.float32]]:
    """Thrash until some row, but not every row, ends; return its mask, the info and the observations."""
    env.reset(seed=0)
    for action in actions(env, most, 6.0):
        obs, _, terminated, truncated, info = env.step(action)
        if (terminated | truncated).any():
            return terminated | truncated, info, obs
    raise AssertionError("no episode ended")


def test_same_step_returns_the_first_observation_and_keeps_the_true_successor() -> None:
    env = make_vec(num_envs=N)
    done, info, obs = fall(env)
    row = int(np.flatnonzero(done)[0])
    np.testing.assert_array_equal(info["_final_obs"], done)
    np.testing.assert_array_equal(info["final_obs"][row], env.final_observations[row])
    assert not np.array_equal(obs[row], env.final_observations[row])
    np.testing.assert_array_equal(env._steps[row], 0)
    # an upright start: gravity points down in the body frame
    assert obs[row, 8] < -0.97


def test_next_step_returns_the_true_successor_then_a_free_reset_step() -> None:
    env = make_vec(num_envs=N, autoreset_mode=AutoresetMode.NEXT_STEP)
    done, info, _ = fall(env)
    row = int(np.flatnonzero(done)[0])
    assert "final_obs" not in info
    after, reward, terminated, truncated, _ = env.step(np.ones_like(env.action))
    assert reward[row] == 0 and not terminated[row] and not truncated[row]
    assert after[row, 8] < -0.97
    assert not after[row, 36:48].any()  # no previous action yet


def test_disabled_mode_resets_only_where_asked() -> None:
    env = make_vec(num_envs=N, autoreset_mode=AutoresetMode.DISABLED)
    done, _, obs = fall(env)
    again, _ = env.reset(options={"reset_mask": done})
    np.testing.assert_array_equal(again[~done], obs[~done])
    assert (again[done, 8] < -0.97).all()
    with pytest.raises(ValueError, match="reset_mask: expected a bool array"):
        env.reset(options={"reset_mask": done.astype(int)})


def test_truncation_is_not_termination() -> None:
    task = spec.load_task("velocity")
    env = VectorEnv(spec.convert({**to_data(task), "episode": {"length_s": 0.1}}, spec.Task, "x"),
                    spec.load_robot("go2"), N)
    env.reset(seed=0)
    for _ in range(5):
        _, _, terminated, truncated, _ = env.step(np.zeros_like(env.action))
    assert truncated.all() and not terminated.any()


def to_data(task: spec.Task) -> dict[str, Any]:
    import msgspec

    data: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(task))
    return data


@pytest.mark.parametrize("variant", ["", "deployable", "rough"])
def test_same_seed_same_bits_for_one_and_two_threads(variant: str) -> None:
    one = trace(make_vec(num_envs=130, variant=variant, threads=1), 12)
    two = trace(make_vec(num_envs=130, variant=variant, threads=2), 12)
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)


def test_another_seed_is_another_run() -> None:
    env = make_vec(num_envs=N)
    first = env.reset(seed=0)[0]
    assert not np.array_equal(first, env.reset(seed=1)[0])
    np.testing.assert_array_equal(first, env.reset(seed=0)[0])


@pytest.mark.parametrize("variant", ["", "deployable", "rough"])
def test_restored_state_continues_bit_for_bit(variant: str) -> None:
    env = make_vec(num_envs=N, variant=variant)
    env.reset(seed=0)
    for action in actions(env, 30, 3.0):
        env.step(action)
    saved = env.state_dict()
    fresh = make_vec(num_envs=N, variant=variant)
    fresh.load_state_dict(saved)
    for action in actions(env, 60, 3.0, seed=5):
        for a, b in zip(env.step(action)[:4], fresh.step(action)[:4], strict=True):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(env.channels, fresh.channels)


def test_rewards_are_the_sum_of_channels_and_channels_of_weighted_terms() -> None:
    env = make_vec(num_envs=N)
    env.reset(seed=0)
    for action in actions(env, 20):
        _, reward, _, _, info = env.step(action)
        np.testing.assert_array_equal(reward, env.channels.sum(axis=1, dtype=np.float64))
        np.testing.assert_array_equal(info["channels"], env.channels)
        for c, name in enumerate(env.channel_names):
            own = [k for k, term in enumerate(env.term_names) if term.startswith(name + ".")]
            np.testing.assert_allclose(env.weighted[:, own].sum(axis=1), env.channels[:, c], rtol=1e-5, atol=1e-6)


def test_wrong_actions_are_refused_by_name() -> None:
    env = make_vec(num_envs=N)
    with pytest.raises(RuntimeError, match="call reset first"):
        env.step(np.zeros((N, 12)))
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"actions: expected \(6, 12\), got \(6, 11\)"):
        env.step(np.zeros((N, 11)))
    bad = np.zeros((N, 12), np.float32)
    bad[2, 3] = np.nan
    with pytest.raises(ValueError, match="actions: expected finite numbers, got nan at row 2, column 3"):
        env.step(bad)
    with pytest.raises(ValueError, match="actions: expected numbers"):
        env.step(np.full((N, 12), "a"))


def test_a_robot_that_lacks_signals_is_refused_with_all_of_them_named() -> None:
    with pytest.raises(spec.SpecError, match="foot_force"):
        make_vec("velocity", "cartpole", 2)


def test_a_diverging_simulation_ends_its_own_episode_only() -> None:
    env = make_vec(num_envs=N)
    env.reset(seed=0)
    env.batch.bind("qvel")[2, 0] = np.nan
    obs, reward, terminated, _, _ = env.step(np.zeros_like(env.action))
    assert terminated[2] and terminated.sum() == 1
    assert np.isfinite(obs).all() and np.isfinite(reward).all()
    assert env.faults["diverged"] == 1


def test_held_command_is_what_the_policy_sees() -> None:
    env = make_vec(num_envs=N)
    env.reset(seed=0, options={"command": [0.3, 0.0, 0.1]})
    for _ in range(40):
        obs = env.step(np.zeros_like(env.action))[0]
    np.testing.assert_allclose(obs[:, 9:12], np.tile([0.3, 0.0, 0.1], (N, 1)), atol=1e-6)


def test_parameters_change_at_the_next_step() -> None:
    env = make_vec(num_envs=N)
    env.reset(seed=0)
    env.step(np.zeros_like(env.action))
    k = env.term_names.index("style.height")
    before, raw = env.weighted[:, k].copy(), env.raw[:, k].copy()
    twin = env.state_dict()
    env.set_params({"style.height.weight": -40.0})
    env.step(np.zeros_like(env.action))
    doubled = env.weighted[:, k].copy()
    env.load_state_dict(twin)
    env.step(np.zeros_like(env.action))
    np.testing.assert_array_equal(doubled, 2 * env.weighted[:, k])
    assert before.any() and raw.any()


def test_randomised_environments_differ_and_execution_model_is_stiff() -> None:
    env = make_vec(num_envs=N, variant="deployable")
    env.reset(seed=0)
    masses = env.batch.expanded("body_mass")[:, env.model.body("base").id]
    assert len(set(masses.tolist())) == N
    plain = make_vec(num_envs=N, variant="deployable", randomize=False, execution=True)
    assert plain.batch.expanded("body_mass") is None
    assert plain.model.opt.timestep < env.model.opt.timestep


def test_mirror_of_a_mirrored_observation_is_itself() -> None:
    env = make_vec(num_envs=N)
    mirror = env.mirror
    assert mirror is not None
    for index, sign in ((mirror.obs_index, mirror.obs_sign), (mirror.action_index, mirror.action_sign)):
        x = np.random.default_rng(0).normal(size=len(index)).astype(np.float32)
        twice = (x[index] * sign)[index] * sign
        np.testing.assert_array_equal(twice, x)


def test_mirrored_world_gives_mirrored_observations() -> None:
    """A mirrored start and mirrored actions give the mirrored trajectory, but for the clock that is shared."""
    env = make_vec(num_envs=2)
    mirror = env.mirror
    assert mirror is not None
    env.reset(seed=0, options={"command": [[0.5, 0.2, 0.3], [0.5, -0.2, -0.3]]})
    reflect_start(env)
    rng = np.random.default_rng(0)
    keep = np.ones(env.observations.shape[1], bool)
    keep[-2:] = False
    for _ in range(10):
        action = rng.normal(size=12).astype(np.float32)
        obs = env.step(np.stack([action, action[mirror.action_index] * mirror.action_sign]))[0]
        reflected = obs[0][mirror.obs_index] * mirror.obs_sign
        np.testing.assert_allclose(obs[1][keep], reflected[keep], atol=2e-2)


def reflect_start(env: VectorEnv) -> None:
    """Put row 1 into the mirror image of row 0."""
    mirror = env.mirror
    assert mirror is not None
    qpos, qvel = env.batch.bind("qpos"), env.batch.bind("qvel")
    qpos[1, :3] = qpos[0, :3] * [1, -1, 1]
    qpos[1, 3:7] = qpos[0, 3:7] * [1, -1, 1, -1]
    qvel[1, :3] = qvel[0, :3] * [1, -1, 1]
    qvel[1, 3:6] = qvel[0, 3:6] * [-1, 1, -1]
    qpos[1, 7:] = qpos[0, 7:][mirror.action_index] * mirror.action_sign
    qvel[1, 6:] = qvel[0, 6:][mirror.action_index] * mirror.action_sign


def test_a_term_that_is_not_finite_is_recorded_once_with_its_inputs_and_ends_the_row() -> None:
    data = to_data(spec.load_task("velocity"))
    data["channels"]["task"]["terms"]["broken"] = {"expr": "1 / (base_lin_vel[0] - base_lin_vel[0])"}
    env = VectorEnv(spec.convert(data, spec.Task, "x"), spec.load_robot("go2"), N)
    env.reset(seed=0)
    _, reward, terminated, _, _ = env.step(np.zeros_like(env.action))
    assert terminated.all() and np.isfinite(reward).all()
    assert env.faults["task.broken"] == N
    first = env.faults.first["task.broken"]
    assert (first.env, first.step) == (0, 1)
    assert len(first.signals["base_lin_vel_world"]) == 3
    zero = "base_lin_vel[0] - base_lin_vel[0]"
    assert first.part.startswith(f"1 / ({zero}) = inf ({zero} = 0), in ")


def test_a_models_own_floor_carries_the_robot(tmp_path: Path) -> None:
    folder = tmp_path / "dog"
    shutil.copytree(spec.load_robot("go2").folder, folder)
    model = (folder / "model.xml").read_text()
    (folder / "model.xml").write_text(model.replace("<worldbody>", '<worldbody><geom type="plane" size="5 5 0.1"/>', 1))
    env = VectorEnv(spec.load_task("velocity"), spec.load_robot(str(folder)), 2)
    env.reset(seed=0, options={"command": [0.0, 0.0, 0.0]})
    for _ in range(50):
        env.step(np.zeros_like(env.action))
    assert (env.metrics[:, env.metric_names.index("height")] > 0.3).all()


def test_a_task_comes_on_its_own_robot() -> None:
    assert make_vec("balance", num_envs=1, threads=1).robot.name == "cartpole"
    assert make_vec(num_envs=1, threads=1).robot.name == "go2"
    with gymnasium.make("pyembody/Task-v0", task="balance") as env:
        assert env.unwrapped.vector.robot.name == "cartpole"
