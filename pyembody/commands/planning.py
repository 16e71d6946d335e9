"""What commands that plan a behaviour share: who translates, who plans, and the pictures of what was done."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import mujoco
    from rich.table import Table

    from ..language.dialogue import Behaviour, Dialogue, Patch, Unsupported
    from ..language.vocabulary import Language
    from ..plan import Runner
    from ..plan.suite import Suite
    from ..spec.robot import Robot

    Translate = Callable[[str, Dialogue], Patch | Unsupported]

Translator = Literal["offline", "llm"]
Mode = Literal["paused", "live"]
NO_SIDE = 0.1
"""Feet whose places add up to less, in m, are on no side of a robot."""


def make_translate(translator: Translator, llm: Path | None) -> Translate:
    """Return what turns a sentence into a patch; `llm` is a file of settings. Raises SpecError for wrong ones."""
    from ..language.dialogue import translate

    if translator == "offline":
        return translate
    from ..language.llm import LLMTranslator, load_llm_config

    return LLMTranslator(load_llm_config(llm)).translate


def suite_language(suite: Suite) -> Language:
    """Return the words of a suite's task folder."""
    from ..language import load_language
    from ..spec.load import find_folder

    return load_language(find_folder("task", suite.vocabulary, "templates.toml"))


def make_runner(suite: Suite, *, seed: int, threads: int, mode: Mode) -> Runner:
    """Return the suite's robot at home, ready to be told what to do; `threads` 0 takes all usable cores."""
    import os

    from ..plan import Runner
    from ..plan.trial import VARIANT
    from ..spec.load import load_robot
    from ..spec.vocabulary import load_vocabulary

    robot, vocabulary = load_robot(suite.robot, VARIANT), load_vocabulary(suite.vocabulary)
    cores = threads or len(os.sched_getaffinity(0))
    return Runner(vocabulary, robot, suite.planners, seed=seed, threads=cores, mode=mode)


def edit_table(title: str, before: Behaviour, after: Behaviour) -> Table:
    """Return what a sentence changed, one row a parameter; stages one after the other."""
    from .tables import make_table

    table = make_table(f'"{title}"', ["parameter"], ["was", "becomes"])
    old: Mapping[str, float] = before.stages[-1].values
    for place, stage in enumerate(after.stages):
        if len(after.stages) > 1:
            table.add_row(f"stage {place + 1}", "", "")
        for address in sorted({*old, *stage.values}):
            was, becomes = (_shown(values.get(address)) for values in (old, stage.values))
            if was != becomes:
                table.add_row(address, was, becomes)
        old = stage.values
    return table


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def motion_model(robot: Robot) -> mujoco.MjModel:
    """Return the execution model of a planned behaviour with the shapes that are only looked at."""
    from ..envs.model import build_model
    from ..plan.signals import FLAT

    return build_model(robot, FLAT, execution=True, visual=True).model


def camera_azimuth(runner: Runner, things: Iterable[str]) -> float:
    """Return from where, in degrees, a camera sees the feet among `things` best; the usual place where they name none,
    or feet on opposite sides.
    """
    import math

    from ..plan.planner import settled_state
    from ..viz.camera import AZIMUTH

    built, named = runner.built, set(things)
    at = settled_state(built.model, built.home_qpos).geom_xpos
    feet = [at[geom] for foot, geom in zip(runner.robot.feet, built.foot_geoms, strict=True) if foot in named]
    x, y = sum(float(p[0]) for p in feet), sum(float(p[1]) for p in feet)
    return math.degrees(math.atan2(y, x)) if math.hypot(x, y) > NO_SIDE else AZIMUTH
