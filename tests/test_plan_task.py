"""Planning for a task's own pay, in the simulator and in a fitted model: one meaning, one planner."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace as changed

from pyembody.cli import main
from pyembody.data import Dataset
from pyembody.data.gather import gather
from pyembody.envs import VectorEnv
from pyembody.plan import PlannerSettings
from pyembody.plan.task_planning import acting_env, figures, make_planner, planned_episode
from pyembody.plan.task_rollouts import ImaginedTask, SimulatedTask, look
from pyembody.spec import SpecError, load_robot, load_task
from pyembody.world import EnsembleModel, FitSettings, WorldModel, fit_model

SIGNALS = ("cart_pos", "cart_vel", "pole_angle", "pole_vel", "joint_torque")
SMALL = PlannerSettings(candidates=64, horizon=50, knots=6, sigma=0.15, culling=False)
NEAR = {
    "episode": {"length_s": 2.0}, "reset": {"joint_pos": 0.1, "joint_vel": 0.1, "passive_pos": 0.1, "passive_vel": 0.1}
}
COUNT, STEPS = 6, 9


def balance() -> VectorEnv:
    """The small task, from starts near the balance, for two seconds."""
    return acting_env(load_task("balance", changes=NEAR), load_robot("cartpole"))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> WorldModel:
    """Fitted to strong actions at random."""
    folder = tmp_path_factory.mktemp("model")
    env = VectorEnv(load_task("balance"), load_robot("cartpole"), 32, randomize=False)
    rng = np.random.default_rng(0)
    gather(env, lambda rows: rng.uniform(-3, 3, (len(rows), 1)).astype(np.float32), folder / "d", 3000)
    env.close()
    settings = FitSettings(hidden=(32, 32), members=2, elites=2, epochs=12, learning_rate=3e-3, batch=64)
    return fit_model(Dataset(folder / "d"), folder / "m", settings, SIGNALS)


@pytest.fixture
def env() -> Any:
    made = balance()
    made.reset(seed=3)
    yield made
    made.close()


def actions(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-3, 3, (COUNT, STEPS, 1))


def test_simulated_candidates_cost_what_the_environment_pays_for_the_same_actions(env: VectorEnv) -> None:
    for t in range(5):
        env.step(np.full((1, 1), 0.1 * t))
    start, controls, rollouts = look(env), actions(), SimulatedTask(env)
    costs = rollouts.costs(start, controls)
    np.testing.assert_array_equal(rollouts.costs(start, controls), costs)
    for row in range(COUNT):
        env.batch.state[:] = start.row
        paid = 0.0
        for t in range(STEPS):
            _, rewards, terminated, _, _ = env.step(controls[row : row + 1, t])
            paid += rewards[0]
            if terminated[0]:
                break
        assert costs[row] == pytest.approx(-paid / STEPS, rel=1e-12)
    rollouts.close()


def test_what_comes_after_a_termination_costs_nothing(env: VectorEnv) -> None:
    rollouts, fall = SimulatedTask(env), np.full((1, 80, 1), 3.0)
    longer = rollouts.costs(look(env), fall)[0] * 80
    assert rollouts.costs(look(env), fall[:, :60])[0] * 60 == pytest.approx(longer, rel=1e-12)
    assert longer > 0
    rollouts.close()


def test_imagined_candidates_cost_what_the_model_is_paid_for_the_same_actions(
    env: VectorEnv, model: WorldModel
) -> None:
    rollouts, controls = ImaginedTask(env, model), actions().astype(np.float32)
    start = look(env, rollouts.state)
    whole = EnsembleModel(model.ensemble, rollouts.state, env.program)
    found = whole.rollout(np.tile(start.state, (COUNT, 1)), STEPS, actions=controls, propagation="mean", noise=False)
    np.testing.assert_allclose(rollouts.costs(start, controls), -found.channels.sum((0, 2)) / STEPS, rtol=1e-5)
    simulated = SimulatedTask(env)
    np.testing.assert_allclose(rollouts.costs(start, controls), simulated.costs(start, controls), atol=4e-3)
    simulated.close()


def test_a_plans_cost_is_that_of_the_imagined_rollout_of_its_actions(env: VectorEnv, model: WorldModel) -> None:
    rollouts = ImaginedTask(env, model)
    planner, start = make_planner(env, rollouts, SMALL, 0), look(env, rollouts.state)
    plan = planner.replan(start, 0.0)
    chosen = np.clip(planner.weights @ plan.knots, planner.low, planner.high)
    assert rollouts.costs(start, chosen[None])[0] == plan.cost
    assert plan.cost <= rollouts.costs(start, np.zeros((1, SMALL.horizon, 1)))[0]


@pytest.mark.parametrize("kind", ["predictive", "mppi", "cem", "annealed"])
def test_the_same_seed_gives_the_same_episode_for_any_number_of_threads(
    kind: Any, env: VectorEnv, model: WorldModel
) -> None:
    settings = PlannerSettings(kind=kind, candidates=12, horizon=12, knots=3, culling=False)
    found = []
    for threads in (1, 2):
        rollouts = ImaginedTask(env, model, propagation="sampled", threads=threads)
        found.append(planned_episode(env, rollouts, settings, 5))
    assert (found[0].paid, found[0].length_s) == (found[1].paid, found[1].length_s)
    assert planned_episode(env, rollouts, settings, 6).paid != found[0].paid


def test_plans_in_a_model_and_in_the_simulator_balance_what_falls_by_itself(env: VectorEnv, model: WorldModel) -> None:
    for seed in (1, 2):
        env.reset(seed=seed)
        ended = False
        for _ in range(100):
            ended |= bool(env.step(np.zeros((1, 1)))[2][0])
        assert ended
    imagined = [planned_episode(env, ImaginedTask(env, model), SMALL, seed) for seed in (1, 2)]
    simulated = SimulatedTask(env)
    exact = planned_episode(env, simulated, SMALL, 1)
    simulated.close()
    for episode in (*imagined, exact):
        assert episode.success and not episode.terminated
        assert episode.length_s == pytest.approx(2.0)
        assert 3.0 < episode.paid < 4.0  # 4: upright in the middle throughout
    told = figures(imagined)
    assert (told.episodes, told.successes) == (2, 2) and 0 < told.p50_ms <= told.p99_ms
    assert told.plans_per_s == pytest.approx(200 / sum(sum(e.plan_s) for e in imagined))


def test_a_model_that_leaves_the_finite_numbers_costs_infinitely_much_and_its_plans_are_lost(
    env: VectorEnv, model: WorldModel
) -> None:
    biases = [b.copy() for b in model.ensemble.biases]
    biases[-1][:, 0, 0] = np.inf
    broken = WorldModel(model.spec, replace(model.ensemble, biases=biases))
    rollouts = ImaginedTask(env, broken)
    planner = make_planner(env, rollouts, SMALL, 0)
    assert np.isinf(rollouts.costs(look(env, rollouts.state), actions())).all()
    planner.replan(look(env, rollouts.state), 0.0)
    assert planner.lost == 1


def test_tasks_and_models_that_do_not_fit_are_refused(env: VectorEnv, model: WorldModel) -> None:
    with pytest.raises(SpecError, match="model: expected one of cartpole with 1 actions, got go2 with 1 actions"):
        ImaginedTask(env, WorldModel(changed(model.spec, robot="go2"), model.ensemble))
    fewer = tuple(f for f in model.spec.fields if f.name != "joint_torque")
    with pytest.raises(SpecError, match="unknown signal 'joint_torque'"):
        ImaginedTask(env, WorldModel(changed(model.spec, fields=fewer), model.ensemble))
    walking = acting_env(load_task("velocity"), load_robot("go2"))
    with pytest.raises(SpecError, match="task 'velocity': expected"):
        SimulatedTask(walking)
    walking.close()


def test_the_command_prints_a_table_writes_json_and_tells_by_its_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["dataset", "make", "balance", "--steps", "300", "--out", "d"]) == 0
    fit = ["--hidden", "8", "--members", "2", "--elites", "1", "--epochs", "1"]
    assert main(["world", "fit", "d", "--out", "m", *fit]) == 0
    plan = ["world", "plan", "m", "--seeds", "1", "--candidates", "4", "--horizon", "3", "--knots", "2"]
    capsys.readouterr()
    assert main([*plan, "--json", "found.json", "--least", "1"]) == 1
    out = capsys.readouterr().out
    assert "the model" in out and "the simulator" in out and "plan ms p50" in out
    found = json.loads(Path("found.json").read_text())
    assert found["figures"]["model"]["successes"] == 0 and found["settings"]["candidates"] == 4
    assert [(e["plans_in"], e["seed"]) for e in found["episodes"]] == [("model", 0), ("simulator", 0)]
    assert main([*plan, "--no-simulator"]) == 0
    assert main([*plan, "--knots", "99"]) == 2
    assert "planner" in capsys.readouterr().err
    assert main([*plan, "--task", "velocity"]) == 2
