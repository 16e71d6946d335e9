"""`bench train`: PPO end to end, on go2 against bare stepping and Stable-Baselines3's PPO, and on Gymnasium's half
cheetah against Stable-Baselines3 and a torch loop on EnvPool.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

import msgspec

from ...envs import make_vec
from ...learn import create_run, train
from ...learn.logs import read_metrics
from ...spec import Robot, Task, Train, load_robot, load_task, load_train
from ..cheetah import cheetah_robot, cheetah_task, cheetah_train, quiet_model
from ..cheetah.peers import envpool_cheetah, sb3_cheetah
from ..peers import installed
from ..row import LIMIT, Result, Settings, compare
from ..stepping import Sampler, draw_actions, stepping_samplers, usable_cores
from ..timing import Case, interleave
from ..torch_threads import with_threads

FAMILY, CASE, UNIT = "train", "ppo/go2", "env-steps/s"
CHEETAH, CHEETAHS = "ppo/halfcheetah", 8
CHEETAH_PEERS: tuple[tuple[str, str, str, Callable[[Train], Callable[[], int]]], ...] = (
    ("sb3", "stable_baselines3", "stable-baselines3", sb3_cheetah),
    ("cleanrl-envpool", "envpool", "envpool", envpool_cheetah),
)
SB3_ITERATIONS = 3
PEER_THREADS = 1
"""Of torch in the peers: more slow these small networks down, and the physics beside them."""
WARM = 2
"""Iterations of each training that are not counted: the first ones find memory and caches cold."""


class Training:
    """Short trainings from scratch in folders of their own, which go away afterwards."""

    def __init__(self, task: Task, robot: Robot, config: Train, iterations: int, workers: int, out: Path) -> None:
        self._task, self._robot = task, robot
        self._config, self._iterations, self._workers, self._out = config, iterations, workers, out
        self.times: list[dict[str, float]] = []

    def sample(self) -> float:
        """Train and return environment steps per second of wall clock after the warm iterations."""
        run = create_run(self._task, self._robot, self._config, seed=0, out=self._out)
        train(run, iterations=self._iterations, workers=self._workers, progress=False)
        rows = read_metrics(run)
        first, last = rows[WARM - 1], rows[-1]
        self.times.append(_mean_times(rows[WARM:]))
        return float((last["steps"] - first["steps"]) / (last["elapsed"] - first["elapsed"]))


def run(settings: Settings) -> Result:
    """Measure ours beside the bare limit and the peers that are installed, on both robots."""
    go2, cheetah = run_go2(settings), run_cheetah(settings)
    return Result(go2.rows + cheetah.rows, go2.left_out + cheetah.left_out, go2.notes + cheetah.notes)


def run_cheetah(settings: Settings) -> Result:
    """Measure HalfCheetah with Stable-Baselines3's settings: minibatches of 64 rows, 10 epochs."""
    config = cheetah_train(CHEETAHS, settings.cheetah_samples)
    iterations = max(settings.iterations, WARM + 1)
    left_out = []
    with tempfile.TemporaryDirectory(prefix="pyembody-bench-") as out, quiet_model():
        training = Training(cheetah_task(), cheetah_robot(), config, iterations, 1, Path(out))
        samplers: dict[str, Sampler] = {"ours": training.sample}
        for name, module, package, make in CHEETAH_PEERS:
            if installed(module):
                samplers[name] = with_threads(Case(make(config)).sample, PEER_THREADS)
            else:
                left_out.append(f"train/{CHEETAH} {name}: not installed (pip install {package})")
        rates = interleave(samplers, settings.seconds)
    shares = ", ".join(f"{name} {100 * part:.0f} %" for name, part in _median_shares(training.times).items())
    return Result(
        compare(FAMILY, CHEETAH, UNIT, rates), left_out, [f"train: where a second of {CHEETAH} goes: {shares}"]
    )


def run_go2(settings: Settings) -> Result:
    """Measure ours, the bare limit and, if it is installed, Stable-Baselines3, with the task's own
    settings.
    """
    config = msgspec.structs.replace(load_train("velocity"), num_envs=settings.num_envs, checkpoint_every=10**6)
    iterations = max(settings.iterations, WARM + 1)
    cores = usable_cores()
    with tempfile.TemporaryDirectory(prefix="pyembody-bench-") as out:
        training = Training(load_task("velocity"), load_robot("go2"), config, iterations, settings.workers, Path(out))
        samplers: dict[str, Sampler] = {"ours": training.sample, LIMIT: _limit(config, cores)}
        left_out = []
        if installed("stable_baselines3"):
            samplers["sb3"] = _sb3(config, cores)
        else:
            left_out.append("train/ppo/go2 sb3: not installed (pip install stable-baselines3)")
        rates = interleave(samplers, settings.seconds)
    parts = _median_shares(training.times)
    shares = ", ".join(f"{name} {100 * part:.0f} %" for name, part in parts.items())
    return Result(
        compare(FAMILY, CASE, UNIT, rates),
        left_out,
        [f"train: where a training second goes: {shares}"],
    )


def _limit(config: Train, cores: int) -> Sampler:
    env = make_vec("velocity", "go2", config.num_envs, threads=cores)
    actions = draw_actions(config.horizon, config.num_envs, env.action.shape[1], config.initial_std)
    return stepping_samplers(env, actions, cores)[LIMIT]


def _sb3(config: Train, cores: int) -> Sampler:
    from ..sb3 import Sb3VecEnv, sb3_ppo

    learner = sb3_ppo(Sb3VecEnv(make_vec("velocity", "go2", config.num_envs, threads=cores)), config, seed=0)
    steps = config.num_envs * config.horizon * SB3_ITERATIONS

    def run() -> int:
        learner.learn(steps, reset_num_timesteps=False)
        return steps

    return with_threads(Case(run).sample, PEER_THREADS)


def _mean_times(rows: list[dict[str, dict[str, float]]]) -> dict[str, float]:
    """Mean seconds of each part of an iteration."""
    return {key: sum(row["time"][key] for row in rows) / len(rows) for key in rows[0]["time"]}


def _median_shares(times: list[dict[str, float]]) -> dict[str, float]:
    """Parts of a training second; the environment's is taken apart into physics, program and the rest of a step."""
    parts = {key: median(t[key] for t in times) for key in times[0]}
    total, environment = parts.pop("total"), parts.pop("environment")
    named = {name: parts.pop(name) for name in ("physics", "program")}
    named["commands, observations, resets"] = max(environment - sum(named.values()), 0.0)
    named |= parts
    named["other"] = max(total - sum(named.values()), 0.0)
    return {name: seconds / total for name, seconds in named.items()}
