"""Published rewards written as programs equal their formulas: legged_gym, Meta-World."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np

from program_twins import Array, CoreRun
from pyembody.program import compile_task
from pyembody.spec import Signal, Task, convert

DT = 0.02
BODIES = (
    "base",
    "FL_thigh",
    "FR_thigh",
    "RL_thigh",
    "RR_thigh",
    "FL_calf",
    "FR_calf",
    "RL_calf",
    "RR_calf",
)
FEET = ("FL", "FR", "RL", "RR")
JOINTS = tuple(f"{leg}_{i}" for leg in FEET for i in range(3))
LEGGED = {
    s.name: s
    for s in (
        Signal("foot_force", "vector", 3, "feet", FEET, "N", source="s"),
        Signal("body_force", "vector", 3, "bodies", BODIES, "N", source="s"),
        Signal("command", "vector", 3, unit="m/s, m/s, rad/s", source="s"),
        Signal("base_lin_vel", "vector", 3, unit="m/s", frame="body", source="s"),
        Signal("base_ang_vel", "vector", 3, unit="rad/s", frame="body", source="s"),
        Signal("joint_torque", axis="joints", labels=JOINTS, unit="N m", source="s"),
        Signal("joint_vel", axis="joints", labels=JOINTS, unit="rad/s", source="s"),
        Signal("action", axis="joints", labels=JOINTS, source="s"),
    )
}


def air_time_reward(forces: Array, commands: Array) -> Array:
    """The published rule over `[T, N, 4]` forces: pay air time minus 0.5 s at each filtered touch-
    down.
    """
    before, air = forces[0] > 1, np.zeros(forces.shape[1:])
    paid = []
    for force in forces[1:]:
        touching = (force > 1) | before
        before = force > 1
        lands = (air > 0) & touching
        air += DT
        paid.append((np.where(lands, air - 0.5, 0)).sum(axis=1) * (np.linalg.norm(commands[:, :2], axis=1) > 0.1))
        air[touching] = 0
    return np.array(paid)


def test_legged_gym_rewards_equal_their_formulas() -> None:
    path = Path(__file__).parent / "programs" / "legged_gym.toml"
    program = compile_task(convert(tomllib.loads(path.read_text()), Task, str(path)), LEGGED, dt=DT)
    rng = np.random.default_rng(3)
    n, steps = 500, 30
    signals = [{s.name: rng.standard_normal((n, s.lanes)) for s in LEGGED.values()} for _ in range(steps)]
    commands = rng.standard_normal((n, 3)) * (rng.random((n, 1)) > 0.3)
    core = CoreRun(program, n)
    raws = []
    for t, s in enumerate(signals):
        s["command"] = commands
        s["foot_force"] *= 4
        if t == 0:
            core.reset(s, np.ones(n, bool))
        else:
            raws.append(core.step(s)["raw"])
            total = core.outputs["weighted"].sum(axis=1)
            np.testing.assert_allclose(core.outputs["channels"][:, 0], np.maximum(total, 0), atol=1e-5)
    raw = dict(zip(program.term_names, np.moveaxis(np.array(raws), 2, 0), strict=True))
    forces = np.array([s["foot_force"].reshape(n, 4, 3)[:, :, 2] for s in signals])
    np.testing.assert_allclose(raw["task.air"], air_time_reward(forces, commands), atol=1e-5)
    last, before = signals[-1], signals[-2]
    error = ((commands - last["base_lin_vel"])[:, :2] ** 2).sum(axis=1)
    np.testing.assert_allclose(raw["task.lin"][-1], np.exp(-error / 0.25), rtol=1e-5, atol=1e-7)
    jerk = (((last["joint_vel"] - before["joint_vel"]) / DT) ** 2).sum(axis=1)
    np.testing.assert_allclose(raw["task.acc"][-1], jerk, rtol=1e-5)
    body = np.linalg.norm(last["body_force"].reshape(n, 9, 3)[:, 1:], axis=2)
    np.testing.assert_array_equal(raw["task.collide"][-1], (body > 0.1).sum(axis=1))


# --- Meta-World's pick and place ----------------------------------------------------------------

ARM = {
    **{
        name: Signal(name, "vector", 3, unit="m", frame="world", point=True, source="s")
        for name in ("obj", "goal", "obj_init", "tcp", "pad_l", "pad_r")
    },
    "opening": Signal("opening", source="s"),
    "action": Signal("action", "vector", 4, source="s"),
}


def long_tail(x: Array, low: float, high: float, margin: Array) -> Array:
    """The published tolerance with a tenth of the value at the margin."""
    d = np.where(x < low, low - x, x - high) / margin
    return np.where((low <= x) & (x <= high), 1.0, 1 / (1 + 9 * d**2))


def both_of(*shares: Array) -> Array:
    """Hamacher's product, two at a time."""
    total = shares[0]
    for b in shares[1:]:
        total = total * b / (total + b - total * b)
    return total


def pick_place_reward(s: dict[str, Array], start: dict[str, Array]) -> Array:
    """The published shape: reach, cage, grasp, lift, place."""
    norm = np.linalg.norm
    obj, goal, first, tcp = s["obj"], s["goal"], s["obj_init"], s["tcp"]
    far = norm(obj - goal, axis=1)
    place = long_tail(far, 0, 0.05, norm(first - goal, axis=1))
    sides = []
    for pad, sign in (("pad_l", 1), ("pad_r", -1)):
        margin = abs(abs(obj[:, 1] - start[pad][:, 1]) - 0.05)
        sides.append(long_tail(sign * (s[pad][:, 1] - obj[:, 1]), 0.015, 0.05, margin))
    reach = norm((first - start["tcp"])[:, [0, 2]], axis=1) - 0.005
    cage = both_of(*sides, long_tail(norm((tcp - obj)[:, [0, 2]], axis=1), 0, 0.005, reach))
    closing = np.where(cage > 0.97, np.clip(s["action"][:, 3], 0, 1), 0)
    grasp = (both_of(cage, closing) + cage) / 2
    held = (norm(obj - tcp, axis=1) < 0.02) & (s["opening"][:, 0] > 0)
    lifted = held & (obj[:, 2] - 0.01 > first[:, 2])
    return np.where(far < 0.05, 10, both_of(grasp, place) + np.where(lifted, 1 + 5 * place, 0))


def test_meta_world_pick_place_equals_its_formula() -> None:
    path = Path(__file__).parent / "programs" / "pick_place.toml"
    program = compile_task(convert(tomllib.loads(path.read_text()), Task, str(path)), ARM, dt=DT)
    rng = np.random.default_rng(5)
    n = 4000
    start = {s.name: 0.3 * rng.standard_normal((n, s.lanes)) for s in ARM.values()}
    core = CoreRun(program, n)
    core.reset(start, np.ones(n, bool))
    now = {s.name: 0.3 * rng.standard_normal((n, s.lanes)) for s in ARM.values()}
    near = rng.random((n, 1)) ** 3
    for name, offset in (("tcp", 0.0), ("pad_l", 0.03), ("pad_r", -0.03), ("goal", 0.03)):
        now[name] = now["obj"] + offset + 0.02 * near * rng.standard_normal((n, 3))
    got = core.step(now)["raw"][:, 0]
    np.testing.assert_allclose(got, pick_place_reward(now, start), rtol=2e-5, atol=2e-5)
    assert 100 < (got == 10).sum() < n - 100
    assert ((got > 1) & (got < 10)).sum() > 100
