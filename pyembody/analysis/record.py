"""One row of an environment written down over time: what it was, what it did, what it was paid."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..program.gating import threshold_name
from ..spec.errors import SpecError
from ..spec.files import write_atomic
from .signals import CONTACT_FORCE, read_signal

if TYPE_CHECKING:
    from ..envs.vector import VectorEnv

Array = npt.NDArray[Any]
Policy = Callable[[npt.NDArray[np.float32]], Array]
Progress = Callable[[str, float], None]
"""Called with what is being made and the share of it that is done, from 0 to 1."""
Schedule = Sequence[tuple[float, Sequence[float]]]
"""Commands over time: (seconds, [forward, lateral, turn]), each valid until the next."""

RECORDED_SIGNALS = (
    "base_pos",
    "base_quat",
    "base_lin_vel",
    "base_ang_vel",
    "joint_pos",
    "joint_vel",
    "joint_torque",
    "foot_pos",
    "foot_force",
)
FORMAT = "pyembody-recording-1"


@dataclass(frozen=True)
class Recording:
    """T control steps of one environment row. Step t holds the state before the action, and what
    the action brought.

    time [T] s; qpos [T, nq]; command [T, 3 or 0]; action [T, A]; raw and weighted [T, K] reward
    terms; channels [T, C]; metrics [T, M]; values [T, C or 0] from the critic; terminated and
    truncated [T] bool: the episode ended with this step, the next row starts a new one. `signals`
    holds what the robot measures, [T, lanes] each.
    """

    time: Array
    qpos: Array
    command: Array
    action: Array
    raw: Array
    weighted: Array
    channels: Array
    metrics: Array
    values: Array
    terminated: Array
    truncated: Array
    control_dt: float
    signals: dict[str, Array] = field(default_factory=dict)
    term_names: tuple[str, ...] = ()
    channel_names: tuple[str, ...] = ()
    metric_names: tuple[str, ...] = ()
    joint_names: tuple[str, ...] = ()
    foot_names: tuple[str, ...] = ()
    robot: str = ""
    task: str = ""

    def __len__(self) -> int:
        return len(self.time)

    def measured(self) -> Array | None:
        """Return the measured (forward, lateral, turn) velocity [T, 3] in m/s and rad/s, or None if
        not recorded.
        """
        if "base_lin_vel" not in self.signals or "base_ang_vel" not in self.signals:
            return None
        return np.column_stack([self.signals["base_lin_vel"][:, :2], self.signals["base_ang_vel"][:, 2]])

    def foot_contact(self) -> Array | None:
        """Return which feet carry load, [T, feet] bool, or None if not recorded."""
        force = self.signals.get("foot_force")
        return None if force is None else force > CONTACT_FORCE

    def save(self, path: Path | str) -> Path:
        """Write a safetensors file whose header holds the names; return its path."""
        from safetensors.numpy import save

        arrays, header = (
            {f"signals.{k}": np.ascontiguousarray(v) for k, v in self.signals.items()},
            {},
        )
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, np.ndarray):
                arrays[f.name] = np.ascontiguousarray(value)
            elif f.name != "signals":
                header[f.name] = value
        return write_atomic(path, save(arrays, {"format": FORMAT, "header": json.dumps(header)}))

    @staticmethod
    def load(path: Path | str) -> Recording:
        """Return the recording in a file that `save` wrote; SpecError if it is something else."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, "numpy") as file:
                meta = file.metadata() or {}
                arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
        except SafetensorError as error:
            raise SpecError(f"{path}: expected a recording (safetensors), got {error}") from None
        if meta.get("format") != FORMAT:
            raise SpecError(f"{path}: expected a recording of format '{FORMAT}', got '{meta.get('format', '')}'")
        header = {k: tuple(v) if isinstance(v, list) else v for k, v in json.loads(meta["header"]).items()}
        signals = {k.removeprefix("signals."): v for k, v in arrays.items() if k.startswith("signals.")}
        plain: dict[str, Any] = {k: v for k, v in arrays.items() if not k.startswith("signals.")} | header
        if set(plain) != {f.name for f in fields(Recording)} - {"signals"}:
            raise SpecError(f"{path}: expected the fields of a recording, got {', '.join(sorted(plain))}")
        return Recording(signals=signals, **plain)


def go_on(env: VectorEnv, policy: Policy) -> None:
    """Let rewards normalise, and gates open, as at the end of the training of a policy that comes from a checkpoint.

    Other policies change nothing, nor does one whose training had other rewards.
    """
    statistics = getattr(policy, "statistics", None)
    if statistics is not None and statistics.shape == env.running.moments.array.shape:
        env.load_statistics(statistics)
    thresholds = getattr(policy, "thresholds", None)
    if thresholds is not None and len(thresholds) == len(env.channel_names):
        named = zip(map(threshold_name, env.channel_names), thresholds.tolist(), strict=True)
        env.set_params({name: value for name, value in named if name in env.program.params})


def forget(policy: Policy, ended: Array | None = None) -> None:
    """Let a policy with memory begin anew where `ended [N]` bool, everywhere for None."""
    begin: Callable[[Array | None], None] | None = getattr(policy, "forget", None)
    if begin is not None:
        begin(ended)


def record(
    env: VectorEnv,
    policy: Policy,
    *,
    seconds: float,
    row: int = 0,
    command: Sequence[float] | Schedule | None = None,
    seed: int | None = 0,
    progress: Progress | None = None,
) -> Recording:
    """Run `policy` in all rows of `env` for `seconds` and return what row `row` did.

    `command` is one velocity command for the whole time, or a schedule of (seconds, command), or
    None to let the task draw its own. Raises ValueError for a row or a duration out of range or a
    command in a task that has none.
    """
    steps = max(1, round(seconds / env.control_dt))
    if not 0 <= row < env.num_envs:
        raise ValueError(f"row: expected 0 to {env.num_envs - 1}, got {row}")
    if not seconds > 0:
        raise ValueError(f"seconds: expected a positive duration, got {seconds}")
    schedule = _schedule(env, command)
    go_on(env, policy)
    for name in RECORDED_SIGNALS:  # a signal that is asked for the first time is filled by the reset
        read_signal(env, name)
    observations, _ = env.reset(seed=seed)
    forget(policy)
    rows = _run(env, policy, observations, steps, row, schedule, progress)
    if command is not None:
        env.set_command(None)
    return _assemble(env, {name: np.stack(values) for name, values in rows.items()})


def _run(
    env: VectorEnv,
    policy: Policy,
    observations: Array,
    steps: int,
    row: int,
    schedule: list[tuple[float, Sequence[float]]],
    progress: Progress | None,
) -> dict[str, list[Array]]:
    """Step the environment and return what was seen in each step, by field of the recording."""
    rows: dict[str, list[Array]] = {}
    for t in range(steps):
        if schedule and t * env.control_dt >= schedule[0][0] - 1e-9:
            env.set_command(np.asarray(schedule.pop(0)[1], np.float32))
        before = _state(env, row) | _values(env, policy, row)
        action = np.asarray(policy(observations), np.float32)
        observations, _, terminated, truncated, _ = env.step(action)
        forget(policy, terminated | truncated)
        ended = {"terminated": terminated[row].copy(), "truncated": truncated[row].copy()}
        seen = before | _outcome(env, row) | ended | {"action": action[row].copy()}
        for name, value in seen.items():
            rows.setdefault(name, []).append(value)
        if progress is not None:
            progress("recording", (t + 1) / steps)
    return rows


def _schedule(env: VectorEnv, command: Sequence[float] | Schedule | None) -> list[tuple[float, Sequence[float]]]:
    """Return the schedule as a sorted list; one command is a schedule with one entry."""
    if command is None or len(command) == 0:
        return []
    width = env.command.shape[1]
    if width == 0:
        raise ValueError("command: this task has no command, leave it out")
    first: Any = command[0]
    entries: Any = command if isinstance(first, (tuple, list)) else [(0.0, command)]
    for _, target in entries:
        if len(target) != width:
            raise ValueError(f"command: expected {width} numbers (forward, lateral, turn), got {list(target)}")
    return sorted(((float(t), tuple(c)) for t, c in entries), key=lambda entry: entry[0])


def _state(env: VectorEnv, row: int) -> dict[str, Array]:
    state = {"qpos": np.array(env.batch.bind("qpos")[row]), "command": env.command[row].copy()}
    for name in RECORDED_SIGNALS:
        value = read_signal(env, name)
        if value is not None:
            state[f"signals.{name}"] = np.array(value[row], np.float32)
    return state


def _values(env: VectorEnv, policy: Policy, row: int) -> dict[str, Array]:
    """Return the critic's values if the policy brings its critic along."""
    values: Callable[[Array, Array], Array] | None = getattr(policy, "values", None)
    if values is None:
        return {"values": np.zeros(0, np.float32)}
    return {"values": np.array(np.asarray(values(env.observations, env.critic_observations))[row], np.float32)}


def _outcome(env: VectorEnv, row: int) -> dict[str, Array]:
    return {name: getattr(env, name)[row].copy() for name in ("raw", "weighted", "channels", "metrics")}


def _assemble(env: VectorEnv, arrays: dict[str, Array]) -> Recording:
    signals = {k.removeprefix("signals."): v for k, v in arrays.items() if k.startswith("signals.")}
    plain = {k: v for k, v in arrays.items() if not k.startswith("signals.")}
    return Recording(
        time=np.arange(len(plain["qpos"])) * env.control_dt,
        control_dt=float(env.control_dt),
        signals=signals,
        term_names=tuple(env.term_names),
        channel_names=tuple(env.channel_names),
        metric_names=tuple(env.metric_names),
        joint_names=tuple(env.robot.joints),
        foot_names=tuple(env.robot.feet),
        robot=env.robot.name,
        task=env.task.name,
        **plain,
    )
