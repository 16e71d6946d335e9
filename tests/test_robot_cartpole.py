"""The cart-pole against its equations of motion."""

from __future__ import annotations

import mujoco
import numpy as np

from pyembody import spec
from pyembody.envs.model import build_model
from pyembody.envs.stance import FLAT

CART, POLE, LENGTH, GRAVITY = 1.0, 0.2, 0.6, 9.81
DAMPING, HINGE_DAMPING = 0.1, 0.001


def test_accelerations_are_those_of_the_textbook() -> None:
    model = build_model(spec.load_robot("cartpole"), FLAT).model
    data = mujoco.MjData(model)
    x_dot, angle, angle_dot, force = 0.4, 0.3, -0.7, 5.0
    data.qpos[:], data.qvel[:], data.ctrl[:] = (0, angle), (x_dot, angle_dot), force
    mujoco.mj_forward(model, data)
    half, inertia = LENGTH / 2, 0.00604 + POLE * (LENGTH / 2) ** 2
    mass = np.array([[CART + POLE, POLE * half * np.cos(angle)], [POLE * half * np.cos(angle), inertia]])
    push = force - DAMPING * x_dot + POLE * half * np.sin(angle) * angle_dot**2
    turn = POLE * GRAVITY * half * np.sin(angle) - HINGE_DAMPING * angle_dot
    np.testing.assert_allclose(data.qacc, np.linalg.solve(mass, [push, turn]), rtol=1e-6)


def test_a_linear_law_balances_it_and_no_action_does_not() -> None:
    built = build_model(spec.load_robot("cartpole"), FLAT)
    final = []
    for gain in (1.0, 0.0):
        data = mujoco.MjData(built.model)
        data.qpos[1] = 0.05
        for _ in range(200):
            state = np.array([data.qpos[0], data.qpos[1], data.qvel[0], data.qvel[1]])
            action = gain * np.array([[state @ [0.7, 8.3, 1.0, 1.7]]], np.float32)
            data.ctrl[:] = built.control(action.clip(-3, 3))[0]
            for _ in range(built.decimation):
                mujoco.mj_step(built.model, data)
        final.append(abs(data.qpos[1]))
    assert final[0] < 0.01
    assert final[1] > 1.0


def test_its_own_signals_are_read_where_they_say() -> None:
    built = build_model(spec.load_robot("cartpole"), FLAT)
    sources = built.sources
    assert (sources["pole_angle"].field, sources["pole_angle"].columns) == ("qpos", (1,))
    assert (sources["cart_vel"].field, sources["cart_vel"].columns) == ("qvel", (0,))
    data = mujoco.MjData(built.model)
    mujoco.mj_forward(built.model, data)
    assert sources["pole_tip"].field == "sensordata"
    np.testing.assert_allclose(data.sensordata[list(sources["pole_tip"].columns)], [0, 0, 1.24], atol=1e-12)
