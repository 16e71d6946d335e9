"""Words about motion to one value per axis: verbs, directions, amounts and manner."""

from __future__ import annotations

from dataclasses import dataclass, field

from .reading import Reading
from .words import Word


@dataclass
class Segment:
    """A verb with all that is said of it; `axis` is the verb's, empty without a verb."""

    axis: str
    words: list[Word]

    @property
    def directions(self) -> list[Word]:
        """Its directions."""
        return [w for w in self.words if w.entry.towards]

    @property
    def amounts(self) -> list[Word]:
        """Its amounts."""
        return [w for w in self.words if w.kind == "amount"]

    @property
    def manners(self) -> list[Word]:
        """Its manners."""
        return [w for w in self.words if w.entry.manner is not None]


@dataclass
class Axis:
    """What is said of one axis: signs, amounts and typical speeds with their words, and manners."""

    signs: list[tuple[float, Word]] = field(default_factory=list)
    amounts: list[tuple[float, Word]] = field(default_factory=list)
    speeds: list[tuple[float, Word]] = field(default_factory=list)
    sides: list[int] = field(default_factory=list)
    manners: list[Word] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)


def read_motion(clauses: list[list[Word]], reading: Reading) -> None:
    """Add the claims on the axes to `reading`; naming one axis sets the unnamed ones to 0."""
    words = [w for clause in clauses for w in clause]
    stand = [w for w in words if w.entry.stand]
    moving = [[w for w in clause if not w.entry.stand and not w.entry.needs] for clause in clauses]
    axes: dict[str, Axis] = {}
    for segment in _segments([c for c in moving if c], reading):
        _read_segment(segment, axes, reading)
    if stand and any(moving):
        first = next(w for clause in moving for w in clause)
        reading.refuse(stand, f"contradicts '{reading.said(first)}'")
        return
    if stand:
        for axis in reading.language.axes:
            reading.claim(axis, 0.0, stand)
    absolute = [_claim_axis(name, axis, reading) for name, axis in axes.items()]
    if any(absolute):
        for name in reading.language.axes:
            if name not in axes:
                reading.claim(name, 0.0, (), note="not said, so none")
    for word in (w for w in words if w.entry.needs and (stand or set(axes) != {w.entry.needs})):
        hints = reading.language.hints.get(reading.said(word), ())
        reading.refuse([word], f"only understood beside {word.entry.needs} alone", hints)


def _segments(clauses: list[list[Word]], reading: Reading) -> list[Segment]:
    """One segment per verb, with the words before it; a clause without a verb goes on."""
    found: list[Segment] = []
    for clause in clauses:
        for part in _parts(clause):
            last = found[-1] if found else None
            if last is not None and (not part.axis or _continues(last, part, reading)):
                last.words += part.words
                last.axis = last.axis or part.axis
            else:
                found.append(part)
    return found


def _parts(clause: list[Word]) -> list[Segment]:
    parts = [Segment("", [])]
    for word in clause:
        if word.entry.moves and parts[-1].axis:
            parts.append(Segment("", []))
        parts[-1].words.append(word)
        parts[-1].axis = parts[-1].axis or word.entry.moves
    return parts


def _continues(last: Segment, part: Segment, reading: Reading) -> bool:
    """Whether a verb goes on with the segment before: `go left at a trot`; `slowly, turn left`."""
    if last.directions and part.directions:
        return False
    if last.axis:
        return last.axis == part.axis
    units = {reading.unit(axis) for word in last.directions for axis in word.entry.towards}
    return not last.directions or reading.unit(part.axis) in units


def _read_segment(segment: Segment, axes: dict[str, Axis], reading: Reading) -> None:
    """Give the segment's words to the axes they speak of."""
    named: list[str] = []
    waiting = segment.directions
    bound: set[Word] = set()
    for place, word in enumerate(segment.words):
        if word.kind == "amount":
            before = [d for d in segment.words[:place] if d in waiting and d not in bound]
            axis, direction = _axis_of_amount(word, before, segment, bound, reading)
            if axis:
                axes.setdefault(axis, Axis()).amounts.append((word.amount.value, word))
                axes[axis].words.append(word)
                named.append(axis)
            if direction is not None:
                bound.add(direction)
                _aim(axes[axis], axis, direction)
    for direction in (d for d in waiting if d not in bound):
        axis = _axes_of(direction, segment)[0]
        _aim(axes.setdefault(axis, Axis()), axis, direction)
        named.append(axis)
    if segment.axis and named and reading.unit(segment.axis) not in map(reading.unit, named):
        reading.refuse(
            segment.words, f"where to? the verb is measured in {reading.unit(segment.axis)}"
        )
    named = named or ([] if segment.amounts else _verb_axes(segment, axes, reading))
    _verbs_and_manners(segment, named, axes)


def _aim(axis: Axis, name: str, direction: Word) -> None:
    """Add a direction along an axis; `sideways` tells no sign, only which side is meant unless one is said."""
    sign = direction.entry.towards[name]
    if sign:
        axis.signs.append((sign, direction))
    else:
        axis.sides.append(direction.entry.side)
    axis.words.append(direction)


def _axes_of(direction: Word, segment: Segment) -> list[str]:
    """The axes that a direction may mean: the verb's own, if it can; otherwise all."""
    towards = list(direction.entry.towards)
    return [segment.axis] if segment.axis in towards else towards


def _axis_of_amount(
    word: Word, before: list[Word], segment: Segment, bound: set[Word], reading: Reading
) -> tuple[str, Word | None]:
    """The axis that an amount measures, and its direction. An empty axis was refused."""
    unit = word.amount.unit
    fits = {
        d: a
        for d in segment.directions
        for a in reversed(_axes_of(d, segment))
        if reading.unit(a) == unit
    }
    waiting = [d for d in before if d in fits]
    if len(waiting) > 1:
        names = " or ".join(f"'{reading.said(d)}'" for d in waiting)
        reading.refuse([word], f"is it for {names}? say one amount for each")
        return "", None
    free = waiting or [d for d in fits if d not in bound] or list(fits)[-1:]
    if free:
        return fits[free[0]], free[0]
    legal = [a for a in reading.language.axes if reading.unit(a) == unit]
    if segment.axis in legal:
        return segment.axis, None
    if segment.directions or segment.axis:
        about = reading.said((segment.directions or segment.words)[0])
        reading.refuse(
            [word], f"'{about}' is not measured in {unit}", reading.language.examples[:3]
        )
        return "", None
    sided = [a for a in legal if reading.language.parameters[a].side]
    return (sided or legal)[0], None


def _verb_axes(segment: Segment, axes: dict[str, Axis], reading: Reading) -> list[str]:
    """The axes of a segment with no direction: the verb's, or for `faster` those moving now."""
    if any(w.entry.comparative for w in segment.manners):
        unit = reading.unit(segment.axis) if segment.axis else ""
        now = [
            a
            for a in reading.language.axes
            if reading.current.get(a) and unit in ("", reading.unit(a))
        ]
        if not now:
            reading.refuse(
                segment.manners, "than what? no speed is set yet", reading.language.examples[:2]
            )
        named = now
    elif segment.axis:
        named = [segment.axis]
    else:
        reading.refuse(segment.words, "what moves so?", reading.language.examples[:2])
        named = []
    for axis in named:
        axes.setdefault(axis, Axis())
    return named


def _verbs_and_manners(segment: Segment, named: list[str], axes: dict[str, Axis]) -> None:
    for axis in named:
        axes[axis].manners += segment.manners
        axes[axis].words += segment.manners
        for word in (w for w in segment.words if w.entry.moves):
            axes[axis].words.append(word)
            if word.entry.moves == axis:
                axes[axis].sides += [word.entry.side] if word.entry.side else []
                axes[axis].speeds += (
                    [(word.entry.speed, word)] if word.entry.speed is not None else []
                )


def _claim_axis(name: str, axis: Axis, reading: Reading) -> bool:
    """Claim the value of an axis; return whether it is absolute, so that it sets the axes not named
    to 0.
    """
    strengths = [(float((w.entry.manner or 1.0) > 1.0), w) for w in axis.manners]
    for said in (axis.signs, axis.amounts or axis.speeds, strengths):
        values = {value for value, _ in said}
        if len(values) > 1:
            first, other = said[0][1], next(w for v, w in said if v != said[0][0])
            reading.refuse([other], f"contradicts '{reading.said(first)}'")
            return False
    parameter = reading.language.parameters[name]
    sign = next((s for s, _ in axis.signs), 0.0) or float(next(iter(axis.sides), parameter.side))
    for _, word in axis.amounts:
        if word.amount.signed:
            reading.refuse([word], "say the direction in words and the amount without a sign")
            return False
    if any(w.entry.comparative for w in axis.manners) and not axis.amounts:
        return _claim_relative(name, axis, sign if axis.signs else 0.0, reading)
    if not sign:
        reading.refuse(
            axis.words,
            "to which side?",
            [f"{reading.said(axis.words[-1])} {s}" for s in ("left", "right")],
        )
        return False
    side = _side(name, int(sign), reading) if axis.sides and not axis.signs else ""
    if axis.amounts:
        _claim_amount(name, axis, sign, side, reading)
    else:
        typical = axis.speeds[0][0] if axis.speeds else parameter.typical
        reading.claim(
            name,
            sign * typical * _factor(axis.manners, reading),
            axis.words,
            note=_notes(side, _guess(axis, typical, parameter.unit, reading)),
        )
    return True


def _side(name: str, sign: int, reading: Reading) -> str:
    """Which side was meant by words that tell none."""
    sides = (e.say[0] for e in reading.language.words if e.towards.get(name) == sign)
    return f"no side was said, so {next(sides, f'{sign:+d}')}"


def _notes(*notes: str) -> str:
    return "; ".join(note for note in notes if note)


def _claim_amount(name: str, axis: Axis, sign: float, side: str, reading: Reading) -> None:
    """The number that was said; beside `exactly` and the like no other is commanded."""
    exact = [w for _, amount in axis.amounts for w in reading.exact.get(amount, ())]
    note = "the number counts, not the manner" if axis.manners else ""
    if exact:
        note = "this one value alone is trained: no standing, nothing slower or faster"
    value, words = sign * axis.amounts[0][0], [*axis.words, *exact]
    reading.claim(name, value, words, firm=True, note=_notes(side, note), exact=bool(exact))


def _guess(axis: Axis, typical: float, unit: str, reading: Reading) -> str:
    """Where a speed comes from that no number was said of: `'walk' means 0.5 m/s, 'slowly' times 0.5`."""
    said = f"'{reading.said(axis.speeds[0][1])}' means" if axis.speeds else "no number was said:"
    factors = [f"'{reading.said(w)}' times {_factor([w], reading):g}" for w in axis.manners]
    return ", ".join([f"{said} {typical:g} {unit}", *factors])


def _claim_relative(name: str, axis: Axis, sign: float, reading: Reading) -> bool:
    now = reading.value_now(name) if name in reading.current else 0.0
    if now * (sign or now) <= 0.0:
        reading.refuse(
            axis.manners, "than what? no such speed is set yet", reading.language.examples[:2]
        )
    else:
        reading.claim(
            name, now * _factor(axis.manners, reading), axis.words, note=f"it was {now:g}"
        )
    return False


def _factor(manners: list[Word], reading: Reading) -> float:
    """The product of the manners, each as strong as its degree; never below a tenth."""
    factor = 1.0
    for word in manners:
        factor *= 1.0 + reading.degrees.get(word, 1.0) * ((word.entry.manner or 1.0) - 1.0)
    return max(factor, 0.1)
