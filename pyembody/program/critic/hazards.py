"""Findings about numbers: NaN, infinities, kernel scales, inputs out of [0, 1], conditions that never hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from ..types import Node, Place
from .finding import Finding
from .interval import Range
from .walk import Analysis, Origin, Value

Kind = Literal["possible", "certain"]
DOMAINS = {
    "log": ("a number above 0", "log(max(x, 1e-6)), or 'log(x) if x > 1e-6 else 0'"),
    "log1p": ("a number above -1", "log1p(max(x, 0))"),
    "sqrt": ("a number of at least 0", "sqrt(max(x, 0))"),
    "pow": ("a number of at least 0 under a fractional power", "spow(x, c) keeps the sign, abs(x) ** c drops it"),
    "mod": ("a finite number and a modulus above 0", "make the modulus a positive constant"),
}
SATURATED_LOW, SATURATED_HIGH = 1e-3, 0.98


def bounds(r: Range) -> str:
    """Return a range as text."""
    nan = " or NaN" if r.may_nan else ""
    return f"[{r.low:.4g}, {r.high:.4g}]{nan}"


def hazards(analysis: Analysis) -> Iterator[tuple[Kind, Finding]]:
    """Yield what the ranges say, and whether it can happen ("possible") or must ("certain")."""
    for sink in analysis.sinks:
        if sink.value.nan:
            yield from _not_a_number(sink.value.nan, sink.kind)
        if sink.value.inf and sink.kind == "output":
            yield from _infinite(sink.value.inf)
    conditions: dict[int, list[tuple[tuple[Value, ...], Value]]] = {}
    for node, args, found, place in analysis.visited:
        if node.op == "scaled":
            yield from _kernel(args, found, place)
        elif node.op == "hamacher" and place is not None:  # a channel's own has none: its terms are looked at
            yield from _shares(args, place)
        elif node.op in ("lt", "le", "gt", "ge") and id(node) in analysis.places:
            conditions.setdefault(id(node), []).append((args, found))
    for key, visits in conditions.items():
        yield from _dead(visits, analysis.places[key])


def _at(place: Place | None) -> tuple[str, tuple[int, int]]:
    return ("task", (0, 0)) if place is None else (short(place.path), (place.start, place.end))


def short(path: str) -> str:
    """Return the path within the task of a compiler's place: `file.toml: channels.task...`."""
    return path.rsplit(": ", 1)[-1]


def _not_a_number(origin: Origin, kind: str) -> Iterator[tuple[Kind, Finding]]:
    path, span = _at(origin.place)
    node, args = origin.node, origin.args
    got = ", ".join(bounds(a) for a in args)
    if node.op == "div" and args[1].may_zero:
        yield "possible", _division(origin)
        return
    expected, fix = DOMAINS.get(node.op, ("finite numbers", "keep its arguments finite with clip"))
    if _outside(node, args):
        message = f"{node.op} never gets {expected}, but {got}"
        yield "certain", Finding("E-DOMAIN", "E", path, message, span, expected, got, fix=fix)
        return
    tail = " (a comparison with NaN is false, unseen)" if kind == "comparison" else ""
    message = f"{node.op} of {got} can be NaN{tail}"
    yield "possible", Finding("W-NAN", "W", path, message, span, expected, got, fix=fix)


def _outside(node: Node, args: tuple[Range, ...]) -> bool:
    """True if no value of the argument is in the operation's domain."""
    if node.op not in DOMAINS or not args:
        return False
    x = args[-1]
    least = {"log": 0.0, "log1p": -1.0}.get(node.op, 0.0)
    return x.high < least or (node.op == "mod" and x.high <= 0)


def _division(origin: Origin) -> Finding:
    path, span = _at(origin.place)
    got = bounds(origin.args[1])
    fix = "safe_div(a, b, eps), or divide where the divisor is above 0 only"
    return Finding(
        "W-DIV0", "W", path, f"the divisor can be 0: it is in {got}", span, "a divisor never 0", got, fix=fix
    )


def _infinite(origin: Origin) -> Iterator[tuple[Kind, Finding]]:
    path, span = _at(origin.place)
    node, args = origin.node, origin.args
    if node.op == "div" and args[1].may_zero:
        yield "possible", _division(origin)
        return
    if node.op in ("signal", "param", "constant", "literal"):
        return
    got = ", ".join(bounds(a) for a in args)
    if node.op in ("log", "log1p") and args[0].high <= (0 if node.op == "log" else -1):
        expected, fix = DOMAINS[node.op]
        message = f"{node.op} never gets {expected}, but {got}"
        yield "certain", Finding("E-DOMAIN", "E", path, message, span, expected, got, fix=fix)
        return
    fix = DOMAINS[node.op][1] if node.op in DOMAINS else "bound its argument with clip, min or max"
    message = f"{node.op} of {got} can be infinite"
    yield "possible", Finding("W-INF", "W", path, message, span, "a finite number", got, fix=fix)


def _kernel(args: tuple[Value, ...], found: Value, place: Place | None) -> Iterator[tuple[Kind, Finding]]:
    path, span = _at(place)
    scale, error = args[2].range, args[1].range
    got = bounds(scale)
    if scale.high <= 0:
        message = f"the kernel's scale is never above 0: it is {got}, and the kernel pays for no error at all only"
        yield (
            "certain",
            Finding("E-SCALE", "E", path, message, span, "a scale above 0", got, fix="make the scale positive"),
        )
    elif scale.low <= 0 and error.high > 0:
        message = f"the kernel's scale can be 0 or less: it is in {got}"
        fix = "max(scale, small), or abs of it"
        yield "possible", Finding("W-SCALE", "W", path, message, span, "a scale above 0", got, fix=fix)
    elif found.range.high < SATURATED_LOW or found.range.low > SATURATED_HIGH:
        got = bounds(found.range)
        message = f"the kernel is flat: whatever the error of {bounds(error)}, it gives {got} at scale {bounds(scale)}"
        fix = "choose a scale of the size of the errors that occur"
        yield "certain", Finding("W-SATURATED", "W", path, message, span, "a kernel that varies", got, fix=fix)


def _shares(args: tuple[Value, ...], place: Place | None) -> Iterator[tuple[Kind, Finding]]:
    path, span = _at(place)
    for i, value in enumerate(args, 1):
        r = value.range
        if r.low < 0 or r.high > 1 or r.may_nan:
            message = f"argument {i} of hamacher is in {bounds(r)}, not provably in [0, 1]"
            fix = "clip(x, 0, 1), or a kernel"
            yield "possible", Finding("E-BOUND", "E", path, message, span, "[0, 1]", bounds(r), fix=fix)


def _dead(visits: list[tuple[tuple[Value, ...], Value]], place: Place) -> Iterator[tuple[Kind, Finding]]:
    """A condition that is decided in every context in which it is looked at."""
    path, span = _at(place)
    never = all(found.range.high == 0 for _, found in visits)
    always = all(found.range.low == 1 for _, found in visits)
    args = visits[0][0]
    constant = all((a.range.lo == a.range.hi).all() for a in args)  # a comparison of constants is a switch
    if constant or not (never or always):
        return
    sides = " and ".join(bounds(a.range) for a in args)
    message = f"this condition {'never' if never else 'always'} holds: its sides are {sides}"
    fix = "compare with a value inside the range, or drop the condition"
    yield "certain", Finding("W-DEAD", "W", path, message, span, "a condition that changes", sides, fix=fix)
