"""What the task gate_pad calls success: the pad counts only behind the gate, and only for who stays on it."""

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


def carried(way: list[tuple[float, float]]) -> tuple[list[bool], bool]:
    """Put a standing robot at each place `way` (m) for a step: whether the episode had ended after each, and well."""
    env = VectorEnv(replace(load_task("gate_pad"), reset=Reset()), load_robot("go2"), 1)
    env.reset(seed=0)
    ended, success = [], False
    for place in way:
        env.batch.bind("qpos")[0, :2] = place
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
    "way",
    [[BESIDE] + [PAD] * (HOLD + 5), [GATE] + ([PAD] * (HOLD - 5) + [(2.5, 0.0)]) * 2],
    ids=["beside the gate", "not long enough"],
)
def test_the_pad_alone_is_not(way: list[tuple[float, float]]) -> None:
    ended, _ = carried(way)
    assert not any(ended)
