"""Making a dataset of a kind: random, medium, mixed or narrow."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .failure import CommandError

if TYPE_CHECKING:
    from ..data import Header, Recorder
    from ..learn import RunSpec
    from ..spec import Robot, Task

NUM_ENVS, MIXED_ROWS, MIXED_STEPS = 64, 64, 100
NOISE = {"medium": 0.2, "narrow": 0.05}
"""Standard deviation of the noise on the policy's actions, in its own units."""
NARROW_SHARE = 0.5
"""Of the fastest forward command that the task trains."""


@dataclass(frozen=True)
class Making:
    """What was asked for on the command line."""

    kind: str
    steps: int
    run: str | None
    iterations: int
    seed: int


def make_dataset(
    task_name: str, robot_name: str, variant: str, out: Path | None, making: Making
) -> tuple[Header, Path]:
    """Record the dataset asked for; return its header and its folder.

    Raises SpecError for unknown names and a folder that is there already, CommandError for options that do not go
    together.
    """
    from ..data.recorder import new_folder
    from ..spec import load_robot, load_task
    from .pair import compile_pair

    task = load_task(task_name, variant)
    robot = load_robot(robot_name or task.robot)
    compile_pair(task, robot)
    if making.run is not None and making.kind not in NOISE:
        kinds = " or ".join(NOISE)
        raise CommandError(f"--run: a {making.kind} dataset is not made from a run; expected --kind {kinds}")
    folder = new_folder(out or Path("datasets") / f"{task.name}-{robot.name}-{making.kind}")
    if making.kind == "random":
        return _random(task, robot, folder, making), folder
    if making.kind == "mixed":
        return _mixed(task_name, variant, robot, folder, making), folder
    return _acted(task_name, variant, robot, folder, making), folder


def _random(task: Task, robot: Robot, folder: Path, making: Making) -> Header:
    from ..data.gather import gather, uniform
    from ..envs import VectorEnv
    from .outcome import status_line

    env = VectorEnv(task, robot, NUM_ENVS, seed=making.seed)
    policy = uniform(env.action.shape[1], making.seed)
    found = gather(env, policy, folder, making.steps, kind="random", source="random", seed=making.seed,
                   progress=status_line())
    env.close()
    return found


def _acted(task_name: str, variant: str, robot: Robot, folder: Path, making: Making) -> Header:
    """What a policy does with noise: trained half (medium), or wholly and on one command (narrow)."""
    from ..data.gather import Noisy, gather
    from ..learn import load_policy, read_run
    from .eval import check_fits
    from .locate import locate
    from .outcome import run_env, status_line

    if making.run is None:
        run = source = _train(task_name, variant, robot, making)
    else:
        located = locate(making.run, Path("runs"))
        run, source = located.folder, located.source
    spec = read_run(run)
    env, policy = run_env(spec, NUM_ENVS), load_policy(source)
    check_fits(policy.observation_size, env.observations.shape[1], spec.task.variant)
    noisy = Noisy(policy, NOISE[making.kind], making.seed)
    command = None
    if making.kind == "narrow" and spec.task.command is not None:
        command = (NARROW_SHARE * spec.task.command.high[0], 0.0, 0.0)
    found = gather(env, noisy, folder, making.steps, kind=making.kind, source=str(source), seed=making.seed,
                   command=command, progress=status_line())
    env.close()
    return found


def _mixed(task_name: str, variant: str, robot: Robot, folder: Path, making: Making) -> Header:
    """Blocks spread over a training from its start to its end."""
    from ..data import Recorder
    from ..learn.runner import task_env

    recorders: list[Recorder] = []

    def recorded(spec: RunSpec, num_envs: int, threads: int, first_env: int) -> Any:
        env = task_env(spec, num_envs, threads, first_env)
        rows = min(MIXED_ROWS, num_envs)
        blocks = max(1, round(making.steps / (rows * MIXED_STEPS)))
        every = max(1, spec.train.iterations * spec.train.horizon // (blocks * MIXED_STEPS))
        recorders.append(Recorder(env, folder, kind="mixed", source="training", seeds=(making.seed,), every=every,
                                  steps=MIXED_STEPS, rows=rows))
        return env

    try:
        _train(task_name, variant, robot, making, recorded)
    finally:
        headers = [recorder.close() for recorder in recorders]
    return headers[0]


def _train(task_name: str, variant: str, robot: Robot, making: Making, make_env: Any = None) -> Path:
    from msgspec.structs import replace

    from ..learn import create_run, train
    from ..spec import load_learning, load_task

    config = load_learning(task_name, variant)
    half = config.iterations if making.kind == "narrow" else max(1, config.iterations // 2)
    config = replace(config, iterations=making.iterations or half)
    run = create_run(load_task(task_name, variant), robot, config, making.seed)
    print(f"training a policy first: {run}", flush=True)
    return train(run, make_env=make_env)
