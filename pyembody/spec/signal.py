"""Signals: named measurables with a width, a unit, a frame, and the way a left-right mirror changes them."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct
from msgspec.structs import force_setattr

Kind = Literal["bool", "scalar", "integer", "vector", "quat"]
Frame = str
"""`world`, `body`, `yaw` (level, heading of the base), the `local` of a quat, a label of the axis `bodies`, or ""."""

QUAT_WIDTH = 4
POLAR = (1.0, -1.0, 1.0)
"""Signs of a mirrored polar vector (position, velocity, force): the lateral component turns over."""
AXIAL = (-1.0, 1.0, -1.0)
"""Signs of a mirrored axial vector (angular velocity, torque)."""


class Signal(Struct, frozen=True, forbid_unknown_fields=True):
    """A named measurable of a robot, a scene or an environment.

    A value holds `len(labels)` (or 1) elements along `axis`, each of `width` components, stored element
    by element; a quat has 4 of them. `unit` is one unit for all components or one per component, separated
    by commas. A quat turns vectors of the frame `local` into vectors of `frame`. `source` tells the
    environment where to read it: see `pyembody.envs.sources`. A constant has `values`.
    """

    name: str
    kind: Kind = "scalar"
    width: int = 1
    axis: str = ""
    labels: tuple[str, ...] = ()
    unit: str = "1"
    frame: Frame = ""
    point: bool = False
    mirror: tuple[float, ...] = ()
    source: str = ""
    values: tuple[float, ...] = ()
    local: Frame = ""

    def __post_init__(self) -> None:
        if self.kind == "quat" and self.width == 1:  # said by the kind alone
            force_setattr(self, "width", QUAT_WIDTH)

    @property
    def count(self) -> int:
        """Number of elements along the named axis (1 without one)."""
        return len(self.labels) if self.axis else 1

    @property
    def lanes(self) -> int:
        """Number of numbers per environment."""
        return self.count * self.width
