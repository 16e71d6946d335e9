"""A small table over a picture: time, command and what the robot does of it.

Velocities are means of the last half second. The measured one is green while it is within `slack` of the command and
orange otherwise; everything else is neutral.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..analysis.record import Recording
from ..spec.extra import need

Array = npt.NDArray[Any]

INK = (238, 242, 247, 255)
FAINT = (176, 188, 204, 255)
NEAR = (126, 214, 168, 255)
FAR = (255, 170, 92, 255)
PANEL = (14, 20, 30, 170)
SHARE, LEAST_VELOCITY, LEAST_TURN = 0.25, 0.05, 0.05
"""How close is close, as for success in the velocity task: a share of the commanded speed, at least m/s and rad/s."""
WINDOW_S = 0.5
"""About a gait cycle: within one, the trunk sways."""
COLUMN = 6.2  # widths of a column, in letters' heights


def slack(command: Array) -> Array:
    """Return how far off [..., 3] a command [..., 3] velocities may be: forward, lateral (m/s) and turning (rad/s).

    Forward and lateral share that of their common speed: who walks straight may sway a little.
    """
    speed = np.linalg.norm(command[..., :2], axis=-1, keepdims=True)
    straight = np.maximum(SHARE * speed, LEAST_VELOCITY)
    turning = np.maximum(SHARE * np.abs(command[..., 2:]), LEAST_TURN)
    return np.concatenate([straight, straight, turning], axis=-1)


class Overlay:
    """Draws a recording's time, command and measured velocity onto frames of one size."""

    def __init__(self, recording: Recording, width: int, height: int) -> None:
        self._recording, self._measured = recording, recording.measured()
        self._window = max(1, round(WINDOW_S / recording.control_dt))
        self._image, self._draw = need("PIL.Image", "a video"), need("PIL.ImageDraw", "a video")
        size = max(10, round(height / 27))
        self._font = need("PIL.ImageFont", "a video").load_default(size)
        self._size, self._width, self._height = size, width, height

    def draw(self, frame: Array, t: int) -> Array:
        """Return `frame` [height, width, 3] uint8 with the text of step `t`."""
        rows = self._rows(t)
        pad, line = self._size * 0.6, self._size * 1.4
        tall = line * len(rows) + pad
        wide = pad * 2 + self._size * (5.4 + COLUMN * max(len(row) - 1 for row in rows))
        picture = self._image.fromarray(frame)
        panel = self._image.new("RGBA", (self._width, self._height), (0, 0, 0, 0))
        draw = self._draw.Draw(panel)
        top = left = self._size * 0.8  # a player's own controls lie at the bottom
        draw.rounded_rectangle((left, top, left + wide, top + tall), self._size * 0.5, fill=PANEL)
        for k, row in enumerate(rows):
            y = top + pad / 2 + line * (k + 0.5)
            for column, (text, colour) in enumerate(row):
                x = left + pad + (0 if column == 0 else self._size * (5.4 + COLUMN * (column - 1)))
                draw.text((x, y), text, fill=colour, font=self._font, anchor="lm")
        picture.paste(panel, (0, 0), panel)
        return np.asarray(picture)

    def _rows(self, t: int) -> list[list[tuple[str, tuple[int, int, int, int]]]]:
        """Return lines of coloured columns."""
        recording = self._recording
        clock = f"{recording.time[t]:5.2f} s"
        if recording.command.shape[1] != 3:
            return [[("time", FAINT), (clock, INK)]]
        last = slice(max(0, t + 1 - self._window), t + 1)
        command = recording.command[last].mean(axis=0)
        head = [(clock, INK), ("forward m/s", FAINT), ("lateral m/s", FAINT), ("turn rad/s", FAINT)]
        rows = [head, [("command", FAINT)] + [(f"{v:+.2f}", INK) for v in command]]
        if self._measured is not None:
            measured = self._measured[last].mean(axis=0)
            near = np.abs(measured - command) <= slack(command)
            cells = [(f"{v:+.2f}", NEAR if ok else FAR) for v, ok in zip(measured, near, strict=True)]
            rows.append([("measured", FAINT), *cells])
        return rows
