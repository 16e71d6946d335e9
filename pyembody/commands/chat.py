"""`pyembody chat`: sentences to a robot that is never reset between them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .options import Count, OptionalPath
from .tables import make_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.table import Table

    from ..language.dialogue import Behaviour, Dialogue, Patch, Unsupported
    from ..plan import Runner
    from ..plan.suite import Suite

    Translate = Callable[[str, Dialogue], Patch | Unsupported]

LEAVE = ("quit", "exit", "bye")
HINT = "Say what to do; an empty line goes on, 'undo' takes back, 'quit' ends."


@dataclass(frozen=True)
class Chat:
    """Talk to a robot, a sentence a line: it shows what each sentence changed and goes on from where it is."""

    suite: str = "quadruped"
    """The task folder whose words, terms and planners are used."""
    seconds: float = 3.0
    """Simulated seconds after each line."""
    seed: int = 0
    """Seed of the planner."""
    threads: Count = 0
    """Threads of the planner (0: all usable cores)."""
    mode: Literal["paused", "live"] = "paused"
    """paused: the simulation waits for each plan; live: it goes on in real time meanwhile."""
    translator: Literal["offline", "llm"] = "offline"
    """offline: the package's own words; llm: a language model (set PYEMBODY_LLM_BASE_URL and PYEMBODY_LLM_MODEL)."""
    llm: OptionalPath = None
    """Settings of the language model: a TOML file with a table llm."""
    video: OptionalPath = None
    """Also write a video of the whole dialogue to this file."""

    def run(self) -> int:
        """Read lines from standard input until `quit` or its end."""
        from ..language import load_language
        from ..language.dialogue import Dialogue
        from ..plan.suite import load_suite
        from ..spec.load import find_folder
        from .checks import at_least, positive
        from .files import check_writable

        positive("seconds", self.seconds)
        at_least("threads", self.threads, 0)
        if self.video is not None:
            check_writable(self.video)
        suite = load_suite(self.suite)
        state = Dialogue(load_language(find_folder("task", suite.vocabulary, "templates.toml")))
        conversation = Conversation(state, self._translate(), _runner(self, suite), self.seconds)
        if sys.stdin.isatty():
            print(HINT)
        try:
            for line in _lines():
                conversation.hear(line)
        finally:
            conversation.runner.close()
        if self.video is not None and len(conversation.runner.trace):
            _film(conversation.runner, self)
        return int(conversation.runner.diverged)

    def _translate(self) -> Translate:
        from ..language.dialogue import translate

        if self.translator == "offline":
            return translate
        from ..language.llm import LLMTranslator, load_llm_config

        return LLMTranslator(load_llm_config(self.llm)).translate


class Conversation:
    """A dialogue and the robot that follows it."""

    def __init__(self, state: Dialogue, translate: Translate, runner: Runner, seconds: float) -> None:
        from rich.console import Console

        self.state, self.runner = state, runner
        self._translate, self._seconds, self._console = translate, seconds, Console()

    def hear(self, line: str) -> None:
        """Do what a line says, from the present state, and print the edits and what came of them."""
        from ..language.dialogue import Unsupported, apply_patch
        from ..plan.said import planned

        said = line.strip()
        if said:
            patch = self._translate(said, self.state)
            if isinstance(patch, Unsupported):
                print(patch)
                return
            before = self.state.behaviour
            after = apply_patch(before, patch, self.state.language)
            self.state.add(patch, after)
            self._console.print(edit_table(said, before, after))
            for note in patch.notes:
                print(f"note: {note}")
            self.runner.say(planned(after, self.state.language))
        elif not self.state.turns:
            return
        self.runner.run(self._seconds)
        print("the simulation diverged" if self.runner.diverged else status(self.runner))


def edit_table(title: str, before: Behaviour, after: Behaviour) -> Table:
    """Return what a sentence changed, one row a parameter; stages one after the other."""
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


def status(runner: Runner) -> str:
    """Return where the robot is and how fast it plans, in one line."""
    import math

    import numpy as np

    base = runner.built.base_qpos
    x, y, z = runner.data.qpos[base : base + 3]
    w, i, j, k = runner.data.qpos[base + 3 : base + 7]
    yaw = math.degrees(math.atan2(2 * (w * k + i * j), 1 - 2 * (j * j + k * k)))
    nose = math.degrees(math.asin(max(-1.0, min(1.0, 2 * (i * k - w * j)))))
    plan = 1000 * float(np.median(runner.trace.plan_s))
    return (
        f"{runner.data.time:.1f} s: torso at ({x:.2f}, {y:.2f}, {z:.2f}) m, heading {yaw:.0f} deg, "
        f"nose up {nose:.0f} deg, {plan:.0f} ms a plan"
    )


def _lines() -> Iterator[str]:
    """Lines of standard input, with a prompt if a person types them."""
    while True:
        if sys.stdin.isatty():
            print("> ", end="", flush=True)
        line = sys.stdin.readline()
        if not line or line.strip().lower() in LEAVE:
            return
        yield line


def _runner(chat: Chat, suite: Suite) -> Runner:
    import os

    from ..plan import Runner
    from ..plan.trial import VARIANT
    from ..spec.load import load_robot
    from ..spec.vocabulary import load_vocabulary

    threads = chat.threads or len(os.sched_getaffinity(0))
    robot = load_robot(suite.robot, VARIANT)
    vocabulary = load_vocabulary(suite.vocabulary)
    return Runner(vocabulary, robot, suite.planners, seed=chat.seed, threads=threads, mode=chat.mode)


def _film(runner: Runner, chat: Chat) -> None:
    from ..envs.model import build_model
    from ..plan.signals import FLAT
    from ..viz import render_video
    from .l2r import recording_of

    model = build_model(runner.robot, FLAT, execution=True, visual=True).model
    assert chat.video is not None
    print(render_video(recording_of(runner.robot, runner.trace, "chat"), model, chat.video, overlay=False))

