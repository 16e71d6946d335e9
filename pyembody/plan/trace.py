"""What a behaviour did: the executed state at every control tick."""

from __future__ import annotations

from dataclasses import dataclass, field

import mujoco
import numpy as np
from numpy.typing import NDArray

from ..envs.model import BuiltModel

Floats = NDArray[np.float64]
FIELDS = ("qpos", "qvel", "sensordata", "qfrc_actuator")


@dataclass
class Trace:
    """Rows of one episode, one a control tick: the simulator's fields, controls `[A]`, gait cycles `[feet]`, which
    bodies touch the floor, and the stage's number. `late_s` and `plan_s` have a number a plan.
    """

    fields: dict[str, list[Floats]] = field(default_factory=lambda: {name: [] for name in FIELDS})
    controls: list[Floats] = field(default_factory=list)
    cycles: list[Floats] = field(default_factory=list)
    floor: list[Floats] = field(default_factory=list)
    stages: list[int] = field(default_factory=list)
    plan_s: list[float] = field(default_factory=list)
    late_s: list[float] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.controls)

    def add(self, built: BuiltModel, data: mujoco.MjData, control: Floats, cycles: Floats, stage: int) -> None:
        """Append the present state, whose derived fields must be current."""
        for name in FIELDS:
            self.fields[name].append(np.array(getattr(data, name)))
        self.controls.append(control.copy())
        self.cycles.append(cycles.copy())
        self.floor.append(floor_contacts(built, data))
        self.stages.append(stage)

    def arrays(self, begin: int = 0) -> tuple[dict[str, Floats], dict[str, Floats]]:
        """Return the simulator's fields `[K, n]` and the behaviour's own signals `[K, lanes]` from a tick on."""
        controls = np.array(self.controls)
        before = np.concatenate([controls[:1], controls[:-1]])
        own = {
            "ctrl": controls[begin:], "prev_ctrl": before[begin:], "gait_cycles": np.array(self.cycles[begin:]),
            "floor_contact": np.array(self.floor[begin:]), "time_in_stage": np.zeros((len(self) - begin, 1)),
        }
        return {name: np.array(rows[begin:]) for name, rows in self.fields.items()}, own


def floor_contacts(built: BuiltModel, data: mujoco.MjData) -> Floats:
    """Return for each body but the world (`[nbody - 1]`) whether it touches the floor, 0 or 1."""
    touching = np.zeros(built.model.nbody - 1)
    for contact in data.contact:
        a, b = int(contact.geom1), int(contact.geom2)
        if built.floor_geom in (a, b) and contact.dist <= 0.0:
            other = b if a == built.floor_geom else a
            body = int(built.model.geom_bodyid[other])
            if body:
                touching[body - 1] = 1.0
    return touching
