"""Frames: which names of frames mean something in a table of signals."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from ..spec.errors import SpecError, nearest, unknown
from ..spec.signal import Signal

FRAMES = ("world", "body", "yaw")
BODIES = "bodies"
"""The axis whose labels are bodies, and so frames."""
TYPO = 0.75
"""How alike a body's name and one of ours may be before it is taken for a slip of the pen, from 0 to 1."""


def check_frames(signals: Mapping[str, Signal]) -> None:
    """Raise SpecError, with the nearest legal name, for a frame that is none of ours and no body's.

    A body's frame is introduced by a quat that has it as `local`, or by a label of the axis `bodies`.
    """
    labels = {label for s in signals.values() if s.axis == BODIES for label in s.labels}
    turned = {s.local for s in signals.values() if s.local}
    used = {s.frame for s in signals.values() if s.frame}
    for signal in signals.values():
        place = f"signal {signal.name}"
        frame, local = signal.frame, signal.local
        if frame and frame not in FRAMES and frame not in labels | turned:
            close = unknown(f"{place}: frame", "frame", frame, [*FRAMES, *labels, *turned])
            raise SpecError(f"{close}; a quat with local = '{frame}' makes it one")
        if local and local not in FRAMES and local not in labels | used and get_close_matches(local, FRAMES, 1, TYPO):
            raise SpecError(f"{place}: local: unknown frame '{local}'{nearest(local, FRAMES)}")
