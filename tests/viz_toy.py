"""A small model, and a scripted recording of it, for the tests of pictures."""

from __future__ import annotations

import mujoco
import numpy as np

from pyembody.analysis import Recording

WIDTH, HEIGHT = 96, 64
STEPS, DT = 20, 0.05
MODEL = """<mujoco>
<asset><mesh name="wedge" vertex="0 0 0 .1 0 0 0 .1 0 0 0 .1"/></asset><worldbody>
<geom type="plane" size="0 0 1"/>{ground}
<body name="base" pos="0 0 0.3"><freejoint/>
<geom name="trunk" type="box" size=".15 .08 .05" rgba="1 0 0 1"/>
<body name="leg" pos="0 0 -.1"><joint name="hip" axis="0 1 0"/>
<geom type="capsule" fromto="0 0 0 0 0 -.15" size=".02" mass=".1"/>
<geom name="foot" type="sphere" pos="0 0 -.17" size=".03"/><geom type="cylinder" size=".02 .02"/>
<geom type="ellipsoid" size=".02 .03 .02"/><geom type="mesh" mesh="wedge" group="1"/>
<geom name="hidden" type="box" size="1 1 1" group="3" mass="0" contype="0" conaffinity="0"/>
</body></body></worldbody></mujoco>"""


def toy_model() -> mujoco.MjModel:
    """A floating trunk with one leg on a plane."""
    return mujoco.MjModel.from_xml_string(MODEL.format(ground=""))


def toy_recording(model: mujoco.MjModel) -> Recording:
    """One second at 1 m/s forward, turning at 0.2 rad/s, followed to nine tenths."""
    time = np.arange(STEPS) * DT
    qpos = np.tile(model.qpos0, (STEPS, 1))
    qpos[:, 0] = time
    rng = np.random.default_rng(0)
    command = np.tile([1.0, 0.0, 0.2], (STEPS, 1)).astype(np.float32)
    signals = {
        "base_lin_vel": command * 0.9,
        "base_ang_vel": command * 0.9,
        "foot_force": np.where(np.arange(STEPS)[:, None] % 8 < 4, 20.0, 0.0),
        "joint_pos": qpos[:, 7:],
    }
    terms = rng.normal(size=(STEPS, 2))
    flags = np.zeros(STEPS, bool)
    return Recording(
        time=time,
        qpos=qpos,
        command=command,
        action=np.zeros((STEPS, 1)),
        raw=terms,
        weighted=terms,
        channels=terms,
        metrics=terms[:, :1],
        values=np.zeros((STEPS, 0)),
        terminated=flags,
        truncated=flags,
        control_dt=DT,
        signals=signals,
        term_names=("task.go", "safety.torque"),
        channel_names=("task", "safety"),
        metric_names=("speed_error",),
        joint_names=("hip",),
        foot_names=("foot",),
        robot="toy",
        task="walk",
    )
