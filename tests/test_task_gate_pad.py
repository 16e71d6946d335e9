"""What the task gate_pad calls success: the pad counts only behind the gate, and only for who stands on it."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from pyembody.envs import VectorEnv
from pyembody.spec import load_robot, load_task
from pyembody.spec.task import Reset

GATE, BESIDE, PAD = (1.0, 0.0), (1.0, 0.7), (2.0, 0.0)
HOLD = 25
"""Control steps of half a second."""


def carried(way: list[tuple[float, float]], speed: float = 0.0) -> tuple[list[bool], bool]:
    """Put a robot at each place of `way` (m) for a step, `speed` (m/s) fast: whether it ended the episode, and well."""
    env = VectorEnv(replace(load_task("gate_pad"), reset=Reset()), load_robot("go2"), 1)
    env.reset(seed=0)
    ended, success = [], False
    for place in way:
        env.batch.bind("qpos")[0, :2] = place
        env.batch.bind("qvel")[0, :2] = speed, 0.0
        _, _, terminated, _, info = env.step(np.zeros((1, 12), np.float32))
        ended.append(bool(terminated[0]))
        if ended[-1]:
            success = bool(info["final_info"]["success"][0])
            break
    env.close()
    return ended, success


def test_half_a_second_on_the_pad_behind_the_gate_is_a_success() -> None:
    ended, success = carried([GATE] + [PAD] * (HOLD + 1))
    assert ended == [False] * HOLD + [True]
    assert success


@pytest.mark.parametrize(
    ("way", "speed"),
    [
        ([BESIDE] + [PAD] * (HOLD + 5), 0.0),
        ([GATE] + ([PAD] * (HOLD - 5) + [(2.5, 0.0)]) * 2, 0.0),
        ([GATE] + [PAD] * (HOLD + 5), 0.6),
    ],
    ids=["beside the gate", "not long enough", "walking over it"],
)
def test_the_pad_alone_is_not(way: list[tuple[float, float]], speed: float) -> None:
    ended, _ = carried(way, speed)
    assert not any(ended)
