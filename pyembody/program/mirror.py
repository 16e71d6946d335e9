"""The left-right mirror of an output, found by mirroring random signals and comparing what the twin
gives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..spec.errors import SpecError
from ..spec.robot import Mirror
from ..spec.signal import Signal

if TYPE_CHECKING:
    from .compiled import CompiledProgram
    from .reference import Group

ROWS = 64
STEPS = 3
TOLERANCE = 1e-4
QUAT = np.array([1.0, -1.0, 1.0, -1.0])
"""Signs of a mirrored quaternion w, x, y, z."""

Array = NDArray[Any]
Map = tuple[NDArray[np.int64], NDArray[np.float32]]


def signal_mirror(signal: Signal, robot: Mirror | None) -> Map | None:
    """Return (index, sign) of a signal `[N, lanes]` under the mirror, None if it is not known."""
    order = np.arange(signal.count)
    along: Array = np.ones(signal.count)
    if signal.axis in ("joints", "feet"):
        if robot is None:
            return None
        partners = dict(
            zip(
                signal.labels, robot.joints if signal.axis == "joints" else robot.feet, strict=False
            )
        )
        order = np.array([signal.labels.index(partners[label]) for label in signal.labels])
        if signal.axis == "joints":
            along = np.array(robot.signs, float)
    elif signal.axis:
        return None
    if signal.mirror:
        across: Array = np.array(signal.mirror)
    elif signal.kind == "quat":
        across = QUAT
    elif signal.width == 1:
        across = np.ones(1)
    else:
        return None
    index = (order[:, None] * signal.width + np.arange(signal.width)).ravel()
    return index, (along[:, None] * across).ravel().astype(np.float32)


def mirror_map(program: CompiledProgram, group: Group) -> Map:
    """Return (index, sign) of a group's columns. Raises SpecError naming a column without a known
    mirror image.
    """
    plain, mirrored, unknown = _responses(program, group)
    index = np.zeros(group.width, np.int64)
    sign = np.ones(group.width, np.float32)
    for column, node in group.stores:
        block = range(column, column + node.type.lanes)
        for lane in block:
            found = _match(plain, mirrored[:, lane], [lane, *block, *range(group.width)])
            if found is None:
                hint = f" (signals without a known mirror: {', '.join(unknown)})" if unknown else ""
                raise SpecError(f"mirror: {group.name} column {lane}: no known mirror image{hint}")
            index[lane], sign[lane] = found
    return index, sign


def _match(plain: Array, wanted: Array, candidates: list[int]) -> tuple[int, float] | None:
    for lane in candidates:
        for sign in (1.0, -1.0):
            if np.allclose(sign * plain[:, lane], wanted, rtol=TOLERANCE, atol=TOLERANCE):
                return lane, sign
    return None


def _responses(program: CompiledProgram, group: Group) -> tuple[Array, Array, list[str]]:
    """The group's values for random signals and for their mirror images, and signals whose mirror
    is not known.
    """
    rng = np.random.default_rng(0)
    twins = [program.reference(ROWS) for _ in range(2)]
    unknown: list[str] = []
    outputs: list[Array] = []
    for step in range(STEPS):
        signals: dict[str, Array] = {}
        images: dict[str, Array] = {}
        for signal in program.inputs:
            signals[signal.name] = _draw(signal, rng)
            found = signal_mirror(signal, program.robot_mirror)
            if found is None:
                images[signal.name] = _draw(signal, rng)
                unknown += [signal.name] if step == 0 else []
            else:
                images[signal.name] = signals[signal.name][:, found[0]] * found[1]
        for twin, values in zip(twins, (signals, images), strict=True):
            if step == 0:
                twin.reset(values, np.ones(ROWS, bool))
        outputs = [t.step(v)[group.name] for t, v in zip(twins, (signals, images), strict=True)]
    return outputs[0], outputs[1], unknown


def _draw(signal: Signal, rng: np.random.Generator) -> Array:
    values = rng.standard_normal((ROWS, signal.lanes))
    if signal.kind == "bool":
        return (values > 0).astype(float)
    if signal.kind == "quat":
        parts = values.reshape(ROWS, -1, 4)
        values = (parts / np.linalg.norm(parts, axis=2, keepdims=True)).reshape(ROWS, -1)
    return values
