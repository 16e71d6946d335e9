"""The task of a policy that takes the planner's place: robot signals, the behaviour's parameters, what is asked for."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from pyembody.plan.behaviour import Edits, counting, parameters
from pyembody.plan.suite import Suite, SuiteTask, behaviours
from pyembody.spec.robot import Robot
from pyembody.spec.task import Channel, Episode, Observation, Parameter, Reset, Task, Term
from pyembody.spec.vocabulary import COST, WEIGHT, Vocabulary, flat_name, make_task

from .lessons import Student

ASKED = "asked_"
OWN_SIGNALS = re.compile(r"\b(ctrl|prev_ctrl|gait_cycles|floor_contact|time_in_stage)\b")
"""Signals of planned behaviours that environments do not have."""


def student_robot(robot: Robot) -> Robot:
    """Return the robot as behaviours are executed: policies learn, act and are judged on that model alone."""
    return replace(robot, physics=robot.execution)


def student_task(vocabulary: Vocabulary, suite: Suite, student: Student, names: Iterable[str]) -> Task:
    """Return the task whose policy does the suite's tasks `names`; unless parameters are set, it is the first of them.

    Its rewards are minus the costs of what that one asks for, its success what the suite demands of a window.
    """
    tasks = [suite.tasks[name] for name in names]
    last = behaviours(vocabulary, tasks[0])[-1].edits
    addresses = sorted({a for task in tasks for b in behaviours(vocabulary, task) for a in b.edits})
    bare = make_task(vocabulary, vocabulary.folder.rpartition("/")[2] or suite.vocabulary, counting(vocabulary, last))
    let = {**bare.let, **suite.let, **student.let}
    terms = {
        name: replace(term, weight=-_weight(vocabulary, last, name, term))
        for name, term in bare.channels[COST].terms.items()
        if not OWN_SIGNALS.search(" ".join(reachable(let, [term.expr]).values()))
    }
    asked = {f"{ASKED}{flat_name(t)}": Parameter(0.0, "1", 0.0, 1.0) for t in vocabulary.terms()}
    values = behaviour_params(vocabulary, last)
    params = {k: _set(p, values.get(k)) for k, p in (bare.params | asked).items()}
    observations: dict[str, str | Observation] = {**student.observations, **_skill(vocabulary, addresses)}
    success = _success(tasks[0], let)
    ends = {} if tasks[0].may_fall else student.ends
    texts = [t.expr for t in terms.values()] + [str(o) for o in observations.values()] + [success, *ends.values()]
    return replace(
        bare, let=reachable(let, texts), params=params, observations={"policy": observations},
        channels={COST: Channel(terms)}, success=success, terminations=ends, robot=suite.robot,
        description="Do " + ", ".join(task.title for task in tasks) + " in the planner's place.",
        episode=Episode(sum(turn.limit_s for turn in tasks[0].turns)),
        reset=Reset(joint_pos=suite.start.joint_noise_rad, yaw=_yaw(tasks[0])),
    )


def behaviour_params(vocabulary: Vocabulary, edits: Edits) -> dict[str, float]:
    """Return all parameters of the student's task that say what is asked for, and what is not."""
    usual = {flat_name(a): p.default for a, p in vocabulary.addresses().items() if not a.endswith(f".{WEIGHT}")}
    own = {k: v for k, v in parameters(vocabulary, edits).items() if k in usual}
    asked = {a.rpartition(".")[0] for a, v in edits.items() if v is not None}
    return usual | own | {f"{ASKED}{flat_name(t)}": float(t in asked) for t in vocabulary.terms()}


def reachable(let: Mapping[str, str], texts: Iterable[str]) -> dict[str, str]:
    """Return the names of `let` that the texts need, themselves or through others."""
    found: dict[str, str] = {}
    left = list(texts)
    while left:
        for word in sorted(set(re.findall(r"[A-Za-z_]\w*", left.pop()))):
            if word in let and word not in found:
                found[word] = let[word]
                left.append(let[word])
    return {name: text for name, text in let.items() if name in found}


def _skill(vocabulary: Vocabulary, addresses: Iterable[str]) -> dict[str, str]:
    """Parameters scaled to [-1, 1] by their ranges, and a bit for every term that any task edits."""
    legal, found = vocabulary.addresses(), dict[str, str]()
    for address in addresses:
        stem, _, last = address.rpartition(".")
        found.setdefault(f"{ASKED}{flat_name(stem)}", f"{ASKED}{flat_name(stem)}")
        if last != WEIGHT:
            own = legal[address]
            middle, half = (own.high + own.low) / 2, (own.high - own.low) / 2
            name = flat_name(address)
            found[f"said_{name}"] = f"(number({name}, '{own.unit}') - {middle!r}) / {half!r}"
    return found


def _success(task: SuiteTask, let: Mapping[str, str]) -> str:
    """What the suite demands of a window as an expression: shares and means over the window fade instead of ending."""
    window, parts = task.window_s, list[str]()
    own = [f"({text})" for text in task.throughout.values() if not _needs_own(text, let)]
    if own:
        parts.append(f"hold({' and '.join(own)}, {window!r})")
    smooth = window / 2
    parts += [f"ema(num({text}), {smooth!r}) >= {least!r}" for text, least in task.share.values()]
    parts += [f"abs(ema({text}, {smooth!r})) >= {least!r}" for text, least in task.mean_abs.values()]
    return f"latch({' and '.join(parts)})"


def _yaw(task: SuiteTask) -> float:
    """The half-width in rad of starting directions around 0 that holds the task's own."""
    return min(math.radians(max(map(abs, task.start_yaw_deg))), math.pi)


def _needs_own(text: str, let: Mapping[str, str]) -> bool:
    return bool(OWN_SIGNALS.search(" ".join([text, *reachable(let, [text]).values()])))


def _weight(vocabulary: Vocabulary, edits: Edits, name: str, term: Term) -> float:
    return parameters(vocabulary, edits).get(f"{COST}.{name}.{WEIGHT}", term.weight)


def _set(parameter: float | Parameter, value: float | None) -> float | Parameter:
    if value is None:
        return parameter
    return replace(parameter, value=value) if isinstance(parameter, Parameter) else value
