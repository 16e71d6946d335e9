"""What a person sees while a run trains."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from pyembody.learn.progress import Progress, clock, line, table, time_line
from pyembody.learn.run_folder import RunSpec
from pyembody.spec import Sac, Train, load_robot, load_task

SECONDS = {
    "environment": 6.0,
    "physics": 5.0,
    "program": 0.5,
    "policy": 1.0,
    "targets": 0.5,
    "update": 2.5,
    "total": 10.0,
}

UNITS = {"linear_velocity_error": "m/s"}


@pytest.fixture
def metrics() -> dict[str, Any]:
    channels = {"task": 1.0, "style": -2.25, "safety": -0.5}
    return {
        "iteration": 7,
        "steps": 12_345_678,
        "steps_per_second": 10_297.0,
        "elapsed": 62.0,
        "reward": -1.75,
        "episode_length": 2.5,
        "terminated": 0.5,
        "std": 0.779,
        "kl": 0.031,
        "learning_rate": 1.17e-4,
        "terms": {"task.track_yaw_rate": 0.278, "style.roll_pitch_rate": -0.66, "safety.action_rate": -0.157},
        "channels": channels,
        "value_loss": dict.fromkeys(channels, 12.345),
        "explained_variance": dict.fromkeys(channels, -0.25),
        "share": dict.fromkeys(channels, 1 / 3),
        "metrics": {"linear_velocity_error": 0.453, "tilt": 0.207},
        "time": SECONDS,
    }


def test_parts_of_the_time_stand_inside_what_they_are_part_of_and_the_rest_makes_up_the_whole() -> None:
    assert (
        time_line(SECONDS) == "time %: environment 60 (physics 50, program 5), policy 10, targets 5, update 25"
    )
    assert time_line({"environment": 1.0, "update": 1.0, "total": 2.0}) == "time %: environment 50, update 50"


def test_the_live_table_cuts_no_name_in_a_terminal_of_80_columns(metrics: dict[str, Any]) -> None:
    console = Console(width=80, file=io.StringIO())
    console.print(table("velocity on go2, seed 0", metrics, 400, 70.0, UNITS))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "\N{HORIZONTAL ELLIPSIS}" not in shown
    names = (*metrics["terms"], *metrics["channels"], *metrics["metrics"])
    for text in (*names, "error (m/s)", "explained", "-2.250", "0.000117"):
        assert text in shown


def test_a_plain_line_tells_pace_and_what_the_task_measures_with_units(metrics: dict[str, Any]) -> None:
    shown = line(metrics, 400, 70.0, UNITS)
    assert shown.startswith("iteration 7/400  10,297 steps/s  left 1:10")
    assert shown.endswith("linear_velocity_error 0.453 m/s  tilt 0.207")


def test_a_line_says_that_learning_has_not_begun_and_that_episodes_are_those_of_an_exploring_policy(
    metrics: dict[str, Any],
) -> None:
    off_policy = metrics | {"replay": 512, "warmup": 1536}
    waits = "not learning yet: 1,536 more steps are kept before"
    shown = line(off_policy, 400, 70.0, UNITS)
    assert "episode 2.5 s with exploring noise" in shown and shown.endswith(f"tilt 0.207  {waits}")
    assert line(off_policy | {"warmup": 0}, 400, 70.0, UNITS).endswith("tilt 0.207")
    console = Console(width=80, file=io.StringIO())
    console.print(table("velocity on go2, seed 0", off_policy, 400, 70.0, UNITS))
    assert waits in console.file.getvalue()  # type: ignore[attr-defined]


def test_a_clock_shows_hours_only_where_there_are_some_and_a_dash_for_an_unknown_time() -> None:
    assert [clock(s) for s in (9.6, 70, 3670, float("nan"))] == ["0:10", "1:10", "1:01:10", "-"]


@pytest.mark.parametrize(
    ("config", "engine"),
    [
        (Train(), "core"),
        (Train(engine="torch"), "torch"),
        (Train(memory=8), "torch"),
        (Train(symmetry="loss"), "torch"),
        (Sac(), "core"),
        (Sac(engine="torch"), "torch"),
    ],
)
def test_the_title_says_who_computes_the_networks(config: Train | Sac, engine: str) -> None:
    robot = load_robot("cartpole")
    spec = RunSpec(robot, load_task("balance"), config, 3, "", "")
    title = Progress(spec, 10, enabled=False).title
    assert title == f"balance on cartpole, {'sac' if isinstance(config, Sac) else 'ppo'} ({engine}), seed 3"
