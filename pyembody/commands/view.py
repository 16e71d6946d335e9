"""`pyembody view`: a video and a rerun recording of what a policy does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from .checks import positive
from .failure import CommandError
from .locate import Located, locate

Renderer = Literal["raycast", "mujoco"]


@dataclass(frozen=True)
class View:
    """Record a run's robot and write an MP4 video and a rerun recording (.rrd) of it."""

    path: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RUN")] = "latest"
    """A run folder, a checkpoint folder, or 'latest'."""
    seconds: float = 18.0
    """Length of the recording."""
    command: str = ""
    """One velocity command for the whole time, "forward lateral turn" in m/s and rad/s; empty: a
    tour of commands."""
    renderer: Renderer = "raycast"
    """raycast needs no OpenGL; mujoco uses MuJoCo's own renderer where OpenGL is present."""
    out: Path | None = None
    """Where to write the video; the recording is written beside it.

    Default: video.mp4 in the run folder.
    """
    runs: Path = Path("runs")
    """Folder of the runs, for 'latest'."""

    def run(self) -> int:
        """Record, render, write; print where both files are."""
        from ..learn import read_run
        from ..viz import render_video, write_rrd
        from ..viz.extra import need
        from . import outcome
        from .outcome import RECORDING, VIDEO

        positive("seconds", self.seconds)
        command = parse_command(self.command)
        located = locate(self.path, self.runs)
        for module, purpose in (("av", "a video"), ("rerun", "a rerun recording")):
            need(module, purpose)  # before the work, not after it
        video, rrd = self._targets(located, VIDEO, RECORDING)
        spec = read_run(located.folder)
        recording = outcome.record_run(located.source, spec, self.seconds, command)
        renderer: Literal["rays", "mujoco"] = "rays" if self.renderer == "raycast" else "mujoco"
        model, progress = outcome.picture_model(spec), outcome.status_line()
        render_video(recording, model, video, renderer=renderer, progress=progress)
        print(f"video: {video}")
        print(f"recording: {write_rrd(recording, model, rrd, progress=progress)}")
        print(f"next: rerun {rrd}")
        return 0

    def _targets(self, located: Located, video: str, recording: str) -> tuple[Path, Path]:
        from .files import check_writable

        if self.out is not None and self.out.suffix != ".mp4":
            raise CommandError(f"--out: expected a file ending in .mp4, got {self.out}")
        path = self.out or located.folder / video
        check_writable(path)
        return path, path.with_suffix(".rrd") if self.out else located.folder / recording


def parse_command(text: str) -> tuple[float, ...] | None:
    """Return the three numbers of "forward lateral turn", None for an empty text.

    Raises CommandError.
    """
    if not text.strip():
        return None
    try:
        numbers = tuple(float(part) for part in text.replace(",", " ").split())
    except ValueError:
        numbers = ()
    if len(numbers) != 3 or any(abs(x) > 100 or x != x for x in numbers):
        raise CommandError(f'--command: expected three numbers such as "0.5 0 0", got "{text}"')
    return numbers
