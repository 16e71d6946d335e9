"""Building a lane program: shaped values over flat lanes, with equal sub-expressions shared."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

LaneNode = tuple[str, Sequence[int], int, Sequence[int], Sequence[float]]


ONE_NUMBER = (
    "delta rate ema initial latch hold air_time contact_time first_contact count_steps since "
    "running_max running_min cycle ema_by potential"
).split()
STATE = dict.fromkeys(ONE_NUMBER, 1) | {"last_air_time": 2, "running_mean": 2, "unwrap": 2}
"""Numbers that an operation with memory keeps for each of its lanes."""
REMEMBERING = {*STATE, "machine", "prev", "episodic_count"}
"""Operations with memory."""


def state_numbers(node: LaneNode) -> int:
    """Return how many numbers a node remembers for an environment."""
    op, _, lanes, ints, _ = node
    if op == "machine":
        return 2
    return (ints[0] if op in ("prev", "episodic_count") else STATE.get(op, 0)) * lanes


class Lanes(Struct, frozen=True, gc=False):
    """A lane node read as `count` elements of `width` components, element by element."""

    index: int
    count: int = 1
    width: int = 1

    @property
    def lanes(self) -> int:
        """Number of lanes."""
        return self.count * self.width


class Builder:
    """Collects lane nodes in topological order; a node that equals an earlier one is that earlier
    one.
    """

    def __init__(self, dt: float) -> None:
        self.dt = dt
        self.nodes: list[LaneNode] = []
        self.slots: dict[str, int] = {}
        self._seen: dict[tuple[object, ...], int] = {}

    def emit(
        self,
        op: str,
        args: Sequence[int],
        lanes: int,
        ints: Sequence[int] = (),
        floats: Sequence[float] = (),
    ) -> int:
        """Return the index of a node, added unless an equal one exists."""
        node = (op, tuple(args), lanes, tuple(ints), tuple(floats))
        key = (*node, *map(repr, floats)) if floats else node  # repr tells -0 from 0
        index = self._seen.setdefault(key, len(self.nodes))
        if index == len(self.nodes):
            self.nodes.append(node)
        return index

    def constant(self, *values: float) -> Lanes:
        """Return constants as one element of `len(values)` components."""
        return Lanes(self.emit("const", (), len(values), floats=values), 1, len(values))

    def input(self, name: str, columns: Sequence[int], count: int, width: int) -> Lanes:
        """Return columns of an input; its slot is given at its first use."""
        slot = self.slots.setdefault(name, len(self.slots))
        return Lanes(self.emit("input", (), len(columns), (slot, *columns)), count, width)

    def pick(self, x: Lanes, lanes: Sequence[int], count: int, width: int) -> Lanes:
        """Return chosen lanes of `x` in a new shape; picking from an input or a constant makes
        another such node.
        """
        if list(lanes) == list(range(x.lanes)):
            return Lanes(x.index, count, width)
        op, args, _, ints, floats = self.nodes[x.index]
        if op == "input":
            index = self.emit(op, (), len(lanes), (ints[0], *(ints[1 + i] for i in lanes)))
        elif op == "const":
            index = self.emit(op, (), len(lanes), (), [floats[i] for i in lanes])
        elif op == "gather":
            index = self.emit(op, args, len(lanes), [ints[i] for i in lanes])
        else:
            index = self.emit("gather", (x.index,), len(lanes), list(lanes))
        return Lanes(index, count, width)

    def spread(self, x: Lanes, count: int, width: int) -> Lanes:
        """Return `x` repeated to `count` elements of `width` components, unless one lane serves
        all.
        """
        if (x.count == count and x.width == width) or x.lanes == 1:
            return x
        lanes = [
            (a if x.count > 1 else 0) * x.width + (w if x.width > 1 else 0)
            for a in range(count)
            for w in range(width)
        ]
        return self.pick(x, lanes, count, width)

    def op(self, name: str, *args: Lanes | float) -> Lanes:
        """Return an element-wise operation; arguments are repeated to their common shape."""
        values = [a if isinstance(a, Lanes) else self.constant(a) for a in args]
        count = width = 1
        for v in values:
            count = v.count if v.count > count else count
            width = v.width if v.width > width else width
        indices = [v.index if v.count * v.width == 1 else self.spread(v, count, width).index for v in values]
        return Lanes(self.emit(name, indices, count * width), count, width)

    def reduce(self, name: str, x: Lanes, dim: str) -> Lanes:
        """Return `x` reduced over its components (`dim` "width"), its named axis ("axis") or
        nothing ("").
        """
        if dim == "axis" and x.width > 1:
            turned = [a * x.width + w for w in range(x.width) for a in range(x.count)]
            y = self.pick(x, turned, x.width, x.count)
            return Lanes(self.emit(name, (y.index,), x.width, (x.count,)), 1, x.width)
        group = {"width": x.width, "axis": x.count, "": 1}[dim]
        count = x.count if dim != "axis" else 1
        width = x.width if dim == "" else 1
        if group == 1:
            return Lanes(x.index, count, width)
        return Lanes(self.emit(name, (x.index,), x.lanes // group, (group,)), count, width)

    def remember(
        self, name: str, x: Lanes, ints: Sequence[int] = (), floats: Sequence[float] = ()
    ) -> Lanes:
        """Return an operation with memory of `x`."""
        return Lanes(self.emit(name, (x.index,), x.lanes, ints, floats), x.count, x.width)

    def mark(self, x: Lanes, bit: int) -> None:
        """Set a bit of a row's flags where any lane of `x` is not 0."""
        flat = self.reduce("any", Lanes(x.index, 1, x.lanes), "width")
        self.emit("mark", (flat.index,), 1, (bit,))

    def concat(self, parts: Sequence[Lanes], count: int, width: int) -> Lanes:
        """Return the lanes of all parts, one after the other."""
        index = self.emit("concat", [p.index for p in parts], sum(p.lanes for p in parts))
        return Lanes(index, count, width)
