"""What the velocity task calls success: it asks for the commanded speed, be it slow."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from pyembody.envs import VectorEnv
from pyembody.spec import load_robot, load_task
from pyembody.spec.task import Episode, Parameter, Reset
from pyembody.viz.overlay import LEAST_TURN, LEAST_VELOCITY, SHARE

SECONDS = 4.0


@pytest.mark.parametrize(
    ("command", "success"),
    [((0.0, 0.0, 0.0), True), ((0.1, 0.0, 0.0), False), ((0.0, 0.1, 0.0), False), ((0.0, 0.0, 0.1), False)],
)
def test_a_robot_that_stands_succeeds_only_where_nothing_else_is_commanded(
    command: tuple[float, float, float], success: bool
) -> None:
    task = replace(load_task("velocity"), episode=Episode(SECONDS), reset=Reset())
    env = VectorEnv(task, load_robot("go2"), 1)
    env.set_command(np.array(command, np.float32))
    env.reset(seed=0)
    truncated = np.zeros(1, bool)
    while not truncated.any():
        _, _, terminated, truncated, info = env.step(np.zeros((1, 12), np.float32))
        assert not terminated.any()
    env.close()
    assert bool(info["success"][0]) is success


def test_what_is_green_in_the_video_is_close_enough_for_success() -> None:
    params = load_task("velocity").params
    said = [params[name] for name in ("error_share", "least_velocity_slack", "least_turn_slack")]
    assert [p.value for p in said if isinstance(p, Parameter)] == [SHARE, LEAST_VELOCITY, LEAST_TURN]
