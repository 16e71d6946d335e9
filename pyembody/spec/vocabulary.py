"""Term templates of planned behaviours as data: what may be asked for, in which units and ranges, and at what cost."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from .errors import SpecError, unknown
from .files import read_toml
from .load import convert, find_folder
from .task import Channel, Parameter, Task, Term

Value = float | None
COST = "cost"
WEIGHT = "weight"
MAX_WEIGHT = 1000.0


class TemplateParameter(Struct, frozen=True, forbid_unknown_fields=True):
    """A number of a template: unit ("" without one), legal range (inclusive), and what it is unless it is said."""

    default: float
    low: float
    high: float
    unit: str = ""
    doc: str = ""

    def holds(self, value: float) -> bool:
        """Return whether a value is legal; a converted unit may miss the end of the range by rounding."""
        slack = 1e-6 * max(abs(self.low), abs(self.high))
        return math.isfinite(value) and self.low - slack <= value <= self.high + slack

    def limited(self, value: float) -> float:
        """Return the legal value nearest to `value`."""
        return min(max(value, self.low), self.high)

    @property
    def range_text(self) -> str:
        """The legal range in words: `expected 0.05 to 0.8 m`."""
        return f"expected {self.low:g} to {self.high:g} {self.unit}".rstrip()


class CostTemplate(Struct, frozen=True, forbid_unknown_fields=True):
    """A residual and the cost of it, an expression in `r`; reached where no entry of the residual is beyond `tol`.

    `{name}` in expressions is the parameter or `let` of that name, `{I}` and `{i}` the instance as written and in
    lower case, `{a}` and `{b}` the two parts of an instance `a-b`. `on` says that it counts from the start. Words need
    no residual, planners do.
    """

    cost: str
    weight: float
    tol: float
    residual: str = ""
    on: bool = False
    instances: tuple[str, ...] = ()
    parameters: dict[str, TemplateParameter] = field(default_factory=dict)
    let: dict[str, str] = field(default_factory=dict)
    doc: str = ""

    @property
    def numbers(self) -> dict[str, TemplateParameter]:
        """Its parameters and its weight by name."""
        return {**self.parameters, WEIGHT: TemplateParameter(self.weight, 0.0, MAX_WEIGHT, doc="weight of the term")}


class BehaviourStage(Struct, frozen=True, forbid_unknown_fields=True):
    """One stage: its edits on top of the behaviour's, and when it ends.

    `until` and `invariant` are expressions over signals, `reached_TERM` and `time_in_stage`. Once `until` has held for
    `hold_s` the next stage begins. After `timeout_s`, or at once where `invariant` is false, the stage has failed, and
    `on_fail` says what then: `retry:STAGE` begins this stage or one before it again, `next` goes on all the same,
    `abort` ends the behaviour as failed. The last stage has no `until` and takes as long as it likes. `planner` names
    settings that plan it instead of the behaviour's.
    """

    name: str
    edits: dict[str, float] = field(default_factory=dict)
    until: str = ""
    invariant: str = ""
    hold_s: float = 0.2
    timeout_s: float = 4.0
    on_fail: str = "abort"
    planner: str = ""


class Hand(Struct, frozen=True, forbid_unknown_fields=True):
    """A hand that planners move as one: its `site` and the arm's `joints` (a pattern) that carry it.

    Candidates differ by `metres` and `radians` of the site along and about each axis, and by the vocabulary's
    synergies, times the planner's spread. `shapes` are postures of the hand: joint pattern = radians. Arms go to what
    they are shown at `speed` rad/s, over it by `above` m first.
    """

    site: str
    joints: str
    shapes: dict[str, dict[str, float]]
    metres: float = 0.1
    radians: float = 0.3
    speed: float = 1.5
    above: float = 0.12


class WayStage(Struct, frozen=True, forbid_unknown_fields=True):
    """A stage on the way to what is asked for: its edits, with what is asked for itself where `asked`, and when it
    ends; `on_fail` as in `BehaviourStage`. `{i}` is the term's instance.
    """

    name: str
    edits: dict[str, float] = field(default_factory=dict)
    asked: bool = False
    until: str = ""
    hold_s: float = 0.2
    timeout_s: float = 4.0
    on_fail: str = "abort"


class Way(Struct, frozen=True, forbid_unknown_fields=True):
    """How to get at what cannot be had at once: a request for one of the templates `when` goes through stages, by a
    planner, if the term `beside` of another instance is asked for too (`{j}` in it is that other), and the addresses
    `at` with these values. Of several that fit, the first counts. What was asked of the templates `keeps` counts in all
    stages: a drawer that was opened stays open meanwhile.
    """

    when: tuple[str, ...]
    stages: tuple[WayStage, ...]
    planner: str = ""
    beside: str = ""
    at: dict[str, float] = field(default_factory=dict)
    keeps: tuple[str, ...] = ()


class Vocabulary(Struct, frozen=True, forbid_unknown_fields=True):
    """The templates of a task folder, its exclusive groups and presets (address = value), and the ways to some of them.

    `synergies` are movements of several joints that planners try as one: joint pattern = radians. `skills` are the
    stages of behaviours that are not done in one go; their edits come on top of what was asked for.
    """

    templates: dict[str, CostTemplate]
    let: dict[str, str] = field(default_factory=dict)
    exclusive: dict[str, tuple[str, ...]] = field(default_factory=dict)
    presets: dict[str, dict[str, float]] = field(default_factory=dict)
    synergies: dict[str, dict[str, float]] = field(default_factory=dict)
    skills: dict[str, tuple[BehaviourStage, ...]] = field(default_factory=dict)
    ways: tuple[Way, ...] = ()
    hand: Hand | None = None
    folder: str = ""

    def addresses(self) -> dict[str, TemplateParameter]:
        """Return every legal address `template[.instance].parameter`, weights included."""
        found: dict[str, TemplateParameter] = {}
        for name, template in self.templates.items():
            for instance in template.instances or ("",):
                stem = f"{name}.{instance}" if instance else name
                found |= {f"{stem}.{p}": parameter for p, parameter in template.numbers.items()}
        return found

    def template(self, term: str) -> CostTemplate:
        """Return the template of a term, `template` or `template.instance`. Raises SpecError with the nearest name."""
        name, _, instance = term.partition(".")
        template = self.templates.get(name)
        if template is None:
            raise unknown(term, "template", name, self.templates)
        if instance != "" and instance not in template.instances:
            raise unknown(term, "instance", instance, template.instances)
        if instance == "" and template.instances:
            raise SpecError(f"{term}: expected one of {', '.join(template.instances)} after the template")
        return template

    def parameter(self, address: str) -> TemplateParameter:
        """Return the parameter at `template[.instance].parameter`. Raises SpecError with the nearest name."""
        term, _, name = address.rpartition(".")
        if not term:
            raise SpecError(f"'{address}': expected template.parameter or template.instance.parameter")
        numbers = self.template(term).numbers
        if name not in numbers:
            raise unknown(address, "parameter", name, numbers)
        return numbers[name]

    def terms(self) -> dict[str, tuple[str, str]]:
        """Return template and instance of every term, by the term's address."""
        return {
            f"{name}.{instance}" if instance else name: (name, instance)
            for name, template in self.templates.items()
            for instance in template.instances or ("",)
        }


def load_vocabulary(name: str | Path) -> Vocabulary:
    """Return the vocabulary of a task folder: a shipped name, the user's own folder, or a path of `templates.toml`.

    Raises SpecError.
    """
    path = name if isinstance(name, Path) else find_folder("task", name, "templates.toml") / "templates.toml"
    vocabulary = convert(read_toml(path) | {"folder": str(path.parent)}, Vocabulary, str(path))
    _check(vocabulary, str(path))
    return vocabulary


def flat_name(address: str) -> str:
    """Return what expressions and parameter tables call an address: `foot_height.FL.height` -> `foot_height_fl_height`.

    >>> flat_name("foot_height.FL.height")
    'foot_height_fl_height'
    """
    return address.replace(".", "_").replace("-", "_").lower()


def parameter_name(address: str) -> str:
    """Return the name of an address in the program of `make_task`."""
    stem, _, last = address.rpartition(".")
    return f"{COST}.{flat_name(stem)}.{WEIGHT}" if last == WEIGHT else flat_name(address)


def check_value(vocabulary: Vocabulary, address: str, value: Value) -> None:
    """Raise SpecError for an address that is not there, naming the nearest, and for a value out of its range."""
    own = vocabulary.parameter(address)
    if value is not None and not own.holds(value):
        raise SpecError(f"{address}: {own.range_text}, got {value:g}")


def make_task(vocabulary: Vocabulary, name: str, only: Collection[str] | None = None, **rest: Any) -> Task:
    """Return the task whose channel `cost` has a term for every template and instance, or `only` for those whose flat
    names are given; the parameters of all are there.

    Costs are positive: a planner makes them small. `reached_TERM` names whether a term's target is met. `rest` are
    further fields of the task.
    """
    let, params, terms = dict(vocabulary.let), dict[str, float | Parameter](), dict[str, Term]()
    for address, (template_name, instance) in vocabulary.terms().items():
        template, stem = vocabulary.templates[template_name], flat_name(address)
        if not template.residual:
            raise SpecError(f"{vocabulary.folder}: {template_name}.residual: expected an expression, got none")
        words = {"i": instance.lower(), "I": instance} | dict(zip("ab", instance.split("-"), strict=False))
        words |= {p: f"{stem}_{p}" for p in (*template.parameters, *template.let)}
        for parameter_key, p in template.parameters.items():
            params[f"{stem}_{parameter_key}"] = Parameter(p.default, p.unit or "1", p.low, p.high, p.doc)
        let |= {f"{stem}_{key}": _fill(text, words) for key, text in template.let.items()}
        let[f"r_{stem}"] = _fill(template.residual, words)
        let[f"reached_{stem}"] = f"norminf(r_{stem}) <= {template.tol!r}"
        cost = re.sub(r"\br\b", f"r_{stem}", template.cost)
        if only is None or stem in only:
            terms[stem] = Term(cost, template.weight if template.on else 0.0, "none", doc=template.doc)
    return Task(
        name=name, observations={}, channels={COST: Channel(terms)}, let=let, params=params, **rest
    )


def _fill(text: str, words: Mapping[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: words.get(found.group(1), found.group(0)), text)


def _check(vocabulary: Vocabulary, place: str) -> None:
    addresses = vocabulary.addresses()
    for group, names in vocabulary.exclusive.items():
        for name in names:
            if name not in vocabulary.templates:
                raise unknown(f"{place}: exclusive.{group}", "template", name, vocabulary.templates)
    parts = {f"presets.{name}": edits for name, edits in vocabulary.presets.items()}
    parts |= {f"skills.{name}.{s.name}": s.edits for name, stages in vocabulary.skills.items() for s in stages}
    for part, edits in parts.items():
        for address, value in edits.items():
            if address not in addresses:
                raise unknown(f"{place}: {part}", "parameter", address, addresses)
            check_value(vocabulary, address, value)

