"""`pyembody do "..."`: a sentence becomes motion at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from .failure import CommandError
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
    from ..analysis.record import Recording
    from ..language.dialogue import Turn
    from ..language.vocabulary import Language
    from ..plan import Runner
    from ..plan.suite import Suite, SuiteTask
    from .watch import Target, Watch

VIDEO, RECORDING, OUTCOME = "video.mp4", "recording.rrd", "outcome.json"
USUAL_S = 4.0
SEEN = ("joint_pos", "joint_vel", "joint_torque", "foot_force")


@dataclass(frozen=True)
class Do:
    """Let a robot do what a sentence says, planned at once: no training.

    The exit code is 0 if everything that was asked for was reached, 1 if not, 2 if the sentence is not understood.
    """

    text: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="TEXT")]
    """What to do, such as "sit down low with the torso flat"; "then" between two things does one after the other."""
    robot: Name = "go2"
    """Which robot."""
    seconds: Annotated[float, tyro.conf.arg(metavar="S", help_behavior_hint="")] = 0.0
    """Simulated seconds, counted from the last of several things (0: as long as the suite gives it, else 4)."""
    seed: int = 0
    """Seed of the planner."""
    threads: Count = 0
    """Threads of the planner (0: all usable cores)."""
    mode: Mode = "paused"
    """paused: the simulation waits for each plan; live: it goes on in real time meanwhile."""
    policy: OptionalPath = None
    """A run of distill whose policy acts in the planner's place."""
    translator: Translator = "offline"
    """offline: the package's own words; llm: a language model (set PYEMBODY_LLM_BASE_URL and PYEMBODY_LLM_MODEL)."""
    llm: OptionalPath = None
    """Settings of the language model: a TOML file with a table llm."""
    live: bool = False
    """Show it in a rerun viewer while it happens."""
    video: bool = True
    """Write the video and the recording."""
    out: Path = Path("runs")
    """Folder of the runs; this one gets a folder of its own in it."""

    def run(self) -> int:
        """Translate, show the edits, do it, write what there is to see, and say what came of it."""
        from ..plan.said import planned
        from .checks import at_least

        at_least("seconds", self.seconds, 0)
        at_least("threads", self.threads, 0)
        suite = suite_of(self.robot)
        turn, language = self._understood(suite)
        runner = make_runner(suite, seed=self.seed, threads=self.threads, mode=self.mode)
        if self.policy is not None:
            from ..learn.distill import load_pilot

            runner.pilot = load_pilot(self.policy)
        try:
            runner.say(planned(turn.behaviour, language))
            task = suite_task(runner, suite)
            given = task is not None and not self.seconds
            watch = self._watch(runner, self.seconds or (task[1].turns[0].limit_s if task else USUAL_S), whole=given)
            watch.run()
        finally:
            runner.close()
        return self._tell(turn, language, watch, suite)

    def _understood(self, suite: Suite) -> tuple[Turn, Language]:
        """What the sentence means, shown as a table. Raises CommandError with the nearest things understood."""
        from rich.console import Console

        from ..language.dialogue import Dialogue, Unsupported, apply_patch

        language = suite_language(suite)
        state = Dialogue(language)
        patch = make_translate(self.translator, self.llm)(self.text, state)
        if isinstance(patch, Unsupported):
            raise CommandError(str(patch))
        before = state.behaviour
        state.add(patch, apply_patch(before, patch, state.language))
        Console().print(edit_table(self.text, before, state.behaviour))
        if patch.understood:
            print(f"understood: {', '.join(patch.understood)}")
        for note in patch.notes:
            print(f"note: {note}")
        return state.turns[-1], language

    def _watch(self, runner: Runner, seconds: float, *, whole: bool) -> Watch:
        from .watch import Watch, live_sight

        return Watch(runner, seconds, live_sight(runner) if self.live else None, whole=whole)

    def _tell(self, turn: Turn, language: Language, watch: Watch, suite: Suite) -> int:
        from ..plan.said import goals
        from .files import write_json
        from .watch import targets

        runner = watch.runner
        found = targets(watch, goals(turn.behaviour.stages[-1], language))
        verdict, code = judge_task(watch, suite) or judge(watch, found)
        folder = self._folder()
        outcome = {"text": self.text, "verdict": verdict, "targets": [vars(t) for t in found],
                   "real_time_factor": watch.factor(), "edits": turn.behaviour.stages[-1].values}
        write_json(folder / OUTCOME, outcome)
        if self.video:
            from ..viz import render_video, write_rrd
            from .outcome import status_line

            recording, model = recording_of_watch(watch), motion_model(runner.robot)
            azimuth = camera_azimuth(runner, turn.patch.things)
            video = render_video(
                recording, model, folder / VIDEO, overlay=False, azimuth=azimuth, progress=status_line()
            )
            print(f"video: {video}")
            print(f"recording: {write_rrd(recording, model, folder / RECORDING, progress=status_line())}")
        print(f"{verdict} ({watch.factor():.2f} times real time)")
        for target in found:
            print(f"  {target}")
        print("next: " + (f"rerun {folder / RECORDING}   or   " if self.video else "") + "pyembody chat")
        return code

    def _folder(self) -> Path:
        from ..learn.run_folder import new_folder

        return new_folder(self.out / "do")


def suite_of(robot: str) -> Suite:
    """Return the suite whose planners move a robot. Raises SpecError naming the robots that can be told what to do."""
    from ..plan.suite import list_suites, load_suite
    from ..spec.errors import unknown

    suites = {suite.robot: suite for suite in map(load_suite, list_suites())}
    if robot not in suites:
        raise unknown("--robot", "robot that plans", robot, suites)
    return suites[robot]


def suite_task(runner: Runner, suite: Suite) -> tuple[str, SuiteTask] | None:
    """Return the suite's task of one sentence that means what the runner is doing, and its name; None without one."""
    from ..plan.suite import behaviours, instance_of
    from ..plan.ways import with_ways

    for name, task in suite.tasks.items():
        for turn in range(max(1, len(task.instances)) if len(task.turns) == 1 else 0):
            one = instance_of(task, turn)
            if with_ways(runner.vocabulary, behaviours(runner.vocabulary, one)[0]) == runner.behaviour:
                return name, one
    return None


def judge_task(watch: Watch, suite: Suite) -> tuple[str, int] | None:
    """Return what a task of the suite says of it, if its sentence means the same; None if there is none."""
    from msgspec.structs import replace

    from ..plan.score import Scorer

    runner = watch.runner
    task = suite_task(runner, suite)
    if task is None or runner.diverged:
        return None
    name, one = task
    scorer = Scorer(replace(suite, tasks={name: one}), name, runner.vocabulary, runner.robot, runner.built)
    found = scorer.score(runner.trace, [0])
    title = f"{one.title} ({name})"
    if found.success:
        return f"done: {title}, as the suite demands, after {found.at_s:.1f} s", 0
    return f"not done: {title}, as the suite demands it: {found.reason}", 1


def judge(watch: Watch, found: list[Target]) -> tuple[str, int]:
    """Return what came of it in a sentence, and the exit code."""
    if watch.runner.diverged:
        return "not done: the simulation diverged", 1
    if watch.runner.watch.failed:
        return f"not done: stage {watch.runner.watch.index + 1} took too long", 1
    missed = [t for t in found if t.since_s is None]
    if missed:
        how = "partly done" if len(missed) < len(found) else "not done"
        return f"{how}: {len(found) - len(missed)} of {len(found)} targets reached", 1
    return f"done: {len(found)} of {len(found)} targets reached", 0


def recording_of_watch(watch: Watch) -> Recording:
    """Return what was watched as a recording: the motion, what each term cost, what joints and feet did."""
    from dataclasses import replace

    import numpy as np

    from ..plan.signals import behaviour_signals, signal_arrays
    from .l2r import recording_of

    runner = watch.runner
    names = tuple(dict.fromkeys(term.term for row in watch.rows for term in row))
    raw, weighted = (np.zeros((len(watch.rows), len(names)), np.float32) for _ in range(2))
    for step, row in enumerate(watch.rows):
        for term in row:
            k = names.index(term.term)
            raw[step, k], weighted[step, k] = term.off, term.cost
    signals = behaviour_signals(runner.robot, runner.built)
    seen = [signals[name] for name in SEEN if name in runner.built.sources]
    arrays = signal_arrays(runner.built, *runner.trace.arrays(), seen)
    return replace(
        recording_of(runner.robot, runner.trace, "do"), raw=raw, weighted=weighted, term_names=names,
        signals={name: values.astype(np.float32) for name, values in arrays.items()},
    )
