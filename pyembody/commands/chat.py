"""`pyembody chat`: sentences to a robot that is never reset between them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .options import Count, Name, OptionalPath
from .planning import (
    Mode,
    Translator,
    camera_azimuth,
    edit_table,
    make_runner,
    make_translate,
    motion_model,
    suite_language,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..language.dialogue import Dialogue
    from ..plan import Runner
    from .planning import Translate

LEAVE = ("quit", "exit", "bye")
HINT = "Say what to do; an empty line goes on, 'undo' takes back, 'quit' ends."


@dataclass(frozen=True)
class Chat:
    """Talk to a robot, a sentence a line: it shows what each sentence changed and goes on from where it is."""

    robot: Name = "go2"
    """Which robot."""
    suite: str = ""
    """The task folder whose words, terms and planners are used; by default the robot's."""
    seconds: float = 3.0
    """Simulated seconds after each line, counted from the last stage of what it asks for."""
    seed: int = 0
    """Seed of the planner."""
    threads: Count = 0
    """Threads of the planner (0: all usable cores)."""
    mode: Mode = "paused"
    """paused: the simulation waits for each plan; live: it goes on in real time meanwhile."""
    translator: Translator = "offline"
    """offline: the package's own words; llm: a language model (set PYEMBODY_LLM_BASE_URL and PYEMBODY_LLM_MODEL)."""
    llm: OptionalPath = None
    """Settings of the language model: a TOML file with a table llm."""
    live: bool = False
    """Show it in a rerun viewer while it happens."""
    video: OptionalPath = None
    """Also write a video of the whole dialogue to this file."""

    def run(self) -> int:
        """Read lines from standard input until `quit` or its end."""
        from ..language.dialogue import Dialogue
        from ..plan.suite import load_suite
        from .checks import at_least, positive
        from .do import suite_of
        from .files import check_writable
        from .watch import Watch, live_sight

        positive("seconds", self.seconds)
        at_least("threads", self.threads, 0)
        if self.video is not None:
            check_writable(self.video)
        suite = load_suite(self.suite) if self.suite else suite_of(self.robot)
        translate = make_translate(self.translator, self.llm)
        runner = make_runner(suite, seed=self.seed, threads=self.threads, mode=self.mode)
        see = live_sight(runner) if self.live else None
        conversation = Conversation(
            Dialogue(suite_language(suite)), translate, runner, lambda: Watch(runner, self.seconds, see).run()
        )
        if sys.stdin.isatty():
            print(HINT)
        try:
            for line in _lines():
                conversation.hear(line)
        finally:
            runner.close()
        if self.video is not None and len(runner.trace):
            things = next((t.patch.things for t in reversed(conversation.state.turns) if t.patch.things), ())
            _film(runner, self.video, things)
        return int(runner.diverged)


class Conversation:
    """A dialogue and the robot that follows it; `go_on` lets time pass after each line."""

    def __init__(self, state: Dialogue, translate: Translate, runner: Runner, go_on: Callable[[], None]) -> None:
        from rich.console import Console

        self.state, self.runner = state, runner
        self._translate, self._go_on, self._console = translate, go_on, Console()

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
            if patch.understood:
                print(f"understood: {', '.join(patch.understood)}")
            for note in patch.notes:
                print(f"note: {note}")
            self.runner.say(planned(after, self.state.language))
        elif not self.state.turns:
            return
        self._go_on()
        print("the simulation diverged" if self.runner.diverged else status(self.runner))


def status(runner: Runner) -> str:
    """Return where the robot is and how fast it plans, in one line; of an arm, where its hand and the things are."""
    import numpy as np

    plan = 1000 * float(np.median(runner.trace.plan_s))
    where = _torso(runner) if runner.built.base_qpos >= 0 else _table(runner)
    late = f", gave up in stage {runner.watch.index + 1}" if runner.watch.failed else ""
    return f"{runner.data.time:.1f} s: {where}, {plan:.0f} ms a plan{late}"


def _torso(runner: Runner) -> str:
    import math

    base = runner.built.base_qpos
    w, i, j, k = runner.data.qpos[base + 3 : base + 7]
    yaw = math.degrees(math.atan2(2 * (w * k + i * j), 1 - 2 * (j * j + k * k)))
    nose = math.degrees(math.asin(max(-1.0, min(1.0, 2 * (i * k - w * j)))))
    return f"torso at {_place(runner.data.qpos[base : base + 3])} m, heading {yaw:.0f} deg, nose up {nose:.0f} deg"


def _table(runner: Runner) -> str:
    """Where hand and things are, and how far what slides or turns, such as a drawer, has moved."""
    from ..plan.things import things

    data, model, hand = runner.data, runner.built.model, runner.vocabulary.hand
    found = [] if hand is None else [f"hand at {_place(data.site(hand.site).xpos)}"]
    found += [f"{name} at {_place(data.body(name).xpos)}" for name in sorted(things(runner.built))]
    parts = [model.joint(j) for j in range(model.njnt)]
    moved = [p for p in parts if p.name not in runner.robot.joints and len(p.qpos0) == 1]
    found += [f"{p.name} {100 * data.qpos[p.qposadr[0]] / p.range[1]:.0f} % open" for p in moved]
    return ", ".join(found)


def _place(point: NDArray[np.float64]) -> str:
    return "({:.2f}, {:.2f}, {:.2f})".format(*point)


def _lines() -> Iterator[str]:
    """Lines of standard input, with a prompt if a person types them."""
    while True:
        if sys.stdin.isatty():
            print("> ", end="", flush=True)
        line = sys.stdin.readline()
        if not line or line.strip().lower() in LEAVE:
            return
        yield line


def _film(runner: Runner, video: Path, things: Iterable[str]) -> None:
    from ..viz import render_video
    from .l2r import recording_of

    recording = recording_of(runner.robot, runner.trace, "chat")
    azimuth = camera_azimuth(runner, things)
    print(render_video(recording, motion_model(runner.robot), video, overlay=False, azimuth=azimuth))
