"""How a legged robot walks: swings, duty, what touches the ground, how high the base is carried."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import mujoco
import numpy as np
import numpy.typing as npt
from mujoco.batch import Batch

from ..envs.model import build_model
from .signals import CONTACT_FORCE, need_signal, read_signal
from .statistics import Mean, Rate, bootstrap_mean, percentiles, wilson

if TYPE_CHECKING:
    from ..envs.vector import VectorEnv

Array = npt.NDArray[Any]

FOLLOWED = ("foot_pos", "foot_force", "base_pos")
CLEARANCE = 0.02  # m that a swing should rise
MIN_SWING = 2  # control steps; a shorter loss of contact is chatter, not a swing
TOUCH = 1e-3  # m; a shape this close to the floor touches it
MOVING = 0.1  # norm of a command from which on the robot is asked to walk
LOOK_EVERY = 4  # control steps between two looks at what touches the ground
STAND_S, SETTLE_S = 6.0, 2.0


@dataclass(frozen=True)
class Gait:
    """Gait facts; a field is None where the robot does not provide what it needs.

    `clear_swings` share of swings whose peak rises at least 2 cm above the place the foot
    left; `swing_peak` mean peak in m, `swing_percentiles` of the same, `foot_peaks` mean of
    each foot; `step_frequency` Hz, swings of a foot per second of walking; `duty` share of
    walking steps each foot is down; `only_feet` share of steps
    in which nothing but feet touches flat ground; `base_height` mean in m and
    `height_ratio` relative to nominal; `drift` m/s and `all_feet_down` share of steps while
    standing at a zero command.
    """

    clear_swings: Rate
    swing_peak: Mean
    swing_percentiles: dict[str, float]
    foot_peaks: dict[str, float]
    duty: dict[str, float]
    only_feet: float | None
    base_height: float
    height_ratio: float | None
    drift: Mean | None = None
    all_feet_down: float | None = None
    step_frequency: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the facts by name."""
        return {
            "clear_swings": self.clear_swings.to_json(),
            "swing_peak": self.swing_peak.to_json(),
            "swing_percentiles": self.swing_percentiles,
            "foot_peaks": self.foot_peaks,
            "duty": self.duty,
            "only_feet": self.only_feet,
            "base_height": self.base_height,
            "height_ratio": self.height_ratio,
            "drift": None if self.drift is None else self.drift.to_json(),
            "all_feet_down": self.all_feet_down,
            "step_frequency": self.step_frequency,
        }


class GaitTracker:
    """Follows the feet of all rows step by step. Call `start` after a reset, `update` after every
    step.
    """

    def __init__(self, env: VectorEnv) -> None:
        self._env, feet = env, len(env.robot.feet)
        self._uneven = read_signal(env, "ground_height") is not None
        self._shapes = None
        if env.task.terrain.kind == "flat":
            whole = build_model(env.robot, env.task, visual=True).model
            self._shapes = Shapes(whole, env.robot.feet, env.num_envs)
        self._peaks: list[Array] = []
        self._feet: list[Array] = []
        self._down, self._walking, self._steps = np.zeros(feet), 0, 0
        self._age, self._looked, self._clean = 0, 0, 0
        self._height = 0.0
        self._signals()

    @staticmethod
    def fits(env: VectorEnv) -> bool:
        """Return whether the robot has feet and a base to follow."""
        return bool(env.robot.feet) and all(read_signal(env, name) is not None for name in FOLLOWED)

    def start(self) -> None:
        """Forget unfinished swings."""
        height, contact, _ = self._signals()
        self._left = height.copy()  # height of each foot where it was last down
        self._peak = np.full(height.shape, -np.inf)
        self._air = np.zeros(height.shape, np.int64)
        self._stepped = contact.copy()  # whether the present swing began from the ground

    def update(self, alive: Array) -> None:
        """Take in the state after a step; `alive` [N] bool are the rows still in the episode they
        are judged by.
        """
        height, contact, base = self._signals()
        landed = contact & self._stepped & (self._air >= MIN_SWING) & alive[:, None]
        if landed.any():
            self._peaks.append((self._peak - self._left)[landed])
            self._feet.append(np.nonzero(landed)[1])
        self._air = np.where(contact, 0, self._air + 1)
        self._peak = np.where(contact, -np.inf, np.maximum(self._peak, height))
        self._left = np.where(contact, height, self._left)
        self._stepped |= contact

        self._steps += int(alive.sum())
        self._height += float(base[alive].sum())
        walking = alive & self._asked_to_walk()
        self._walking += int(walking.sum())
        self._down += contact[walking].sum(axis=0)
        self._age += 1
        if self._shapes is not None and self._age % LOOK_EVERY == 0:
            lowest = self._shapes.lowest(self._env.batch.bind("qpos"))
            self._looked += int(alive.sum())
            self._clean += int((lowest[alive] > TOUCH).sum())

    def finish(self) -> Gait:
        """Return the facts gathered since the tracker was made."""
        peaks = np.concatenate(self._peaks) if self._peaks else np.zeros(0)
        foot = np.concatenate(self._feet) if self._feet else np.zeros(0, int)
        robot, steps = self._env.robot, max(self._steps, 1)
        nominal = robot.nominal.get("base_height", robot.base_height)
        height, walking = self._height / steps, self._walking * self._env.control_dt
        return Gait(
            clear_swings=wilson(int((peaks >= CLEARANCE).sum()), peaks.size),
            swing_peak=bootstrap_mean(peaks),
            swing_percentiles={k: v for k, v in percentiles(peaks).items() if peaks.size},
            foot_peaks={name: float(peaks[foot == k].mean()) for k, name in enumerate(robot.feet) if (foot == k).any()},
            duty={f: float(d / max(self._walking, 1)) for f, d in zip(robot.feet, self._down, strict=True)},
            only_feet=self._clean / self._looked if self._looked else None,
            base_height=height,
            height_ratio=height / nominal if nominal > 0 else None,
            step_frequency=peaks.size / len(robot.feet) / walking if walking > 0 else None,
        )

    def _signals(self) -> tuple[Array, Array, Array]:
        """Return the feet's heights [N, F] m, their contacts [N, F] and the base's height over
        ground [N] m.
        """
        env = self._env
        position, force, base = (need_signal(env, name) for name in FOLLOWED)
        below = need_signal(env, "ground_height")[:, 0] if self._uneven else 0.0
        return (
            position.reshape(env.num_envs, -1, 3)[:, :, 2],
            force > CONTACT_FORCE,
            base[:, 2] - below,
        )

    def _asked_to_walk(self) -> Array:
        command = self._env.command
        if command.shape[1] == 0:
            return np.ones(self._env.num_envs, bool)
        asked: Array = np.linalg.norm(command, axis=1) > MOVING
        return asked


class Shapes:
    """The lowest point of everything that is not a foot, in N configurations at once.

    Geometry rather than contacts, because a training model lets only feet and trunk collide. Meshes
    count by their bounding boxes, and only those that collide.
    """

    def __init__(self, model: mujoco.MjModel, feet: tuple[str, ...], count: int) -> None:
        plane, mesh = int(mujoco.mjtGeom.mjGEOM_PLANE), int(mujoco.mjtGeom.mjGEOM_MESH)
        own = {model.geom(name).id for name in feet}
        collides = (model.geom_contype | model.geom_conaffinity) != 0
        kind, moves = model.geom_type, model.body_weldid[model.geom_bodyid] != 0
        chosen = moves & (kind != plane) & ((kind != mesh) | collides)
        self._geoms = np.array([g for g in np.flatnonzero(chosen) if g not in own], int)
        self._kind, self._size = kind[self._geoms], model.geom_size[self._geoms]
        self._centre, self._half = np.split(model.geom_aabb[self._geoms], 2, axis=1)
        floor = model.geom_pos[~moves & (kind == plane), 2]
        self._floor = float(floor.max()) if floor.size else 0.0
        self._batch = Batch(model, count)
        self._qpos = self._batch.bind("qpos")
        self._position, self._matrix = self._batch.bind("geom_xpos"), self._batch.bind("geom_xmat")

    def lowest(self, qpos: Array) -> Array:
        """Return the height [N] m above the floor of the lowest point of any shape at `qpos` [N,
        nq].
        """
        self._qpos[:] = qpos
        self._batch.forward(stage=mujoco.mjtStage.mjSTAGE_POS.value)
        position = self._position.reshape(len(qpos), -1, 3)[:, self._geoms]
        down = self._matrix.reshape(len(qpos), -1, 3, 3)[:, self._geoms, 2]
        low = position[:, :, 2] + (down * self._centre).sum(axis=2) - self._extent(down)
        lowest: Array = low.min(axis=1, initial=np.inf) - self._floor
        return lowest

    def _extent(self, down: Array) -> Array:
        """Return how far each shape reaches below its centre [N, G]; `down` [N, G, 3] is world z in
        its frame.
        """
        kinds, size, lean = mujoco.mjtGeom, self._size, np.abs(down)
        round_ = np.sqrt(np.maximum(0, 1 - lean[:, :, 2] ** 2))
        shapes = {
            int(kinds.mjGEOM_SPHERE): np.broadcast_to(size[:, 0], lean.shape[:2]),
            int(kinds.mjGEOM_CAPSULE): size[:, 0] + lean[:, :, 2] * size[:, 1],
            int(kinds.mjGEOM_CYLINDER): size[:, 0] * round_ + lean[:, :, 2] * size[:, 1],
            int(kinds.mjGEOM_ELLIPSOID): np.sqrt(((lean * size) ** 2).sum(axis=2)),
        }
        extent: Array = (lean * self._half).sum(axis=2)
        for kind, reach in shapes.items():
            extent = np.where(self._kind == kind, reach, extent)
        return extent
