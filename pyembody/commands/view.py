"""`pyembody view`: a video and a rerun recording of what a policy does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .checks import positive
from .failure import CommandError
from .locate import Located, locate
from .options import OptionalPath, RunPath, Text

if TYPE_CHECKING:
    from ..spec.task import Command

Renderer = Literal["raycast", "mujoco"]
EXPECTED = 'expected three numbers, forward and lateral in m/s and turn in rad/s, such as "0.5 0 0"'
MAX_COMMAND = 100.0
SLACK = 1e-6  # an edit's unit may have been converted


@dataclass(frozen=True)
class View:
    """Record a run's robot and write an MP4 video and a rerun recording (.rrd) of it."""

    path: RunPath = "latest"
    """A run folder, a checkpoint folder, or 'latest'."""
    seconds: float = 18.0
    """Length of the recording."""
    command: Text = ""
    """One velocity command for the whole time, "forward lateral turn" in m/s and rad/s, such as "0.5 0 0"; by default
    a tour of commands."""
    skill: Text = ""
    """One skill for the whole time, of a task that has them: its number, or a direction such as "0.6 -0.8"; by default
    one for each episode, drawn by the seed."""
    renderer: Renderer = "raycast"
    """raycast needs no OpenGL; mujoco uses MuJoCo's own renderer where OpenGL is present."""
    out: OptionalPath = None
    """Where to write the video, with the recording beside it; by default in the run folder: video.mp4, or with
    --command, --skill or of an older checkpoint a name that says so."""
    runs: Path = Path("runs")
    """Folder of the runs, for 'latest'."""

    def run(self) -> int:
        """Record, render, write; print where both files are."""
        from ..learn import read_run
        from ..spec.extra import need
        from ..viz import render_video, write_rrd
        from . import outcome
        from .skill import check_skill

        positive("seconds", self.seconds)
        command = parse_command(self.command)
        located = locate(self.path, self.runs)
        for module, purpose in (("av", "a video"), ("rerun", "a rerun recording")):
            need(module, purpose)  # before the work, not after it
        video, rrd = self.targets(located)
        spec = read_run(located.folder)
        check_skill(spec.task, self.skill)
        if command and spec.task.command and (far := outside(command, spec.task.command)):
            print(f"note: outside what was trained: {far}")
        recording = outcome.record_run(located.source, spec, self.seconds, command, self.skill)
        model, progress = outcome.picture_model(spec), outcome.status_line()
        render_video(recording, model, video, renderer=self.renderer, progress=progress)
        print(f"video: {video}")
        print(f"recording: {write_rrd(recording, model, rrd, progress=progress)}")
        print(f"next: rerun {rrd}")
        return 0

    def targets(self, located: Located) -> tuple[Path, Path]:
        """Where the two files go: the run's own names only for what the run itself shows."""
        from .files import check_writable
        from .outcome import RECORDING, VIDEO
        from .skill import numbers

        if self.out is not None and self.out.suffix != ".mp4":
            raise CommandError(f"--out: expected a file ending in .mp4, got {self.out}")
        parts = [] if located.source == located.folder else [f"checkpoint_{located.source.name}"]
        if command := parse_command(self.command):
            parts.append("command_" + "_".join(f"{v:g}" for v in command))
        if self.skill.strip():
            parts.append("skill_" + "_".join(f"{v:g}" for v in numbers(self.skill)))
        own = located.folder / ("_".join(parts) + ".mp4" if parts else VIDEO)
        path = self.out or own
        check_writable(path)
        return path, path.with_suffix(".rrd") if self.out or parts else located.folder / RECORDING


def parse_command(text: str) -> tuple[float, ...] | None:
    """Return the three numbers of "forward lateral turn", None for an empty text.

    Raises CommandError saying what is wrong: a word that is no number, or how many numbers there are.
    """
    if not text.strip():
        return None
    parts = text.replace(",", " ").split()
    if len(parts) != 3:
        raise CommandError(f'--command: {EXPECTED}, got {len(parts)}: "{text}"')
    return tuple(_number(part) for part in parts)


def _number(part: str) -> float:
    try:
        number = float(part)
    except ValueError:
        raise CommandError(f"--command: {EXPECTED}; '{part}' is no number") from None
    if not abs(number) <= MAX_COMMAND:
        raise CommandError(f"--command: {EXPECTED}, each within {MAX_COMMAND:g} of zero, got {part}")
    return number


def outside(command: Sequence[float], trained: Command) -> str:
    """Return which parts of a command lie outside what was trained, with the range; empty if none."""
    ranges = zip(("forward", "lateral", "turn"), command, trained.low, trained.high, strict=True)
    return ", ".join(
        f"{name} {v:g} (trained: {lo:g} to {hi:g})" for name, v, lo, hi in ranges if not lo - SLACK <= v <= hi + SLACK
    )
