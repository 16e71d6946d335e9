"""Where each signal of a robot is read: columns of a simulator array, sensors added where MuJoCo has no such array."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import mujoco

from ..spec.errors import SpecError, unknown
from ..spec.robot import Robot
from ..spec.signal import Signal

Spec = Any
FRAME_SENSORS = {
    "pos": mujoco.mjtSensor.mjSENS_FRAMEPOS,
    "quat": mujoco.mjtSensor.mjSENS_FRAMEQUAT,
    "linvel": mujoco.mjtSensor.mjSENS_FRAMELINVEL,
    "angvel": mujoco.mjtSensor.mjSENS_FRAMEANGVEL,
}
OBJECTS = {
    "body": mujoco.mjtObj.mjOBJ_XBODY,
    "site": mujoco.mjtObj.mjOBJ_SITE,
    "geom": mujoco.mjtObj.mjOBJ_GEOM,
}
JOINT_FIELDS = {"qpos": "qpos", "qvel": "qvel", "torque": "qfrc_actuator"}
KINDS = (*JOINT_FIELDS, "sensor", *OBJECTS)


@dataclass(frozen=True)
class Source:
    """Where a signal is read: `columns` of the batch array `field`, flattened per row; a constant has `values`."""

    field: str = ""
    columns: tuple[int, ...] = ()
    values: tuple[float, ...] = ()


@dataclass(frozen=True)
class Request:
    """What a signal needs of a model not yet compiled: a field and the joints or sensors it is read from.

    `first`, `last` bound the columns taken of each of `names`.
    """

    field: str
    names: tuple[str, ...]
    first: int = 0
    last: int | None = None

    def source(self, model: mujoco.MjModel) -> Source:
        """Return the columns in the compiled model."""
        columns: list[int] = []
        for name in self.names:
            columns += _columns(model, self.field, name)[self.first : self.last]
        return Source(self.field, tuple(columns))


def request_signals(spec: Spec, robot: Robot, base_joint: str, feet: Sequence[str], place: str) -> dict[str, Request]:
    """Return what each signal of `robot` that is neither derived nor constant needs, with its sensors added to `spec`.

    `base_joint` names the base's free joint ('' without one), `feet` the feet's geoms.
    Sensors of the model that no signal reads are left out: they would cost time in every step.
    Raises SpecError for a source that names nothing.
    """
    builtin = {s.source for s in robot.signal_table().values()} - {s.source for s in robot.signals}
    own = [s for s in robot.signals if s.source and not s.source.startswith("=")]
    _drop_unread_sensors(spec, own)
    requests = _builtin_requests(robot, base_joint)
    if "foot_pos" in builtin:
        requests |= _foot_requests(spec, feet)
    for signal in own:
        requests[signal.name] = _own_request(spec, signal, f"{place}: signals.{signal.name}.source")
    return requests


def scene_requests(scene: Spec, signals: Sequence[Signal], prefix: str, place: str) -> dict[str, Request]:
    """Return what each signal of a task's `scene` needs once it is attached under `prefix`, its sensors added to it.

    Raises SpecError for a source that names nothing in the scene.
    """
    own = [s for s in signals if s.source and not s.source.startswith("=")]
    _drop_unread_sensors(scene, own)
    found = {s.name: _own_request(scene, s, f"{place}: signals.{s.name}.source") for s in own}
    return {k: replace(r, names=tuple(prefix + n for n in r.names)) for k, r in found.items()}


def constant_sources(robot: Robot, signals: Sequence[Signal], radii: tuple[float, ...]) -> dict[str, Source]:
    """Return the sources of constant signals, of the robot and of `signals`. `radii` are the feet's."""
    values = {s.name: s.values for s in (*robot.signal_table().values(), *signals) if s.values}
    if robot.feet:
        values["foot_radius"] = radii
    return {name: Source(values=v) for name, v in values.items()}


def check_widths(signals: Sequence[Signal], sources: dict[str, Source], place: str) -> None:
    """Raise SpecError where a signal declares another width than its source has."""
    for signal in signals:
        source = sources.get(signal.name)
        if source is None:
            continue
        got = len(source.columns) or len(source.values)
        if got != signal.lanes:
            what = f"source '{signal.source}'" if signal.source else "values"
            raise SpecError(f"{place}: signals.{signal.name}: expected {signal.lanes} numbers, got {got} from {what}")


def _builtin_requests(robot: Robot, base_joint: str) -> dict[str, Request]:
    requests = {
        "joint_pos": Request("qpos", robot.joints),
        "joint_vel": Request("qvel", robot.joints),
        "joint_torque": Request("qfrc_actuator", robot.joints),
    }
    if base_joint:
        requests["base_pos"] = Request("qpos", (base_joint,), 0, 3)
        requests["base_quat"] = Request("qpos", (base_joint,), 3, 7)
        requests["base_lin_vel_world"] = Request("qvel", (base_joint,), 0, 3)
        requests["base_ang_vel"] = Request("qvel", (base_joint,), 3, 6)
    return requests


def _foot_requests(spec: Spec, feet: Sequence[str]) -> dict[str, Request]:
    """Position and velocity of each foot's centre, and the normal force in its touch zone (site `foot.touch`)."""
    named = {
        "foot_pos": [_frame_sensor(spec, "geom", foot, "pos") for foot in feet],
        "foot_vel": [_frame_sensor(spec, "geom", foot, "linvel") for foot in feet],
        "foot_force": [_touch_sensor(spec, foot) for foot in feet],
    }
    return {signal: Request("sensordata", tuple(names)) for signal, names in named.items()}


def _frame_sensor(spec: Spec, kind: str, name: str, quantity: str) -> str:
    sensor = f"{kind}.{name}.{quantity}"
    if spec.sensor(sensor) is None:
        spec.add_sensor(name=sensor, type=FRAME_SENSORS[quantity], objtype=OBJECTS[kind], objname=name)
    return sensor


def _touch_sensor(spec: Spec, foot: str) -> str:
    sensor = f"geom.{foot}.touch"
    touch = mujoco.mjtSensor.mjSENS_TOUCH
    spec.add_sensor(name=sensor, type=touch, objtype=mujoco.mjtObj.mjOBJ_SITE, objname=f"{foot}.touch")
    return sensor


def _drop_unread_sensors(spec: Spec, signals: Iterable[Signal]) -> None:
    read = {s.source.removeprefix("sensor:") for s in signals if s.source.startswith("sensor:")}
    for sensor in list(spec.sensors):
        if sensor.name not in read:
            spec.delete(sensor)


def _own_request(spec: Spec, signal: Signal, place: str) -> Request:
    kind, _, rest = signal.source.partition(":")
    if kind not in KINDS:
        raise unknown(place, "kind", kind, KINDS)
    if kind in JOINT_FIELDS:
        _known(place, "joint", rest, (j.name for j in spec.joints))
        return Request(JOINT_FIELDS[kind], (rest,))
    if kind == "sensor":
        _known(place, "sensor", rest, (s.name for s in spec.sensors))
        return Request("sensordata", (rest,))
    name, _, quantity = rest.rpartition(".")
    if not name:
        raise SpecError(f"{place}: '{signal.source}': expected '{kind}:NAME.QUANTITY'")
    if quantity not in FRAME_SENSORS:
        raise unknown(place, "quantity", quantity, FRAME_SENSORS)
    _known(place, kind, name, (x.name for x in getattr(spec, "bodies" if kind == "body" else f"{kind}s")))
    return Request("sensordata", (_frame_sensor(spec, kind, name, quantity),))


def _known(place: str, kind: str, name: str, legal: Iterable[str]) -> None:
    names = [n for n in legal if n]
    if name not in names:
        raise unknown(place, kind, name, names)


def _columns(model: mujoco.MjModel, field: str, name: str) -> list[int]:
    if field == "sensordata":
        sensor = model.sensor(name)
        return list(range(int(sensor.adr[0]), int(sensor.adr[0]) + int(sensor.dim[0])))
    joint = model.joint(name)
    free, ball = mujoco.mjtJoint.mjJNT_FREE, mujoco.mjtJoint.mjJNT_BALL
    start, widths = (joint.qposadr, (7, 4)) if field == "qpos" else (joint.dofadr, (6, 3))
    width = {int(free): widths[0], int(ball): widths[1]}.get(int(joint.type[0]), 1)
    return list(range(int(start[0]), int(start[0]) + width))
