"""The signals that behaviours are written in, and their arrays, read from a simulated state or from a whole trace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

import numpy as np
from numpy.typing import NDArray

from ..envs.model import BuiltModel
from ..envs.provided import provided_signals
from ..spec.robot import Robot
from ..spec.signal import Signal
from ..spec.task import Task
from ..spec.vocabulary import Vocabulary

Floats = NDArray[np.float64]
FLAT = Task(name="behaviour", observations={}, channels={})
UNITS = {"position": "rad", "torque": "N m", "motor": "1"}


def behaviour_signals(robot: Robot, built: BuiltModel) -> dict[str, Signal]:
    """Return every signal of a planned behaviour by name.

    Beside the robot's: `ctrl` and `prev_ctrl`, the control now and before; `gait_cycles` of each foot, integrated from
    its frequency; `time_in_stage`; and `floor_contact` of each body, which only scores and stages see.
    """
    constants = {name: s.values for name, s in built.sources.items() if s.values}
    unit = UNITS[robot.control.kind]
    own = [
        Signal("ctrl", axis="joints", labels=robot.joints, unit=unit),
        Signal("prev_ctrl", axis="joints", labels=robot.joints, unit=unit),
        Signal("time_in_stage", unit="s"),
        Signal("floor_contact", "bool", axis="bodies", labels=body_names(built)),
    ]
    if robot.feet:
        own.append(Signal("gait_cycles", axis="feet", labels=robot.feet))
    return provided_signals(robot, FLAT, constants) | {s.name: s for s in own}


def body_names(built: BuiltModel) -> tuple[str, ...]:
    """Return the names of all bodies that move."""
    return tuple(built.model.body(i).name for i in range(1, built.model.nbody))


def signal_arrays(
    built: BuiltModel, fields: Mapping[str, Floats], own: Mapping[str, NDArray[np.float64]], inputs: Iterable[Signal]
) -> dict[str, NDArray[np.float64]]:
    """Return arrays `[K, lanes]` of signals from the simulator's fields `[K, n]` and arrays of one's own."""
    arrays: dict[str, NDArray[np.float64]] = {}
    for signal in inputs:
        source = built.sources.get(signal.name)
        if source is None:
            arrays[signal.name] = own[signal.name]
        else:
            arrays[signal.name] = np.ascontiguousarray(fields[source.field][:, list(source.columns)])
    return arrays


def synergy_rows(vocabulary: Vocabulary, robot: Robot) -> Floats:
    """Return the vocabulary's synergies `[S, A]` in the order of the robot's joints."""
    rows = [
        [sum(v for pattern, v in moves.items() if fnmatchcase(joint, pattern)) for joint in robot.joints]
        for moves in vocabulary.synergies.values()
    ]
    return np.array(rows, np.float64).reshape(len(rows), len(robot.joints))
