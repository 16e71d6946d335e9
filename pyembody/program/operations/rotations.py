"""Rotations by unit quaternions w, x, y, z. A quat of frame F and local frame L turns vectors of L
into F.
"""

from __future__ import annotations

import numpy as np
from msgspec.structs import replace

from ..call import Call
from ..lanes import Builder, Lanes
from ..types import Node, Type
from ..units import RAD
from .base import Array, operation, plain
from .reductions import lane_sum
from .vectors import components, cross, cross_lanes

Quat = tuple[Lanes, Lanes]


# --- turning vectors ------------------------------------------------------------------------------


def _turn(call: Call, given: str, result: str) -> Type:
    call.quat(0)
    v = call.args[1]
    if v.type.kind != "number" or v.type.width != 3:
        call.fail(f"expected vector[3] as argument 2, got {v.type}")
    call.displacements([v])
    call.plain()
    if v.type.frame and given and v.type.frame != given:
        call.fail(f"expected a vector in the frame {given}, got one in {v.type.frame}")
    axis, labels = call.axis()
    return replace(v.type, axis=axis, labels=labels, frame=result, point=False, integer=False)


def _rotate_rule(call: Call) -> Type:
    q = call.args[0].type
    return _turn(call, q.local, q.frame)


def _rotate_inv_rule(call: Call) -> Type:
    q = call.args[0].type
    return _turn(call, q.frame, q.local)


def _to_yaw_rule(call: Call) -> Type:
    return _turn(call, call.args[0].type.frame, "yaw")


def rotate(q: Array, v: Array) -> Array:
    """V + w t + u x t with t = 2 u x v, for q = (w, u)."""
    w, u = q[..., :1], q[..., 1:]
    t = np.float32(2) * cross(u, v)
    return (v + w * t) + cross(u, t)


def conjugate(q: Array) -> Array:
    """The inverse rotation: the vector part negated."""
    return np.concatenate([q[..., :1], -q[..., 1:]], axis=-1)


def _to_yaw(q: Array, v: Array) -> Array:
    heading = yaw(q).astype(np.float64)
    c, s = np.cos(heading).astype(np.float32), np.sin(heading).astype(np.float32)
    x, y, z = v[..., :1], v[..., 1:2], v[..., 2:]
    parts = np.broadcast_arrays(c * x + s * y, c * y - s * x, z + np.zeros_like(c))
    return np.concatenate(parts, axis=-1)


def _split(builder: Builder, q: Lanes) -> Quat:
    return components(builder, q, [0]), components(builder, q, [1, 2, 3])


def _rotate_lanes(b: Builder, w: Lanes, u: Lanes, v: Lanes) -> Lanes:
    count = max(u.count, v.count)
    u, v = b.spread(u, count, 3), b.spread(v, count, 3)
    t = b.op("mul", 2.0, cross_lanes(b, u, v))
    return b.op("add", b.op("add", v, b.op("mul", w, t)), cross_lanes(b, u, t))


def _lower_rotate(builder: Builder, _node: Node, values: list[Lanes]) -> Lanes:
    w, u = _split(builder, values[0])
    return _rotate_lanes(builder, w, u, values[1])


def _lower_rotate_inv(builder: Builder, _node: Node, values: list[Lanes]) -> Lanes:
    w, u = _split(builder, values[0])
    return _rotate_lanes(builder, w, builder.op("neg", u), values[1])


def _lower_to_yaw(builder: Builder, node: Node, values: list[Lanes]) -> Lanes:
    b = builder
    heading = _lower_yaw(b, node, values[:1])
    c, s = b.op("cos", heading), b.op("sin", heading)
    x, y, z = (components(b, values[1], [i]) for i in range(3))
    forward = b.op("add", b.op("mul", c, x), b.op("mul", s, y))
    left = b.op("sub", b.op("mul", c, y), b.op("mul", s, x))
    count = node.type.count
    parts = [
        p if p.count == count else b.pick(p, [0] * count, count, 1) for p in (forward, left, z)
    ]
    stacked = b.concat(parts, 3, count)
    return b.pick(stacked, [w * count + a for a in range(count) for w in range(3)], count, 3)


operation(
    "rotate",
    "q, v",
    _rotate_rule,
    plain(rotate),
    _lower_rotate,
    "v turned by q: local to outer frame",
)
operation(
    "rotate_inv",
    "q, v",
    _rotate_inv_rule,
    plain(lambda q, v: rotate(conjugate(q), v)),
    _lower_rotate_inv,
    "v turned back by q: outer to local frame",
)
operation(
    "to_yaw",
    "q, v",
    _to_yaw_rule,
    plain(_to_yaw),
    _lower_to_yaw,
    "v in the level frame with q's heading",
)


# --- quats ----------------------------------------------------------------------------------------


def _qmul_rule(call: Call) -> Type:
    call.quat(0, 1)
    p, q = (n.type for n in call.args)
    if p.local and q.frame and p.local != q.frame:
        call.fail(f"expected matching frames, got {p.local} and {q.frame}")
    axis, labels = call.axis()
    return replace(p, axis=axis, labels=labels, local=q.local)


def _qconj_rule(call: Call) -> Type:
    call.quat(0)
    q = call.args[0].type
    return replace(q, frame=q.local, local=q.frame)


def qmul(p: Array, q: Array) -> Array:
    """(pw qw - pu . qu, pw qu + qw pu + pu x qu)."""
    pw, pu, qw, qu = p[..., :1], p[..., 1:], q[..., :1], q[..., 1:]
    w = pw * qw - lane_sum(pu * qu, 2)
    return np.concatenate([w, (pw * qu + qw * pu) + cross(pu, qu)], axis=-1)


def _qmul_lanes(b: Builder, p: Quat, q: Quat) -> Quat:
    pw, pu, qw, qu = *p, *q
    count = max(pw.count, qw.count)
    pu, qu = b.spread(pu, count, 3), b.spread(qu, count, 3)
    w = b.op("sub", b.op("mul", pw, qw), b.reduce("sum", b.op("mul", pu, qu), "width"))
    sides = b.op("add", b.op("mul", pw, qu), b.op("mul", qw, pu))
    return w, b.op("add", sides, cross_lanes(b, pu, qu))


def _join(builder: Builder, q: Quat) -> Lanes:
    w, u = q
    count = u.count
    x = builder.concat([w, u], 1, 4 * count)
    order = [lane for a in range(count) for lane in (a, *(count + 3 * a + i for i in range(3)))]
    return builder.pick(x, order, count, 4)


def _lower_qmul(builder: Builder, _node: Node, values: list[Lanes]) -> Lanes:
    p, q = (_split(builder, v) for v in values)
    return _join(builder, _qmul_lanes(builder, p, q))


def _lower_qconj(builder: Builder, _node: Node, values: list[Lanes]) -> Lanes:
    w, u = _split(builder, values[0])
    return _join(builder, (w, builder.op("neg", u)))


operation("qmul", "p, q", _qmul_rule, plain(qmul), _lower_qmul, "the rotation q, then p")
operation("qconj", "q", _qconj_rule, plain(conjugate), _lower_qconj, "the inverse rotation")


# --- angles ---------------------------------------------------------------------------------------


def _angle_rule(call: Call) -> Type:
    call.quat(0)
    q = call.args[0].type
    return Type("number", 0, q.axis, q.labels, (RAD,))


def _rot_angle_rule(call: Call) -> Type:
    call.quat(0, 1)
    call.frame()
    axis, labels = call.axis()
    return Type("number", 0, axis, labels, (RAD,))


def _parts(q: Array) -> list[Array]:
    return [q[..., i : i + 1] for i in range(4)]


def _atan2(y: Array, x: Array) -> Array:
    return np.arctan2(y.astype(np.float64), x.astype(np.float64)).astype(np.float32)


def yaw(q: Array) -> Array:
    """Heading: atan2(2 (w z + x y), 1 - 2 (y y + z z))."""
    w, x, y, z = _parts(q)
    two, one = np.float32(2), np.float32(1)
    return _atan2(two * (w * z + x * y), one - two * (y * y + z * z))


def pitch(q: Array) -> Array:
    """Nose down positive: asin(2 (w y - z x)), clamped."""
    w, x, y, z = _parts(q)
    s = np.float32(2) * (w * y - z * x)
    result: Array = np.arcsin(np.clip(s.astype(np.float64), -1, 1)).astype(np.float32)
    return result


def roll(q: Array) -> Array:
    """Right side down positive: atan2(2 (w x + y z), 1 - 2 (x x + y y))."""
    w, x, y, z = _parts(q)
    two, one = np.float32(2), np.float32(1)
    return _atan2(two * (w * x + y * z), one - two * (x * x + y * y))


def rot_angle(p: Array, q: Array) -> Array:
    """2 atan2(norm(u), abs w) of conj(p) q: in [0, pi], whatever the signs of p and q."""
    d = qmul(conjugate(p), q)
    length = np.sqrt(lane_sum(np.square(d[..., 1:]), 2))
    result: Array = np.float32(2) * _atan2(length, np.abs(d[..., :1]))
    return result


def _four(builder: Builder, values: list[Lanes]) -> list[Lanes]:
    return [components(builder, values[0], [i]) for i in range(4)]


def _twice(b: Builder, op: str, a: Lanes, c: Lanes, d: Lanes, e: Lanes) -> Lanes:
    """2 (a c op d e)."""
    return b.op("mul", 2.0, b.op(op, b.op("mul", a, c), b.op("mul", d, e)))


def _lower_yaw(builder: Builder, _node: Node, values: list[Lanes]) -> Lanes:
    b = builder
    w, x, y, z = _four(b, values)
    return b.op(
        "atan2", _twice(b, "add", w, z, x, y), b.op("sub", 1.0, _twice(b, "add", y, y, z, z))
    )


def _lower_pitch(builder: Builder, _node: Node, values: list[Lanes]) -> Lanes:
    w, x, y, z = _four(builder, values)
    return builder.op("asin", _twice(builder, "sub", w, y, z, x))


def _lower_roll(builder: Builder, _node: Node, values: list[Lanes]) -> Lanes:
    b = builder
    w, x, y, z = _four(b, values)
    return b.op(
        "atan2", _twice(b, "add", w, x, y, z), b.op("sub", 1.0, _twice(b, "add", x, x, y, y))
    )


def _lower_rot_angle(builder: Builder, _node: Node, values: list[Lanes]) -> Lanes:
    b = builder
    (pw, pu), q = (_split(b, v) for v in values)
    w, u = _qmul_lanes(b, (pw, b.op("neg", pu)), q)
    length = b.op("sqrt", b.reduce("sum", b.op("square", u), "width"))
    return b.op("mul", 2.0, b.op("atan2", length, b.op("abs", w)))


operation("yaw", "q", _angle_rule, plain(yaw), _lower_yaw, "heading of a quat")
operation(
    "pitch", "q", _angle_rule, plain(pitch), _lower_pitch, "pitch of a quat, nose down positive"
)
operation(
    "roll", "q", _angle_rule, plain(roll), _lower_roll, "roll of a quat, right side down positive"
)
operation(
    "rot_angle",
    "p, q",
    _rot_angle_rule,
    plain(rot_angle),
    _lower_rot_angle,
    "angle between two rotations",
)
