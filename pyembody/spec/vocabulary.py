"""Term templates of planned behaviours as data: what may be asked for, in which units and ranges, and at what cost."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from typing import Any

from msgspec import Struct, field

from .errors import SpecError, unknown
from .files import read_toml
from .load import convert, find_folder
from .task import Channel, Parameter, Task, Term

Value = float | None
COST = "cost"
WEIGHT = "weight"


class TemplateParameter(Struct, frozen=True, forbid_unknown_fields=True):
    """A number of a template: unit, legal range, and what it is unless it is said."""

    default: float
    low: float
    high: float
    unit: str = "1"
    doc: str = ""


class CostTemplate(Struct, frozen=True, forbid_unknown_fields=True):
    """A residual and the cost of it, an expression in `r`; reached where no entry of the residual is beyond `tol`.

    `{name}` in expressions is the parameter or `let` of that name, `{I}` and `{i}` the instance as written and in
    lower case, `{a}` and `{b}` the two parts of an instance `a-b`. `on` says that it counts from the start.
    """

    residual: str
    cost: str
    weight: float
    tol: float
    on: bool = False
    instances: tuple[str, ...] = ()
    parameters: dict[str, TemplateParameter] = field(default_factory=dict)
    let: dict[str, str] = field(default_factory=dict)
    doc: str = ""


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
    ends. `on_fail` is `next`, `retry:STAGE`, or, if empty, the end. `{i}` is the term's instance.
    """

    name: str
    edits: dict[str, float] = field(default_factory=dict)
    asked: bool = False
    until: str = ""
    hold_s: float = 0.2
    timeout_s: float = 4.0
    on_fail: str = ""


class Way(Struct, frozen=True, forbid_unknown_fields=True):
    """How to get at what cannot be had at once: a request for one of the templates `when` goes through stages, by a
    planner, if the term `beside` of another instance is asked for too; `{j}` in it is that other. Of several that fit,
    the first counts.
    """

    when: tuple[str, ...]
    stages: tuple[WayStage, ...]
    planner: str = ""
    beside: str = ""


class Vocabulary(Struct, frozen=True, forbid_unknown_fields=True):
    """The templates of a task folder, its exclusive groups and presets (address = value), and the ways to some of them.

    `synergies` are movements of several joints that planners try as one: joint pattern = radians.
    """

    templates: dict[str, CostTemplate]
    let: dict[str, str] = field(default_factory=dict)
    exclusive: dict[str, tuple[str, ...]] = field(default_factory=dict)
    presets: dict[str, dict[str, float]] = field(default_factory=dict)
    synergies: dict[str, dict[str, float]] = field(default_factory=dict)
    ways: tuple[Way, ...] = ()
    hand: Hand | None = None
    folder: str = ""

    def addresses(self) -> dict[str, TemplateParameter]:
        """Return every legal address `template[.instance].parameter`, weights included."""
        found: dict[str, TemplateParameter] = {}
        for name, template in self.templates.items():
            weight = TemplateParameter(template.weight, 0.0, 1000.0, doc="weight of the term")
            own = {WEIGHT: weight, **template.parameters}
            for instance in template.instances or ("",):
                stem = f"{name}.{instance}" if instance else name
                found |= {f"{stem}.{p}": parameter for p, parameter in own.items()}
        return found

    def terms(self) -> dict[str, tuple[str, str]]:
        """Return template and instance of every term, by the term's address."""
        return {
            f"{name}.{instance}" if instance else name: (name, instance)
            for name, template in self.templates.items()
            for instance in template.instances or ("",)
        }


def load_vocabulary(name: str) -> Vocabulary:
    """Return the vocabulary of a task folder, shipped or the user's own. Raises SpecError."""
    path = find_folder("task", name, "templates.toml") / "templates.toml"
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
    legal = vocabulary.addresses()
    if address not in legal:
        raise unknown(f"{vocabulary.folder}/templates.toml", "parameter", address, legal)
    own = legal[address]
    slack = 1e-6 * max(abs(own.low), abs(own.high))
    if value is not None and not (math.isfinite(value) and own.low - slack <= value <= own.high + slack):
        unit = "" if own.unit == "1" else f" {own.unit}"
        raise SpecError(f"{address}: expected {own.low:g} to {own.high:g}{unit}, got {value:g}")


def make_task(vocabulary: Vocabulary, name: str, only: Collection[str] | None = None, **rest: Any) -> Task:
    """Return the task whose channel `cost` has a term for every template and instance, or `only` for those whose flat
    names are given; the parameters of all are there.

    Costs are positive: a planner makes them small. `reached_TERM` names whether a term's target is met. `rest` are
    further fields of the task.
    """
    let, params, terms = dict(vocabulary.let), dict[str, float | Parameter](), dict[str, Term]()
    for address, (template_name, instance) in vocabulary.terms().items():
        template, stem = vocabulary.templates[template_name], flat_name(address)
        words = {"i": instance.lower(), "I": instance} | dict(zip("ab", instance.split("-"), strict=False))
        words |= {p: f"{stem}_{p}" for p in (*template.parameters, *template.let)}
        for parameter_key, p in template.parameters.items():
            params[f"{stem}_{parameter_key}"] = Parameter(p.default, p.unit, p.low, p.high, p.doc)
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
    for group, names in vocabulary.exclusive.items():
        for name in names:
            if name not in vocabulary.templates:
                raise unknown(f"{place}: exclusive.{group}", "template", name, vocabulary.templates)
    for preset, edits in vocabulary.presets.items():
        for address, value in edits.items():
            if address not in vocabulary.addresses():
                raise unknown(f"{place}: presets.{preset}", "parameter", address, vocabulary.addresses())
            check_value(vocabulary, address, value)

