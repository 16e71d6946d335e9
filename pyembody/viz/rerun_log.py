"""Recordings as rerun files: the robot moving in 3D beside every number over the same time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..analysis.record import Progress, Recording
from ..spec.extra import need
from ..spec.files import atomic_path

if TYPE_CHECKING:
    import mujoco

Array = npt.NDArray[Any]

VELOCITY = ("forward", "lateral", "turn")
FLOOR_M = 12.0  # half the size of the drawn piece of an infinite floor


def write_rrd(
    recording: Recording,
    model: mujoco.MjModel,
    path: Path | str,
    *,
    progress: Progress | None = None,
) -> Path:
    """Write a rerun file and return its path; open it with `rerun PATH`. No viewer is started.

    Holds the visible geoms once, the pose of every body over time, and as curves: commands beside
    measured velocities, reward terms, channels, critic values, metrics, actions, joints, feet.
    Raises ImportError if the `viz` extra is not installed and ValueError if the model does not fit
    the recording.
    """
    rr = need("rerun", "a rerun recording")
    if len(recording) == 0 or recording.qpos.shape[1] != model.nq:
        shape = recording.qpos.shape
        raise ValueError(f"recording: expected positions of shape (T, {model.nq}) for this model, got {shape}")
    stream = rr.RecordingStream("pyembody")
    with atomic_path(path) as temporary:
        try:
            stream.save(temporary, default_blueprint=_blueprint(recording))
            log_shapes(stream, model)
            _log_poses(stream, recording, model, progress)
            _log_curves(stream, recording, progress)
            stream.flush()
        finally:
            stream.disconnect()
    return Path(path)


def curves(recording: Recording) -> dict[str, Array]:
    """Return every scalar series [T] of the recording by its entity path."""
    found: dict[str, Array] = {}

    def add(group: str, names: Sequence[str], values: Array | None) -> None:
        if values is not None and values.ndim == 2 and values.shape[1] == len(names):
            found.update({f"{group}/{entity_name(name)}": values[:, k] for k, name in enumerate(names)})

    add("velocity/command", VELOCITY, recording.command)
    add("velocity/measured", VELOCITY, recording.measured())
    add("terms", [name.replace(".", "/") for name in recording.term_names], recording.weighted)
    add("raw", [name.replace(".", "/") for name in recording.term_names], recording.raw)
    add("channels", recording.channel_names, recording.channels)
    add("values", recording.channel_names, recording.values)
    add("metrics", recording.metric_names, recording.metrics)
    add("action", recording.joint_names, recording.action)
    for name in ("joint_pos", "joint_vel", "joint_torque"):
        add(name, recording.joint_names, recording.signals.get(name))
    add("foot_force", recording.foot_names, recording.signals.get("foot_force"))
    return found


def entity_name(name: str) -> str:
    """Return a name that is safe as a part of an entity path."""
    return re.sub(r"[^A-Za-z0-9_/-]", "_", name)


def _log_curves(stream: Any, recording: Recording, progress: Progress | None) -> None:
    rr = need("rerun", "a rerun recording")
    found = curves(recording)
    for k, (entity, values) in enumerate(found.items()):
        name = entity.partition("/")[2] if not entity.startswith("velocity/") else entity[9:].replace("/", " ")
        stream.log(entity, rr.SeriesLines(names=name), static=True)
        columns = rr.Scalars.columns(scalars=values.astype(np.float64))
        rr.send_columns(entity, _times(rr, recording), columns, recording=stream)
        if progress is not None:
            progress("rerun", 0.5 + 0.5 * (k + 1) / len(found))


def _log_poses(stream: Any, recording: Recording, model: mujoco.MjModel, progress: Progress | None) -> None:
    """Send the world poses of all bodies, a column each for the whole time."""
    import mujoco

    rr = need("rerun", "a rerun recording")
    steps = len(recording)
    position, quat = np.zeros((steps, model.nbody, 3)), np.zeros((steps, model.nbody, 4))
    data = mujoco.MjData(model)
    for t, qpos in enumerate(recording.qpos):
        data.qpos[:] = qpos
        mujoco.mj_kinematics(model, data)
        position[t], quat[t] = data.xpos, data.xquat
    for body in range(1, model.nbody):
        # rerun's quaternions are x, y, z, w
        columns = rr.Transform3D.columns(translation=position[:, body], quaternion=quat[:, body][:, [1, 2, 3, 0]])
        rr.send_columns(body_path(model, body), _times(rr, recording), columns, recording=stream)
        if progress is not None:
            progress("rerun", 0.5 * body / model.nbody)


def _times(rr: Any, recording: Recording) -> list[Any]:
    steps = np.arange(len(recording))
    return [rr.TimeColumn("time", duration=recording.time), rr.TimeColumn("step", sequence=steps)]


def log_shapes(stream: Any, model: mujoco.MjModel) -> None:
    """Log every visible geom once, in its body's frame."""
    from .scene import geom_rgba, make_scene

    rr = need("rerun", "a rerun recording")
    stream.log("world", rr.ViewCoordinates.RIGHT_HAND_Z_UP, static=True)
    seen = set(make_scene(model, np.array(model.qpos0)).shapes.tolist())
    rgba = geom_rgba(model)
    for geom in range(model.ngeom):
        shape = _shape(rr, model, geom, (rgba[geom] * 255).astype(np.uint8), geom in seen)
        if shape is not None:
            name = entity_name(model.geom(geom).name or f"geom_{geom}")
            stream.log(f"{body_path(model, int(model.geom_bodyid[geom]))}/{name}", shape, static=True)


def _shape(rr: Any, model: mujoco.MjModel, geom: int, colour: Array, seen: bool) -> Any:
    """Return the rerun shape of a geom; None if it is not seen or rerun cannot draw its kind."""
    import mujoco

    kinds = mujoco.mjtGeom
    kind, size = model.geom_type[geom], model.geom_size[geom]
    centre, quat = model.geom_pos[geom], model.geom_quat[geom][[1, 2, 3, 0]]
    if kind == int(kinds.mjGEOM_PLANE):
        sizes = [(s if s > 0 else FLOOR_M) for s in size[:2]]
        slab = [[*sizes, 0.002]]
        return rr.Boxes3D(
            half_sizes=slab,
            centers=[centre - [0, 0, 0.002]],
            colors=[(92, 106, 124)],
            fill_mode="solid",
        )
    if not seen:
        return None
    place = {"quaternions": [quat], "colors": [colour], "fill_mode": "solid"}
    if kind == int(kinds.mjGEOM_BOX):
        return rr.Boxes3D(half_sizes=[size], centers=[centre], **place)
    if kind in (int(kinds.mjGEOM_SPHERE), int(kinds.mjGEOM_ELLIPSOID)):
        half = size if kind == int(kinds.mjGEOM_ELLIPSOID) else np.repeat(size[0], 3)
        return rr.Ellipsoids3D(half_sizes=[half], centers=[centre], **place)
    if kind == int(kinds.mjGEOM_CYLINDER):
        return rr.Cylinders3D(lengths=[2 * size[1]], radii=[size[0]], centers=[centre], **place)
    if kind == int(kinds.mjGEOM_CAPSULE):
        # rerun's capsule begins at its origin and extends along z, MuJoCo's is centred
        start = centre - _z_axis(model.geom_quat[geom]) * size[1]
        return rr.Capsules3D(lengths=[2 * size[1]], radii=[size[0]], translations=[start], **place)
    if kind == int(kinds.mjGEOM_MESH):
        return _mesh(rr, model, geom, colour)
    return _height_field(rr, model, geom) if kind == int(kinds.mjGEOM_HFIELD) else None


def _mesh(rr: Any, model: mujoco.MjModel, geom: int, colour: Array) -> Any:
    mesh = int(model.geom_dataid[geom])
    first, count = model.mesh_vertadr[mesh], model.mesh_vertnum[mesh]
    vertices = model.mesh_vert[first : first + count] @ _matrix(model.geom_quat[geom]).T + model.geom_pos[geom]
    first, count = model.mesh_faceadr[mesh], model.mesh_facenum[mesh]
    return rr.Mesh3D(
        vertex_positions=vertices,
        triangle_indices=model.mesh_face[first : first + count],
        albedo_factor=colour,
    )


def _height_field(rr: Any, model: mujoco.MjModel, geom: int) -> Any:
    field = int(model.geom_dataid[geom])
    rows, columns = int(model.hfield_nrow[field]), int(model.hfield_ncol[field])
    x, y, top, _ = model.hfield_size[field]
    first = model.hfield_adr[field]
    height = model.hfield_data[first : first + rows * columns] * top
    gx, gy = np.meshgrid(np.linspace(-x, x, columns), np.linspace(-y, y, rows))
    vertices = np.column_stack([gx.ravel(), gy.ravel(), height]) + model.geom_pos[geom]
    a = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    faces = np.concatenate(
        [
            np.column_stack([a, a + 1, a + columns]),
            np.column_stack([a + 1, a + columns + 1, a + columns]),
        ]
    )
    return rr.Mesh3D(vertex_positions=vertices, triangle_indices=faces, albedo_factor=(92, 106, 124, 255))


def _matrix(quat: Array) -> Array:
    import mujoco

    matrix = np.zeros(9)
    mujoco.mju_quat2Mat(matrix, np.asarray(quat, np.float64))
    return matrix.reshape(3, 3)


def _z_axis(quat: Array) -> Array:
    axis: Array = _matrix(quat)[:, 2]
    return axis


def body_path(model: mujoco.MjModel, body: int) -> str:
    """Return the entity path of a body."""
    return "world/static" if body == 0 else f"world/{entity_name(model.body(body).name or f'body_{body}')}"


def _blueprint(recording: Recording) -> Any:
    """Return the layout: the robot on the left, curves on the right, less wanted ones in tabs."""
    rrb = need("rerun.blueprint", "a rerun recording")

    def plot(name: str, *contents: str) -> Any:
        return rrb.TimeSeriesView(name=name, origin="/", contents=[f"/{c}/**" for c in contents])

    found = {entity.partition("/")[0] for entity in curves(recording)}
    right = [plot("Velocity", "velocity")] if "velocity" in found else []
    tabs = [
        plot(n.capitalize().replace("_", " "), n)
        for n in ("terms", "channels", "values", "metrics", "raw")
        if n in found
    ]
    body = [
        plot(n.capitalize().replace("_", " "), n)
        for n in ("foot_force", "action", "joint_pos", "joint_vel", "joint_torque")
        if n in found
    ]
    right += [rrb.Tabs(*views) for views in (tabs, body) if views]
    scene = rrb.Spatial3DView(name=recording.robot or "Robot", origin="/world")
    return rrb.Blueprint(
        rrb.Horizontal(scene, rrb.Vertical(*right), column_shares=[3, 2]) if right else scene,
        rrb.TimePanel(timeline="time"),
        collapse_panels=True,
    )
