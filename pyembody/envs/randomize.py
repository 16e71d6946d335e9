"""Domain randomisation: model fields drawn anew for each environment at the start of each episode."""

from __future__ import annotations

import mujoco
import numpy as np
from mujoco.batch import Batch
from numpy.typing import NDArray

from ..spec.task import Randomize
from .commands import Rows

Range = tuple[float, float]


class Randomizer:
    """Writes drawn values into the per-simulation model fields of a batch; a field without a range stays shared."""

    def __init__(self, spec: Randomize, batch: Batch, dofs: NDArray[np.int64], base: int) -> None:
        self.spec, self.batch, self.dofs, self.base = spec, batch, dofs, base
        self.nominal: mujoco.MjModel = batch.model
        self.inertial = bool(spec.base_mass or spec.mass_scale or spec.com)
        names = []
        names += ["geom_friction"] if spec.friction else []
        names += ["body_mass", "body_inertia", "body_ipos"] if self.inertial else []
        names += ["actuator_gainprm", "actuator_biasprm"] if spec.kp_scale else []
        names += ["dof_damping"] if spec.kd_scale else []
        names += ["dof_frictionloss"] if spec.joint_friction else []
        self.fields = {name: batch.expand(name) for name in names}

    def draw(self, rng: np.random.Generator, rows: Rows) -> None:
        """Draw the fields of `rows`."""
        spec, fields = self.spec, self.fields
        if spec.friction:
            fields["geom_friction"][rows, :, 0] = _uniform(rng, spec.friction, (len(rows), 1))
        if spec.kp_scale:
            scale = _uniform(rng, spec.kp_scale, (len(rows), self.nominal.nu))
            fields["actuator_gainprm"][rows, :, 0] = self.nominal.actuator_gainprm[:, 0] * scale
            fields["actuator_biasprm"][rows, :, 1] = self.nominal.actuator_biasprm[:, 1] * scale
        if spec.kd_scale:
            scale = _uniform(rng, spec.kd_scale, (len(rows), len(self.dofs)))
            fields["dof_damping"][np.ix_(rows, self.dofs)] = self.nominal.dof_damping[self.dofs] * scale
        if spec.joint_friction:
            drawn = _uniform(rng, spec.joint_friction, (len(rows), len(self.dofs)))
            fields["dof_frictionloss"][np.ix_(rows, self.dofs)] = drawn
        if self.inertial:
            self._draw_inertia(rng, rows)

    def _draw_inertia(self, rng: np.random.Generator, rows: Rows) -> None:
        spec, model, k = self.spec, self.nominal, len(rows)
        scale = np.ones((k, model.nbody))
        if spec.mass_scale:
            scale = _uniform(rng, spec.mass_scale, scale.shape)
        if spec.base_mass and self.base > 0:
            added = _uniform(rng, spec.base_mass, (k,))
            scale[:, self.base] *= 1 + added / model.body_mass[self.base]
        # inertia follows mass: the shape of a body stays, its density changes
        self.fields["body_mass"][rows] = model.body_mass * scale
        self.fields["body_inertia"][rows] = model.body_inertia * scale[..., None]
        if spec.com and self.base > 0:
            shift = _uniform(rng, (-spec.com, spec.com), (k, 3))
            self.fields["body_ipos"][rows, self.base] = model.body_ipos[self.base] + shift
        self.batch.set_const(ids=rows)


def _uniform(rng: np.random.Generator, bounds: Range, shape: tuple[int, ...]) -> NDArray[np.float64]:
    return rng.uniform(bounds[0], bounds[1], shape)
