"""Things of a scene that a request does not name: planners need not imagine that they lie on the table."""

from __future__ import annotations

import re
from collections.abc import Iterable

import mujoco
import numpy as np

from ..envs.model import BuiltModel

ROBOT = 2
"""The collision bit of shapes that meet even a frozen thing."""


def things(built: BuiltModel) -> frozenset[str]:
    """Return the names of all bodies that are free to move, but for the robot's base."""
    model = built.model
    free = np.flatnonzero(model.jnt_type == int(mujoco.mjtJoint.mjJNT_FREE))
    own = {int(j) for j in free if model.jnt_qposadr[j] == built.base_qpos}
    return frozenset(model.body(int(model.jnt_bodyid[j])).name for j in free if int(j) not in own)


def unnamed(built: BuiltModel, addresses: Iterable[str]) -> frozenset[str]:
    """Return the things that no address names."""
    words = {word for address in addresses for word in re.split(r"[.-]", address)}
    return things(built) - words


def freeze(built: BuiltModel, names: Iterable[str]) -> None:
    """Let things hover where they are, so that they touch nothing but the robot: twice as many steps in a second."""
    model = built.model
    for name in names:
        body = model.body(name).id
        model.body_gravcomp[body] = 1.0
        shapes = model.geom_bodyid == body
        solid = shapes & ((model.geom_contype | model.geom_conaffinity) != 0)
        model.geom_contype[shapes], model.geom_conaffinity[solid] = 0, ROBOT
