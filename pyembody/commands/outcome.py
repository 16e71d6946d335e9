"""What a run has to show: its evaluation, a recorded tour, the video, the rerun recording and the
report.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import mujoco

    from ..analysis import Evaluation, Recording
    from ..envs import VectorEnv
    from ..learn import RunSpec
    from ..spec.task import Command

EVALUATION, VIDEO, RECORDING = "evaluation.json", "video.mp4", "recording.rrd"
SHORT_EPISODES = 64
TOUR_S = 18.0
TOUR: tuple[tuple[float, tuple[float, float, float]], ...] = (
    (0.0, (0.0, 0.0, 0.0)),
    (2.0, (0.8, 0.0, 0.0)),
    (7.0, (0.5, 0.0, 0.8)),
    (10.0, (0.0, 0.4, 0.0)),
    (13.0, (-0.5, 0.0, 0.0)),
    (16.0, (0.0, 0.0, 0.0)),
)
"""Seconds and velocity commands of the shown tour: stand, ahead, curve, sideways, back, stand."""


def run_env(spec: RunSpec, num_envs: int, *, execution: bool = False) -> VectorEnv:
    """Return environments of the run's own task and robot."""
    from ..envs import VectorEnv

    env = VectorEnv(spec.task, spec.robot, num_envs, seed=spec.seed, execution=execution)
    env.frozen_statistics = True
    return env


def short_evaluation(run: Path, spec: RunSpec) -> Evaluation:
    """Evaluate the run's newest policy in a few episodes and write evaluation.json."""
    from ..analysis import evaluate
    from ..learn import load_policy
    from .files import write_json

    env = run_env(spec, SHORT_EPISODES)
    held = asked_command(spec)
    evaluation = evaluate(env, load_policy(run), SHORT_EPISODES, held=held, progress=status_line())
    env.close()
    write_json(run / EVALUATION, evaluation.to_json())
    return evaluation


def asked_command(spec: RunSpec) -> tuple[float, ...] | None:
    """Return the fullest command of a run whose sentence set commands, None for other runs."""
    from ..language import find_language

    command = spec.task.command
    language = find_language(spec.task.folder) if spec.edits else None
    if command is None or language is None:
        return None
    return fullest(command) if any(edit.get("parameter") in language.axes for edit in spec.edits) else None


def fullest(command: Command) -> tuple[float, ...]:
    """Return the end of each range that is further from 0, the upper one of two alike."""
    return tuple(hi if hi >= -lo else lo for lo, hi in zip(command.low, command.high, strict=True))


def tour(command: Command | None) -> list[tuple[float, tuple[float, ...]]] | None:
    """Return the shown commands, each within the task's range; None for a task without commands.

    Where only one velocity is trained, as after "walk at 0.5 m/s", that velocity is shown at its fullest.
    """
    if command is None:
        return None
    low, high = command.low, command.high
    most = fullest(command)
    shown: tuple[tuple[float, tuple[float, ...]], ...] = TOUR
    if sum(v != 0 for v in most) == 1:
        shown = ((0.0, TOUR[0][1]), (2.0, most), (TOUR_S - 3, TOUR[-1][1]))
    return [
        (time, tuple(min(max(v, lo), hi) for v, lo, hi in zip(target, low, high, strict=True)))
        for time, target in shown
    ]


def record_run(
    source: Path, spec: RunSpec, seconds: float = TOUR_S, command: Sequence[float] | None = None, skill: str = ""
) -> Recording:
    """Record one robot under the policy at `source`, on a tour of commands or one fixed command, with a fixed skill."""
    from ..analysis import record
    from ..learn import load_policy
    from .skill import hold_skill

    env = run_env(spec, 1)
    hold_skill(env, skill)
    chosen: Any = tour(spec.task.command) if command is None else command
    policy, progress = load_policy(source), status_line()
    recording = record(env, policy, seconds=seconds, command=chosen, progress=progress)
    env.close()
    return recording


def picture_model(spec: RunSpec) -> mujoco.MjModel:
    """Return the robot's model with the shapes that are only looked at."""
    from ..envs.model import build_model

    return build_model(spec.robot, spec.task, visual=True).model


def write_pictures(run: Path, spec: RunSpec) -> list[str]:
    """Write video.mp4, recording.rrd and the episode as arrays; return a line for each, or why it was left out."""
    from ..viz import render_video, write_rrd
    from ..viz.run_files import EPISODE

    recording, model = record_run(run, spec), picture_model(spec)
    recording.save(run / EPISODE)
    return [
        _optional("video", lambda: render_video(recording, model, run / VIDEO, progress=status_line())),
        _optional(
            "recording",
            lambda: write_rrd(recording, model, run / RECORDING, progress=status_line()),
        ),
    ]


def write_page(run: Path) -> str:
    """Write the report; return the line that says where it is, or why it was left out."""
    from ..viz import write_report

    return _optional("report", lambda: write_report(run))


def _optional(name: str, make: Callable[[], Path]) -> str:
    """Make a file that needs an optional package.

    Without the package the run is still worth its evaluation.
    """
    try:
        return f"{name}: {make()}"
    except ImportError as error:
        return f"{name}: left out, {error}"


def status_line() -> Callable[[str, float], None] | None:
    """Return a progress function that rewrites one line of the terminal, None when the output is
    no terminal.
    """
    if not sys.stdout.isatty():
        return None
    return functools.partial(_draw, {"shown": ""})


def _draw(last: dict[str, str], what: str, share: float) -> None:
    text = f"{what} {100 * share:3.0f} %"
    if text != last["shown"]:
        last["shown"] = text
        print(f"\r{text:<40}", end="\r" if share >= 1 else "", flush=True)
