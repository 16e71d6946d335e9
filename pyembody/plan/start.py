"""Where the things of a scene stand when a trial begins."""

from __future__ import annotations

import math

import mujoco
import numpy as np
from numpy.typing import NDArray

from .suite import StartNoise

Floats = NDArray[np.float64]
TRIES = 1000


def place_things(
    model: mujoco.MjModel, qpos: Floats, start: StartNoise, lies: str, rng: np.random.Generator
) -> None:
    """Write the poses of all things into `qpos` `[nq]`: near their places, apart from each other, turned at random.

    `lies` names one that lies on its side. Raises ValueError where the things have no room.
    """
    if not start.things:
        return
    spots = _spots(start, rng)
    for (name, thing), (x, y) in zip(start.things.items(), spots, strict=True):
        address = int(model.joint(name).qposadr[0])
        half = rng.uniform(-math.pi, math.pi) / 2
        tilt = math.pi / 4 if name == lies else 0.0
        height = thing.lying_z if name == lies else thing.at[2]
        qpos[address : address + 3] = x, y, height
        qpos[address + 3 : address + 7] = (
            math.cos(half) * math.cos(tilt), math.cos(half) * math.sin(tilt),
            math.sin(half) * math.sin(tilt), math.sin(half) * math.cos(tilt),
        )


def _spots(start: StartNoise, rng: np.random.Generator) -> Floats:
    """Places `[things, 2]` in m, drawn again until all are far enough apart."""
    things = list(start.things.values())
    home = np.array([thing.at[:2] for thing in things])
    radius = np.array([thing.radius for thing in things])
    least = radius[:, None] + radius + start.gap_m
    np.fill_diagonal(least, 0.0)
    for _ in range(TRIES):
        spots: Floats = home + rng.uniform(-start.thing_noise_m, start.thing_noise_m, home.shape)
        if (np.linalg.norm(spots[:, None] - spots, axis=2) >= least).all():
            return spots
    raise ValueError(f"start.things: expected places that are {start.gap_m:g} m apart, got none in {TRIES} tries")
