"""Robots: what a robot folder says, and the signals that every robot of its build provides."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from .signal import AXIAL, POLAR, Signal

Positive = Annotated[float, Meta(gt=0)]
NonNegative = Annotated[float, Meta(ge=0)]


class Physics(Struct, frozen=True, forbid_unknown_fields=True):
    """Options of the simulation that replace those of the model file; a missing one is left as it is there.

    `frictionloss` is that of every joint, `solimp` and `solref` the contact impedance and the contact
    spring (time constant in s, damping ratio) of every shape.
    """

    timestep: Positive | None = None
    iterations: Annotated[int, Meta(ge=1, le=1000)] | None = None
    ls_iterations: Annotated[int, Meta(ge=1, le=1000)] | None = None
    cone: Literal["pyramidal", "elliptic"] | None = None
    solver: Literal["Newton", "CG", "PGS"] | None = None
    integrator: Literal["Euler", "implicit", "implicitfast", "RK4"] | None = None
    impratio: Positive | None = None
    frictionloss: NonNegative | None = None
    solimp: tuple[float, float, float, float, float] | None = None
    solref: tuple[float, float] | None = None
    self_collision: bool = True


class Control(Struct, frozen=True, forbid_unknown_fields=True):
    """How an action becomes actuator input.

    `position`: target = offset + action_scale * action, followed by a PD law of gains `kp`, `kd` whose torque is
    limited to `torque_limit`. `torque`: torque = action_scale * action. `motor`: the model's own actuators are
    driven as they are, control = action_scale * action, clipped to each actuator's range.
    Lists hold one number per joint, in the order of the robot's `joints`.
    """

    kind: Literal["position", "torque", "motor"] = "position"
    kp: tuple[NonNegative, ...] | NonNegative = 0.0
    kd: tuple[NonNegative, ...] | NonNegative = 0.0
    offset: tuple[float, ...] = ()
    action_scale: tuple[Positive, ...] | Positive = 1.0
    action_limit: Positive = 6.0
    torque_limit: tuple[Positive, ...] | Positive | None = None
    control_dt: Positive = 0.02


class Mirror(Struct, frozen=True, forbid_unknown_fields=True):
    """The left-right symmetry: for each joint (foot) its partner on the other side, and the joint's sign."""

    joints: tuple[str, ...]
    signs: tuple[Literal[-1, 1], ...]
    feet: tuple[str, ...] = ()


class Robot(Struct, frozen=True, forbid_unknown_fields=True):
    """A robot folder's `robot.toml`. SI units, angles in radians, quaternions w, x, y, z.

    `joints` are the actuated joints in the order of every joint signal and action. `base` names the floating body,
    empty for a robot bolted to the world. `feet` name collision spheres (geoms). `signals` are further signals of
    this robot, each with a `source`.
    """

    name: str
    joints: tuple[str, ...]
    control: Control
    description: str = ""
    model: str = "model.xml"
    base: str = ""
    feet: tuple[str, ...] = ()
    default_pose: tuple[float, ...] = ()
    base_height: NonNegative = 0.0
    physics: Physics = Physics()
    execution: Physics = Physics()
    nominal: dict[str, float] = field(default_factory=dict)
    signals: tuple[Signal, ...] = ()
    mirror: Mirror | None = None
    folder: str = ""

    @property
    def model_path(self) -> Path:
        """Path of the model file."""
        return Path(self.folder) / self.model

    def signal_table(self) -> dict[str, Signal]:
        """Return every signal that this robot provides, by name, in a fixed order."""
        table = {s.name: s for s in (*self._joint_signals(), *self._base_signals(), *self._foot_signals())}
        table.update({s.name: s for s in self.signals})
        return table

    def _joint_signals(self) -> list[Signal]:
        def joint(name: str, unit: str, source: str) -> Signal:
            return Signal(name, axis="joints", labels=self.joints, unit=unit, source=source)

        pose = Signal(
            "default_joint_pos", axis="joints", labels=self.joints, unit="rad", values=self.default_pose
        )
        torque = [joint("joint_torque", "N m", "joint_torque")]
        return [joint("joint_pos", "rad", "joint_pos"), joint("joint_vel", "rad/s", "joint_vel"), pose, *torque]

    def _base_signals(self) -> list[Signal]:
        if not self.base:
            return []
        return [
            Signal("base_pos", "vector", 3, unit="m", frame="world", point=True, mirror=POLAR, source="base_pos"),
            Signal("base_quat", "quat", 4, frame="world", local="body", source="base_quat"),
            Signal("base_lin_vel_world", "vector", 3, unit="m/s", frame="world", mirror=POLAR,
                   source="base_lin_vel_world"),
            Signal("base_lin_vel", "vector", 3, unit="m/s", frame="body", mirror=POLAR,
                   source="= rotate_inv(base_quat, base_lin_vel_world)"),
            Signal("base_ang_vel", "vector", 3, unit="rad/s", frame="body", mirror=AXIAL, source="base_ang_vel"),
            Signal("projected_gravity", "vector", 3, frame="body", mirror=POLAR, source="= gravity(base_quat)"),
        ]

    def _foot_signals(self) -> list[Signal]:
        if not self.feet:
            return []
        return [
            Signal("foot_pos", "vector", 3, "feet", self.feet, "m", "world", True, POLAR, "foot_pos"),
            Signal("foot_vel", "vector", 3, "feet", self.feet, "m/s", "world", False, POLAR, "foot_vel"),
            Signal("foot_force", axis="feet", labels=self.feet, unit="N", source="foot_force"),
            Signal("foot_radius", axis="feet", labels=self.feet, unit="m", source="foot_radius"),
        ]
